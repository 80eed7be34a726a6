// Whether data is what its name says.
//
// Exporters name a weight after its content: the key is the SHA-256 of the bytes, as 64 hexadecimal
// digits; before that of scales stands "scale_". Such a key can be checked. Any other key says
// nothing about its bytes and is passed over.
//
// Cost: reads all that it checks. Nothing is checked unless the application asks for it
// (XnnpackBackendOptions::verify_keys, or these functions): a damaged or forged weight then gives
// wrong numbers, never a crash.
// Threads: any function, any thread.

#ifndef ONEPACK_DELEGATE_KEY_INTEGRITY_H_
#define ONEPACK_DELEGATE_KEY_INTEGRITY_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>
#include <unordered_set>

#include "base/result.h"
#include "runtime/named_data_map.h"

namespace onepack {

// 64 hexadecimal digits in lower case, after "scale_" perhaps.
bool IsContentKey(std::string_view key);

// OK for a key that is no content key. Errors: kInvalidFile names the file, the key and the hash of
// what is there; those of reading.
Status VerifyKey(const NamedData& data);

struct KeyReport {
  size_t verified_keys = 0;
  size_t other_keys = 0;  // that say nothing about their bytes
  uint64_t verified_bytes = 0;
};

// All keys of one or of several files. The first one that is wrong ends it.
Result<KeyReport> VerifyKeys(const NamedDataMap& map);

// Verifies what one load uses, each key once.
// Threads: that of the load.
class KeyVerifier {
 public:
  // May throw std::bad_alloc.
  Status Verify(const NamedData& data);

 private:
  std::unordered_set<const NamedData*> verified_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_KEY_INTEGRITY_H_
