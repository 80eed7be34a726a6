// A mutex that a forked child can go on with.
//
// A child has only the thread that forked. A mutex that another thread held then is never given
// back in it, and what that thread was changing stays half changed. So whoever forks takes all of
// these first, in both processes gives them back, and the child finds everything in order. Forking
// waits for as long as they are held.
//
// What other threads were waiting for, or had promised, is not undone: forks() says that they are
// not here.
//
// REQUIRES: while one is held no other is locked, made or deleted, and nothing is forked.
// Threads:  any.

#ifndef ONEPACK_WEIGHT_CACHE_FORK_SAFE_MUTEX_H_
#define ONEPACK_WEIGHT_CACHE_FORK_SAFE_MUTEX_H_

#include <stdint.h>

#include <condition_variable>
#include <mutex>

namespace onepack {

class ForkSafeMutex {
 public:
  // Throws std::bad_alloc when the system takes no more handlers for forks.
  ForkSafeMutex();
  ForkSafeMutex(const ForkSafeMutex&) = delete;
  ForkSafeMutex& operator=(const ForkSafeMutex&) = delete;
  ~ForkSafeMutex();

  // For std::lock_guard and std::unique_lock.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

  // Gives it back until somebody notifies, or for no reason. REQUIRES: `lock` holds this.
  void Wait(std::unique_lock<ForkSafeMutex>& lock);
  void NotifyAll() { changed_.notify_all(); }

  // By how many forks this process is away from the one that its oldest data are from: what a
  // thread noted with another number, that thread is not here.
  static uint32_t forks();

 private:
  static void RegisterHandlers();
  static void BeforeFork();
  static void AfterFork();
  static void AfterForkInChild();

  std::mutex mutex_;
  std::condition_variable changed_;
  // In a list of all that there are.
  ForkSafeMutex* next_ = nullptr;
  ForkSafeMutex* previous_ = nullptr;
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_FORK_SAFE_MUTEX_H_
