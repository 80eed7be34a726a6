// Where a method looks for a key: first in its own program, then in the data files it was loaded
// with. Records which keys were asked for.
//
// Threads: that of the load.

#ifndef ONEPACK_NAMED_DATA_SCOPE_H_
#define ONEPACK_NAMED_DATA_SCOPE_H_

#include <utility>

#include "base/printable.h"
#include "onepack/array.h"
#include "onepack/named_data_map.h"
#include "onepack/ref.h"
#include "onepack/result.h"

namespace onepack {

class NamedDataScope {
 public:
  // Either may be null.
  NamedDataScope(Ref<NamedDataMap> program, Ref<NamedDataMap> external, const Allocator& allocator)
      : program_(std::move(program)), external_(std::move(external)), allocator_(allocator) {}

  // Errors: kNotFound names the key and every file that was searched; a key in both with other data
  // is kMismatch.
  Result<const NamedData*> Find(std::string_view key) const {
    const NamedData* own = program_ ? program_->Find(key) : nullptr;
    const NamedData* other = external_ ? external_->Find(key) : nullptr;
    if (own == nullptr && other == nullptr) {
      const bool has_external = external_ && external_->names()[0] != '\0';
      return Status::Error(StatusCode::kNotFound, "key '%s' is neither in the program nor in %s",
                           Printable(key).c_str(),
                           has_external ? external_->names() : "a data file (none was given)");
    }
    if (other != nullptr) {
      ONEPACK_ASSIGN_OR_RETURN(bool* is_used, MarkOf(*external_, *other, &is_used_));
      *is_used = true;
    }
    if (own != nullptr && other != nullptr) ONEPACK_RETURN_IF_ERROR(CheckOnce(*own, *other));
    return own != nullptr ? own : other;
  }

  // All entries have numbers, those of the program first.
  size_t entry_count() const { return EntriesOf(program_).size() + EntriesOf(external_).size(); }
  // REQUIRES: `entry` was found here.
  size_t IndexOf(const NamedData& entry) const {
    const Span<const NamedData> own = EntriesOf(program_);
    const Span<const NamedData> other = EntriesOf(external_);
    const bool is_other = &entry >= other.begin() && &entry < other.end();
    return is_other ? own.size() + static_cast<size_t>(&entry - other.data())
                    : static_cast<size_t>(&entry - own.data());
  }

  // By entry of the data files: whether it was asked for. Empty: none was.
  Array<bool> TakeUses() { return std::move(is_used_); }

 private:
  static Span<const NamedData> EntriesOf(const Ref<NamedDataMap>& map) {
    return map ? map->entries() : Span<const NamedData>();
  }

  Result<bool*> MarkOf(const NamedDataMap& map, const NamedData& entry, Array<bool>* marks) const {
    const Span<const NamedData> all = map.entries();
    if (marks->empty()) {
      ONEPACK_ASSIGN_OR_RETURN(*marks, Array<bool>::Create(allocator_, all.size()));
    }
    return &(*marks)[static_cast<size_t>(&entry - all.data())];
  }

  // A program may ask for a key any number of times; it is compared the first time.
  Status CheckOnce(const NamedData& own, const NamedData& other) const {
    ONEPACK_ASSIGN_OR_RETURN(bool* is_checked, MarkOf(*program_, own, &is_checked_));
    if (!*is_checked) ONEPACK_RETURN_IF_ERROR(CheckSameData(own, other));
    *is_checked = true;
    return Status::Ok();
  }

  Ref<NamedDataMap> program_;
  Ref<NamedDataMap> external_;
  const Allocator allocator_;
  mutable Array<bool> is_checked_;  // by entry of the program
  mutable Array<bool> is_used_;     // by entry of the data files
};

}  // namespace onepack

#endif  // ONEPACK_NAMED_DATA_SCOPE_H_
