// Tells a person at a terminal how far something that takes longer than a second has got, and ends
// it when they press Ctrl-C, so that it can tidy up.
//
// Ownership: one at a time in a process; the line it wrote is gone with it.
// Threads:   that which made it.

#ifndef ONEPACK_TOOLS_PROGRESS_H_
#define ONEPACK_TOOLS_PROGRESS_H_

#include <stdint.h>

#include <chrono>
#include <functional>
#include <string>

#include "onepack/status.h"

namespace onepack {

class Progress {
 public:
  // `what` is said in front: "split: 1.20 GB".
  explicit Progress(std::string what);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  // More bytes are done. Errors: kCancelled after Ctrl-C.
  Status Add(uint64_t bytes);
  // The same as a function; refers to this.
  std::function<Status(uint64_t)> Watcher() {
    return [this](uint64_t bytes) { return Add(bytes); };
  }

 private:
  using Clock = std::chrono::steady_clock;

  const std::string what_;
  const bool is_terminal_;
  uint64_t done_ = 0;
  Clock::time_point next_;
  bool has_line_ = false;
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_PROGRESS_H_
