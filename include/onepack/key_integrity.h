// Whether data is what its name says.
//
// Exporters name a weight after its content: the key is the SHA-256 of the bytes, as 64 hexadecimal
// digits; before that of scales stands "scale_". Such a key can be checked. Any other key says
// nothing about its bytes and is passed over.
//
// Cost: reads all that it checks. Nothing is checked unless the application asks for it
// (XnnpackBackendOptions::verify_keys, or these functions): a damaged or forged weight then gives
// wrong numbers, never a crash.

#ifndef ONEPACK_KEY_INTEGRITY_H_
#define ONEPACK_KEY_INTEGRITY_H_

#include <stdint.h>

#include <string_view>

#include "onepack/export.h"
#include "onepack/named_data_map.h"
#include "onepack/result.h"

namespace onepack {

// 64 hexadecimal digits in lower case, after "scale_" perhaps.
ONEPACK_API bool IsContentKey(std::string_view key);

// The hash that a content key names: writes 32 bytes. False for any other key.
ONEPACK_API bool ParseContentKey(std::string_view key, uint8_t* sha256);

// OK for a key that is no content key. Errors: kInvalidFile names the file, the key and the hash of
// what is there; those of reading.
// Threads: any.
ONEPACK_API Status VerifyKey(const NamedData& data);

}  // namespace onepack

#endif  // ONEPACK_KEY_INTEGRITY_H_
