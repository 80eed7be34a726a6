// The clock that the command reads, and how long something took by it.

#ifndef ONEPACK_TOOLS_SECONDS_SINCE_H_
#define ONEPACK_TOOLS_SECONDS_SINCE_H_

#include <chrono>

namespace onepack {

using Clock = std::chrono::steady_clock;

inline double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace onepack

#endif  // ONEPACK_TOOLS_SECONDS_SINCE_H_
