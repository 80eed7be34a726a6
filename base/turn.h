// The right to use what belongs to one caller at a time, without waiting: a concurrent or
// nested claim, from another thread or from a callback of the owner, fails.

#ifndef ONEPACK_BASE_TURN_H_
#define ONEPACK_BASE_TURN_H_

#include <atomic>

namespace onepack {

// Taken, if it was free, as long as this lives.
class Turn {
 public:
  explicit Turn(std::atomic<bool>& is_taken)
      : is_taken_(is_taken), is_ours_(!is_taken.exchange(true, std::memory_order_acquire)) {}
  ~Turn() {
    if (is_ours_) is_taken_.store(false, std::memory_order_release);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  bool is_ours() const { return is_ours_; }

 private:
  std::atomic<bool>& is_taken_;
  const bool is_ours_;
};

}  // namespace onepack

#endif  // ONEPACK_BASE_TURN_H_
