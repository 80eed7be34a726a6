#include "delegate/graph/key_verifier.h"

#include "onepack/key_integrity.h"

namespace onepack {

Status KeyVerifier::Verify(const NamedData& data) {
  if (verified_.count(&data) > 0) return Status::Ok();
  ONEPACK_RETURN_IF_ERROR(VerifyKey(data));
  verified_.insert(&data);
  return Status::Ok();
}

}  // namespace onepack
