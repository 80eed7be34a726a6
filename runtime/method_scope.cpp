#include "runtime/method_scope.h"

#include "base/printable.h"

namespace onepack {
Result<const NamedData*> MethodScope::Find(std::string_view key) const {
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

Result<const NamedData*> MethodScope::Find(std::string_view key, uint64_t /*size_bytes*/) const {
  return Find(key);
}

Result<bool*> MethodScope::MarkOf(const NamedDataMap& map, const NamedData& entry,
                                  Array<bool>* marks) const {
  const Span<const NamedData> all = map.entries();
  if (marks->empty()) {
    ONEPACK_ASSIGN_OR_RETURN(*marks, Array<bool>::Create(allocator_, all.size()));
  }
  return &(*marks)[static_cast<size_t>(&entry - all.data())];
}

// A program may ask for a key any number of times; it is compared the first time.
Status MethodScope::CheckOnce(const NamedData& own, const NamedData& other) const {
  ONEPACK_ASSIGN_OR_RETURN(bool* is_checked, MarkOf(*program_, own, &is_checked_));
  if (!*is_checked) ONEPACK_RETURN_IF_ERROR(CheckSameData(own, other));
  *is_checked = true;
  return Status::Ok();
}

}  // namespace onepack
