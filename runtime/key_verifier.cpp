#include "runtime/key_verifier.h"

#include "onepack/key_integrity.h"

namespace onepack {

Status KeyVerifier::Verify(const NamedDataScope& scope, const NamedData& data) {
  if (is_verified_.empty()) {
    ONEPACK_ASSIGN_OR_RETURN(is_verified_, Array<bool>::Create(allocator_, scope.entry_count()));
  }
  bool& is_verified = is_verified_[scope.IndexOf(data)];
  if (!is_verified) ONEPACK_RETURN_IF_ERROR(VerifyKey(data));
  is_verified = true;
  return Status::Ok();
}

}  // namespace onepack
