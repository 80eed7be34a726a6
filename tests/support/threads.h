// Threads for tests: many at once, and points where they meet.

#ifndef ONEPACK_TESTS_SUPPORT_THREADS_H_
#define ONEPACK_TESTS_SUPPORT_THREADS_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace onepack {

// Calls work(0) ... work(count - 1), each in a thread of its own, and returns when all have.
inline void RunInThreads(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
  for (std::thread& thread : threads) thread.join();
}

// Waits for what another thread is about to do. A condition that never comes true ends in ctest's
// timeout.
inline void WaitUntil(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

// Nobody passes before `count` threads have arrived. May be used again.
class Barrier {
 public:
  explicit Barrier(int count) : count_(count) {}

  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    const int round = round_;
    if (++arrived_ == count_) {
      arrived_ = 0;
      ++round_;
      all_arrived_.notify_all();
      return;
    }
    all_arrived_.wait(lock, [&] { return round_ != round; });
  }

 private:
  const int count_;
  std::mutex mutex_;
  std::condition_variable all_arrived_;
  int arrived_ = 0;
  int round_ = 0;
};

// Runs `work` again and again in another thread while it lives.
class Busy {
 public:
  explicit Busy(std::function<void()> work)
      : thread_([this, work = std::move(work)] {
          while (!is_over_) work();
        }) {}
  ~Busy() {
    is_over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_THREADS_H_
