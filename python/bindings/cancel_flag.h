// What ends a generation, from any thread.

#ifndef ONEPACK_PYTHON_BINDINGS_CANCEL_FLAG_H_
#define ONEPACK_PYTHON_BINDINGS_CANCEL_FLAG_H_

#include <atomic>

namespace onepack::python {

class CancelFlag {
 public:
  void Set() { is_set_.store(true, std::memory_order_relaxed); }
  bool is_set() const { return is_set_.load(std::memory_order_relaxed); }

  // Whether a thread of our own makes the answer, which calls nothing of the application's.
  void set_is_in_background(bool is) { is_in_background_.store(is, std::memory_order_relaxed); }
  bool is_in_background() const { return is_in_background_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> is_set_{false};
  std::atomic<bool> is_in_background_{false};
};

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_CANCEL_FLAG_H_
