// Where a method looks for a key: first in its own program, then in the data files it was loaded
// with.

#ifndef ONEPACK_RUNTIME_NAMED_DATA_SCOPE_H_
#define ONEPACK_RUNTIME_NAMED_DATA_SCOPE_H_

#include "base/printable.h"
#include "base/ref.h"
#include "base/result.h"
#include "runtime/named_data_map.h"

namespace onepack {

class NamedDataScope {
 public:
  // Either may be null.
  NamedDataScope(Ref<NamedDataMap> program, Ref<NamedDataMap> external)
      : program_(std::move(program)), external_(std::move(external)) {}

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
    if (own != nullptr && other != nullptr) ONEPACK_RETURN_IF_ERROR(CheckSameData(*own, *other));
    return own != nullptr ? own : other;
  }

 private:
  Ref<NamedDataMap> program_;
  Ref<NamedDataMap> external_;
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_NAMED_DATA_SCOPE_H_
