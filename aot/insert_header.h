// Makes room for a file header inside a finished flatbuffer.

#ifndef ONEPACK_AOT_INSERT_HEADER_H_
#define ONEPACK_AOT_INSERT_HEADER_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "base/endian.h"
#include "onepack/span.h"

namespace onepack {

// Root offset and identifier: what stands before an inserted header.
inline constexpr size_t kFlatbufferPrefixSize = 8;

// `flatbuffer` with `size` zero bytes after its prefix. Everything in a flatbuffer is found by
// distances from where the reader stands, except the root, so only the root offset changes. `size`
// keeps the alignment of the contents when it is a multiple of theirs.
inline std::vector<uint8_t> InsertHeaderSpace(Bytes flatbuffer, size_t size) {
  std::vector<uint8_t> bytes(flatbuffer.begin(), flatbuffer.end());
  bytes.insert(bytes.begin() + kFlatbufferPrefixSize, size, 0);
  const auto root = LoadLittleEndian<uint32_t>(bytes.data());
  StoreLittleEndian(root + static_cast<uint32_t>(size), bytes.data());
  return bytes;
}

}  // namespace onepack

#endif  // ONEPACK_AOT_INSERT_HEADER_H_
