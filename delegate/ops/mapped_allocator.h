// Memory for what is large and lives only while a graph is loaded.
//
// malloc keeps what it gets back: once it has freed one large block, it takes the next from its
// heap, and that heap then stays as large. A mapping goes back to the system. Small sizes are
// malloc's.

#ifndef ONEPACK_DELEGATE_OPS_MAPPED_ALLOCATOR_H_
#define ONEPACK_DELEGATE_OPS_MAPPED_ALLOCATOR_H_

#include <stddef.h>
#include <sys/mman.h>

#include <new>

namespace onepack {

// For containers of the standard library.
template <typename T>
struct MappedAllocator {
  using value_type = T;

  MappedAllocator() = default;
  template <typename U>
  MappedAllocator(const MappedAllocator<U>&) {}  // NOLINT(google-explicit-constructor)

  T* allocate(size_t count) {
    if (count > PTRDIFF_MAX / sizeof(T)) throw std::bad_array_new_length();
    if (!IsMapped(count)) return static_cast<T*>(::operator new(count * sizeof(T)));
    void* memory = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t count) {
    if (IsMapped(count)) {
      munmap(memory, count * sizeof(T));
    } else {
      ::operator delete(memory);
    }
  }

  bool operator==(const MappedAllocator&) const { return true; }
  bool operator!=(const MappedAllocator&) const { return false; }

 private:
  static bool IsMapped(size_t count) { return count * sizeof(T) >= 128 * 1024; }
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_MAPPED_ALLOCATOR_H_
