#include "weight_cache/fork_safe_mutex.h"

#include <pthread.h>

#include <atomic>
#include <new>

namespace onepack {
namespace {

// Neither is ever destroyed: mutexes may outlive any object with static storage.
std::mutex list_mutex;
ForkSafeMutex* first = nullptr;  // guarded by list_mutex

std::atomic<uint32_t> fork_count{0};

}  // namespace

ForkSafeMutex::ForkSafeMutex() {
  RegisterHandlers();
  const std::lock_guard<std::mutex> lock(list_mutex);
  next_ = first;
  if (next_ != nullptr) next_->previous_ = this;
  first = this;
}

ForkSafeMutex::~ForkSafeMutex() {
  const std::lock_guard<std::mutex> lock(list_mutex);
  (previous_ != nullptr ? previous_->next_ : first) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

void ForkSafeMutex::Wait(std::unique_lock<ForkSafeMutex>&) {
  std::unique_lock<std::mutex> held(mutex_, std::adopt_lock);
  changed_.wait(held);
  held.release();
}

uint32_t ForkSafeMutex::forks() { return fork_count.load(std::memory_order_relaxed); }

void ForkSafeMutex::RegisterHandlers() {
  static const int error = pthread_atfork(BeforeFork, AfterFork, AfterForkInChild);
  if (error != 0) throw std::bad_alloc();
}

void ForkSafeMutex::BeforeFork() {
  list_mutex.lock();
  for (ForkSafeMutex* mutex = first; mutex != nullptr; mutex = mutex->next_) mutex->lock();
}

void ForkSafeMutex::AfterFork() {
  for (ForkSafeMutex* mutex = first; mutex != nullptr; mutex = mutex->next_) mutex->unlock();
  list_mutex.unlock();
}

void ForkSafeMutex::AfterForkInChild() {
  fork_count.fetch_add(1, std::memory_order_relaxed);
  // Those who wait are not here, and their condition must not wait for them, not even to be
  // destroyed: another one takes its place.
  for (ForkSafeMutex* mutex = first; mutex != nullptr; mutex = mutex->next_) {
    new (&mutex->changed_) std::condition_variable();
  }
  AfterFork();
}

}  // namespace onepack
