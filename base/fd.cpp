#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace onepack {

Fd::~Fd() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<Fd> Fd::OpenForReading(const char* path) {
  int descriptor;
  do {
    // A path may lead to a pipe that nobody writes to, or to a terminal: neither waits, nor becomes
    // the process's own. Of a file, reads are as ever.
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) return PosixError(path, errno);
  return Fd(descriptor);
}

}  // namespace onepack
