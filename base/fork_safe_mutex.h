// A mutex that a forked child can go on with.
//
// A child has only the thread that forked. A mutex that another thread held then is never released
// in it, and what that thread was changing stays half changed. So a thread that forks locks all of
// these first, and releases them in both processes: the child finds everything in order. Forking
// waits for as long as they are held. (Should the system have no memory to register that, a fork is
// as with any other mutex.)
//
// What other threads were waiting for, or had claimed, is not undone: forks() says that they are
// not here.
//
// REQUIRES: while one is held no other is locked, made or deleted, and nothing is forked.
// Threads:  any.

#ifndef ONEPACK_BASE_FORK_SAFE_MUTEX_H_
#define ONEPACK_BASE_FORK_SAFE_MUTEX_H_

#include <pthread.h>
#include <stdint.h>

#include <mutex>

namespace onepack {

class ForkSafeMutex {
 public:
  ForkSafeMutex();
  ForkSafeMutex(const ForkSafeMutex&) = delete;
  ForkSafeMutex& operator=(const ForkSafeMutex&) = delete;
  ~ForkSafeMutex();

  // For std::lock_guard and std::unique_lock.
  void lock() { pthread_mutex_lock(&mutex_); }
  void unlock() { pthread_mutex_unlock(&mutex_); }

  // Releases it until it is notified, or for no reason. REQUIRES: `lock` holds this.
  void Wait(std::unique_lock<ForkSafeMutex>& lock);
  void NotifyAll() { pthread_cond_broadcast(&changed_); }

  // By how many forks this process is away from the one that its oldest data are from: what a
  // thread noted with another number, that thread is not here.
  static uint32_t forks();

 private:
  static void BeforeFork();
  static void AfterFork();
  static void AfterForkInChild();

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed_ = PTHREAD_COND_INITIALIZER;
  // In a list of all that there are.
  ForkSafeMutex* next_ = nullptr;
  ForkSafeMutex* previous_ = nullptr;
};

}  // namespace onepack

#endif  // ONEPACK_BASE_FORK_SAFE_MUTEX_H_
