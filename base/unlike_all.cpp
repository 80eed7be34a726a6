// Digests that equal no other one, in this process or in another: should one get into a file where
// a SHA-256 belongs, it must not be found there by a process that counts in the same way.

#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "base/digest.h"

namespace onepack {
namespace {

struct Random {
  uint64_t start;    // of the numbers: so no file can know how they hash
  uint64_t process;  // a forked child has another one
};
// Written before there are other threads that read it.
Random random_numbers;

void Draw(void* bytes, size_t size) {
  // The C library of Android 8 has no function for it. It fails on kernels before 3.17 and where it
  // is forbidden: there the time and the process differ, at least.
  if (syscall(SYS_getrandom, bytes, size, 0) == static_cast<long>(size)) return;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t number =
      (static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec)) ^
      static_cast<uint64_t>(getpid()) << 40;
  for (size_t i = 0; i < size; i += sizeof(number)) {
    memcpy(static_cast<uint8_t*>(bytes) + i, &number, sizeof(number));
  }
}

void DrawFirst() {
  Draw(&random_numbers, sizeof(random_numbers));
  pthread_atfork(nullptr, nullptr,
                 [] { Draw(&random_numbers.process, sizeof(random_numbers.process)); });
}

}  // namespace

// A number that this process and those it was forked from have not had, one of the process, and
// zeros, which no SHA-256 ends with.
Digest Digest::UnlikeAll() {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, DrawFirst);
  static std::atomic<uint64_t> count{0};
  // Odd: different counts, different products. And bits that are of use to a hash table.
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
  const uint64_t number = random_numbers.start + ++count * kStep;
  Digest digest;
  memcpy(digest.bytes.data(), &number, sizeof(number));
  memcpy(digest.bytes.data() + sizeof(number), &random_numbers.process, sizeof(uint64_t));
  return digest;
}

}  // namespace onepack
