// Verifies what one load uses, each entry once.
//
// Threads: that of the load.

#ifndef ONEPACK_DELEGATE_GRAPH_KEY_VERIFIER_H_
#define ONEPACK_DELEGATE_GRAPH_KEY_VERIFIER_H_

#include <unordered_set>

#include "onepack/named_data_map.h"
#include "onepack/status.h"

namespace onepack {

class KeyVerifier {
 public:
  // REQUIRES: `data` stays where it is as long as this lives.
  // Errors: those of VerifyKey. May throw std::bad_alloc.
  Status Verify(const NamedData& data);

 private:
  std::unordered_set<const NamedData*> verified_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_KEY_VERIFIER_H_
