// Who is in an object that belongs to one thread at a time.

#ifndef ONEPACK_PYTHON_BINDINGS_TURN_H_
#define ONEPACK_PYTHON_BINDINGS_TURN_H_

#include <atomic>
#include <thread>

#include "python/bindings/errors.h"

namespace onepack::python {

class Turn {
 public:
  // The turn of the calling thread, as long as it lives. Another thread, and a callback of this
  // one, is told kFailedPrecondition.
  class Claim {
   public:
    Claim(Turn& turn, const char* what) : turn_(turn) {
      std::thread::id nobody;
      if (turn_.owner_.compare_exchange_strong(nobody, std::this_thread::get_id())) return;
      Refuse(what);
    }
    ~Claim() { turn_.owner_.store(std::thread::id()); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

   private:
    Turn& turn_;
  };

  // For what callbacks may look at, and other threads may not.
  void CheckIsOursOrFree(const char* what) const {
    const std::thread::id owner = owner_.load();
    if (owner != std::thread::id() && owner != std::this_thread::get_id()) Refuse(what);
  }

 private:
  [[noreturn]] static void Refuse(const char* what) {
    throw StatusException(
        Status::Error(StatusCode::kFailedPrecondition, "the %s is in use by another call", what));
  }

  std::atomic<std::thread::id> owner_{};  // default: nobody
};

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_TURN_H_
