// Little-endian loads from and stores to bytes of any alignment, as every format here stores its
// numbers.

#ifndef ONEPACK_BASE_ENDIAN_H_
#define ONEPACK_BASE_ENDIAN_H_

#include <stdint.h>
#include <string.h>

#include <type_traits>

namespace onepack {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "files are read in place: a big-endian machine would need a conversion here");

template <typename T>
inline T LoadLittleEndian(const uint8_t* bytes) {
  static_assert(std::is_unsigned_v<T>);
  T value;
  memcpy(&value, bytes, sizeof(value));
  return value;
}

template <typename T>
inline void StoreLittleEndian(T value, uint8_t* bytes) {
  static_assert(std::is_unsigned_v<T>);
  memcpy(bytes, &value, sizeof(value));
}

}  // namespace onepack

#endif  // ONEPACK_BASE_ENDIAN_H_
