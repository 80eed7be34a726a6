#include "base/fork_safe_mutex.h"

#include <atomic>

namespace onepack {
namespace {

// Neither is ever destroyed: mutexes may outlive any object with static storage.
pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
ForkSafeMutex* first = nullptr;  // guarded by list_mutex

std::atomic<uint32_t> fork_count{0};

}  // namespace

ForkSafeMutex::ForkSafeMutex() {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, [] { pthread_atfork(BeforeFork, AfterFork, AfterForkInChild); });
  pthread_mutex_lock(&list_mutex);
  next_ = first;
  if (next_ != nullptr) next_->previous_ = this;
  first = this;
  pthread_mutex_unlock(&list_mutex);
}

ForkSafeMutex::~ForkSafeMutex() {
  pthread_mutex_lock(&list_mutex);
  (previous_ != nullptr ? previous_->next_ : first) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  pthread_mutex_unlock(&list_mutex);
  pthread_cond_destroy(&changed_);
  pthread_mutex_destroy(&mutex_);
}

void ForkSafeMutex::Wait(std::unique_lock<ForkSafeMutex>&) {
  pthread_cond_wait(&changed_, &mutex_);
}

uint32_t ForkSafeMutex::forks() { return fork_count.load(std::memory_order_relaxed); }

void ForkSafeMutex::BeforeFork() {
  pthread_mutex_lock(&list_mutex);
  for (ForkSafeMutex* mutex = first; mutex != nullptr; mutex = mutex->next_) mutex->lock();
}

void ForkSafeMutex::AfterFork() {
  for (ForkSafeMutex* mutex = first; mutex != nullptr; mutex = mutex->next_) mutex->unlock();
  pthread_mutex_unlock(&list_mutex);
}

void ForkSafeMutex::AfterForkInChild() {
  fork_count.fetch_add(1, std::memory_order_relaxed);
  // Threads that wait are not here, and their condition must not wait for them, not even to be
  // destroyed: another one takes its place.
  for (ForkSafeMutex* mutex = first; mutex != nullptr; mutex = mutex->next_) {
    pthread_cond_init(&mutex->changed_, nullptr);
  }
  AfterFork();
}

}  // namespace onepack
