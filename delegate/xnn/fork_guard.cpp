#include "delegate/xnn/fork_guard.h"

#include <pthread.h>

#include "base/fork_safe_mutex.h"
#include "delegate/xnn/quirks.h"

namespace onepack {
namespace {

// Held shared by calls and alone by a fork. Never destroyed.
pthread_rwlock_t calls;

void InitializeLock() {
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  // Else a fork would wait for as long as calls overlap.
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&calls, &attributes);
  pthread_rwlockattr_destroy(&attributes);
}

void Initialize() {
  InitializeLock();
  // What is registered last comes first before a fork. A call may lock such mutexes, so calls have
  // to be over before they are locked.
  const ForkSafeMutex registers_its_own;
  pthread_atfork([] { pthread_rwlock_wrlock(&calls); }, [] { pthread_rwlock_unlock(&calls); },
                 InitializeLock);
}

}  // namespace

XnnCall::XnnCall() {
  if constexpr (!kLocksWhenTilesAreChosen) return;
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, Initialize);
  pthread_rwlock_rdlock(&calls);
}

XnnCall::~XnnCall() {
  if constexpr (kLocksWhenTilesAreChosen) pthread_rwlock_unlock(&calls);
}

}  // namespace onepack
