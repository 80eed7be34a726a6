// Where XNNPACK packs to.

#ifndef ONEPACK_DELEGATE_XNN_PACKING_MEMORY_H_
#define ONEPACK_DELEGATE_XNN_PACKING_MEMORY_H_

#include <stddef.h>
#include <stdint.h>

namespace onepack {

class PackingMemory {
 public:
  virtual ~PackingMemory() = default;

  // Room for `size` bytes, aligned to 64; null if there is none. It stays the memory's.
  virtual uint8_t* Reserve(size_t size) = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_PACKING_MEMORY_H_
