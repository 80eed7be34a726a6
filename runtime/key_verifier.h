// Verifies what one load uses, each key once.
//
// Threads: that of the load.

#ifndef ONEPACK_RUNTIME_KEY_VERIFIER_H_
#define ONEPACK_RUNTIME_KEY_VERIFIER_H_

#include "onepack/array.h"
#include "onepack/named_data_scope.h"
#include "onepack/result.h"

namespace onepack {

class KeyVerifier {
 public:
  explicit KeyVerifier(const Allocator& allocator = HeapAllocator()) : allocator_(allocator) {}

  // REQUIRES: `data` was found in `scope`, which is the same at every call.
  // Errors: those of VerifyKey; kResourceExhausted.
  Status Verify(const NamedDataScope& scope, const NamedData& data);

 private:
  const Allocator allocator_;
  Array<bool> is_verified_;  // by entry of the scope
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_KEY_VERIFIER_H_
