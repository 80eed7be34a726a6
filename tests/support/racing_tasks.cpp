// Two tasks of one call that write the same number, one after the other and in two threads, with
// nothing that orders them: the thread sanitizer has to find that, with watched_pthreadpool.cpp
// between.

#include <pthreadpool.h>
#include <stddef.h>

#include <atomic>

namespace {

struct Work {
  std::atomic<size_t> started{0};
  std::atomic<bool> is_written{false};
  int number = 0;
};

// Relaxed: seen by the other thread, and no order to the sanitizer.
void Write(void* context, size_t index) {
  auto& work = *static_cast<Work*>(context);
  work.started.fetch_add(1, std::memory_order_relaxed);
  while (work.started.load(std::memory_order_relaxed) < 2) {
  }
  while (index == 1 && !work.is_written.load(std::memory_order_relaxed)) {
  }
  ++work.number;
  work.is_written.store(true, std::memory_order_relaxed);
}

}  // namespace

int main() {
  pthreadpool* const pool = pthreadpool_create(2);
  Work work;
  pthreadpool_parallelize_1d(pool, Write, &work, 2, 0);
  pthreadpool_destroy(pool);
  return work.number == 2 ? 0 : 1;
}
