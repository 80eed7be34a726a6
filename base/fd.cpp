#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace onepack {

Fd::~Fd() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<Fd> Fd::OpenForReading(const char* path) {
  // A path may lead to a pipe without a writer, or to a terminal: open must neither wait nor make
  // the terminal the process's own. For files the flags change nothing.
  return Open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

Result<Fd> Fd::Open(const char* path, int flags) {
  int descriptor;
  do {
    descriptor = open(path, flags | O_CLOEXEC, S_IRUSR | S_IWUSR);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) return PosixError(path, errno);
  return Fd(descriptor);
}

Result<Fd> Fd::InMemory(const char* name) {
  // By number: the C libraries of older Androids do not have the function.
  constexpr unsigned kCloseOnExec = 1;
  constexpr unsigned kCanBeSealed = 2;
  constexpr unsigned kIsNoProgram = 8;
  constexpr unsigned kFlags = kCloseOnExec | kCanBeSealed;
  // Some systems allow no file in memory that could be run (vm.memfd_noexec); those before Linux
  // 6.3 do not know the flag.
  auto descriptor = static_cast<int>(syscall(SYS_memfd_create, name, kFlags | kIsNoProgram));
  if (descriptor < 0 && errno == EINVAL) {
    descriptor = static_cast<int>(syscall(SYS_memfd_create, name, kFlags));
  }
  if (descriptor >= 0) return Fd(descriptor);
  const bool is_refused = errno == ENOSYS || errno == EPERM || errno == EACCES;
  return Status::Error(is_refused ? StatusCode::kUnsupported : StatusCode::kResourceExhausted,
                       "no file in memory: %s", PosixError(name, errno).message());
}

Result<struct stat> StatRegularFile(int descriptor, const char* name) {
  struct stat info;
  if (fstat(descriptor, &info) != 0) {
    if (errno != EBADF) return PosixError(name, errno);
    return Status::Error(StatusCode::kInvalidArgument, "%s: descriptor %d is not open", name,
                         descriptor);
  }
  if (S_ISREG(info.st_mode)) return info;
  return Status::Error(StatusCode::kInvalidArgument, "%s: not a regular file", name);
}

std::optional<size_t> ReadAt(int descriptor, uint64_t offset, Span<uint8_t> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = pread(descriptor, bytes.data() + done, bytes.size() - done,
                                static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

bool WriteAt(int descriptor, uint64_t offset, Bytes bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = pwrite(descriptor, bytes.data() + done, bytes.size() - done,
                                 static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

}  // namespace onepack
