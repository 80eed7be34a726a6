// Who is in an object that belongs to one thread at a time.

#ifndef ONEPACK_PYTHON_BINDINGS_TURN_H_
#define ONEPACK_PYTHON_BINDINGS_TURN_H_

#include <nanobind/nanobind.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "python/bindings/cancel_flag.h"
#include "python/bindings/errors.h"

namespace onepack::python {

// Threads: all of it is called with the GIL, which is released to wait.
class Turn {
 public:
  // The turn of the calling thread, as long as it lives. Another thread, and a callback of this
  // one, is told kFailedPrecondition. But an answer that was cancelled and that no application's
  // code is part of is waited for: it ends after one call of the model, and whoever leaves a loop
  // over its tokens has no other way to know when.
  class Claim {
   public:
    // `answer`: what ends the answer that is made in this turn; null for another use. Outlives it.
    Claim(Turn& turn, const char* what, const CancelFlag* answer = nullptr) : turn_(turn) {
      turn_.Take(what, answer);
    }
    ~Claim() {
      {
        const std::lock_guard<std::mutex> lock(turn_.mutex_);
        turn_.owner_ = std::thread::id();
        turn_.answer_ = nullptr;
      }
      turn_.is_free_.notify_all();
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

   private:
    Turn& turn_;
  };

  // For what callbacks may look at, and other threads may not.
  void AwaitOursOrFree(const char* what) {
    for (;;) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (owner_ == std::thread::id() || owner_ == std::this_thread::get_id()) return;
        RefuseUnlessItEnds(what);
      }
      Wait();
    }
  }

 private:
  void Take(const char* what, const CancelFlag* answer) {
    for (;;) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (owner_ == std::thread::id()) {
          owner_ = std::this_thread::get_id();
          answer_ = answer;
          return;
        }
        RefuseUnlessItEnds(what);
      }
      Wait();
    }
  }

  // With the mutex.
  void RefuseUnlessItEnds(const char* what) const {
    const bool is_ours = owner_ == std::this_thread::get_id();
    if (!is_ours && answer_ != nullptr && answer_->is_in_background() && answer_->is_set()) return;
    throw StatusException(
        Status::Error(StatusCode::kFailedPrecondition, "the %s is in use by another call", what));
  }

  void Wait() {
    const nanobind::gil_scoped_release release;
    std::unique_lock<std::mutex> lock(mutex_);
    is_free_.wait(lock, [this] { return owner_ == std::thread::id(); });
  }

  std::mutex mutex_;
  std::condition_variable is_free_;
  std::thread::id owner_;               // guarded by mutex_; default: nobody
  const CancelFlag* answer_ = nullptr;  // guarded by mutex_
};

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_TURN_H_
