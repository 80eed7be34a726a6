#include "delegate/xnn/ones.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/fd.h"

namespace onepack {
namespace {

// What is mapped again and again: whole pages of any size, few mappings, and little enough to stay
// in a core's caches.
constexpr size_t kBlockBytes = size_t{128} * 1024;

// So many are as fast filled in as mapped.
constexpr size_t kFewBytes = size_t{16} * 1024;

template <typename T>
constexpr T kOne = T{1};
template <>
constexpr uint16_t kOne<uint16_t> = 0x3f80;

// A file of one block in memory, open as long as the process lives; -1 where the system has none.
template <typename T>
int MakeBlockFile() {
  auto file = Fd::InMemory("ones");
  if (!file.ok()) return -1;
  const std::vector<T> ones(kBlockBytes / sizeof(T), kOne<T>);
  const ssize_t written = write(file->get(), ones.data(), kBlockBytes);
  return written == static_cast<ssize_t>(kBlockBytes) ? file->Release() : -1;
}

template <typename T>
int BlockFile() {
  static const int file = MakeBlockFile<T>();
  return file;
}

// Null when there is no address space, or no mapping, left.
void* MapRepeatedly(int file, size_t bytes) {
  void* window = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (window == MAP_FAILED) return nullptr;
  for (size_t offset = 0; offset < bytes; offset += kBlockBytes) {
    void* block =
        mmap(static_cast<uint8_t*>(window) + offset, std::min(kBlockBytes, bytes - offset),
             PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file, 0);
    if (block != MAP_FAILED) continue;
    munmap(window, bytes);
    return nullptr;
  }
  return window;
}

}  // namespace

template <typename T>
Ones<T>::Ones(size_t count) : count_(count) {
  const size_t bytes = count * sizeof(T);
  if (bytes > kFewBytes && BlockFile<T>() >= 0) {
    window_ = static_cast<const T*>(MapRepeatedly(BlockFile<T>(), bytes));
  }
  if (window_ == nullptr) few_.assign(count, kOne<T>);
}

template <typename T>
Ones<T>::Ones(Ones&& other) noexcept
    : few_(std::move(other.few_)),
      window_(std::exchange(other.window_, nullptr)),
      count_(std::exchange(other.count_, 0)) {}

template <typename T>
Ones<T>::~Ones() {
  if (window_ != nullptr) munmap(const_cast<T*>(window_), count_ * sizeof(T));
}

template class Ones<float>;
template class Ones<uint16_t>;

}  // namespace onepack
