// An open file descriptor, closed with its owner.

#ifndef ONEPACK_BASE_FD_H_
#define ONEPACK_BASE_FD_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <optional>
#include <utility>

#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

class Fd {
 public:
  Fd(Fd&& other) noexcept : descriptor_(other.Release()) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd();

  // Read-only, close-on-exec. kNotFound names the path.
  static Result<Fd> OpenForReading(const char* path);

  // `flags` are open's; close-on-exec besides. What is made is its owner's alone (mode 0600).
  static Result<Fd> Open(const char* path, int flags);

  // An empty file in memory, which goes with its last descriptor and mapping. `name` is for those
  // who look at the process. Errors: kUnsupported where the system has none; kResourceExhausted.
  static Result<Fd> InMemory(const char* name);

  int get() const { return descriptor_; }
  // The caller's from here on.
  int Release() { return std::exchange(descriptor_, -1); }

 private:
  explicit Fd(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

// What the system says of an open descriptor, which stays the caller's. `name` is what messages
// call it. kInvalidArgument for a folder, a pipe, a device and what is not open.
Result<struct stat> StatRegularFile(int descriptor, const char* name);

// The bytes from `offset` on, however often a signal interrupts. A file that ends has fewer.
// nullopt, false: errno says why.
std::optional<size_t> ReadAt(int descriptor, uint64_t offset, Span<uint8_t> bytes);
bool WriteAt(int descriptor, uint64_t offset, Bytes bytes);

}  // namespace onepack

#endif  // ONEPACK_BASE_FD_H_
