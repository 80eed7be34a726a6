// The SHA-256 of named data.

#ifndef ONEPACK_RUNTIME_DATA_HASH_H_
#define ONEPACK_RUNTIME_DATA_HASH_H_

#include "base/digest.h"
#include "onepack/named_data_map.h"
#include "onepack/result.h"

namespace onepack {

// What its source says, else that of the bytes, which are read and let go of. Errors: those of
// reading; kInternal.
Result<Digest> HashOf(const NamedData& data);

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_DATA_HASH_H_
