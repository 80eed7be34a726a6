// The unit in which the kernel maps memory.

#ifndef ONEPACK_BASE_PAGE_SIZE_H_
#define ONEPACK_BASE_PAGE_SIZE_H_

#include <stddef.h>
#include <unistd.h>

namespace onepack {

// A power of two. The C library knows it from the start of the process: this asks no kernel.
inline size_t PageSize() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace onepack

#endif  // ONEPACK_BASE_PAGE_SIZE_H_
