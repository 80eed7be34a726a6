// A process in an endless loop on each core, until the object goes.

#ifndef ONEPACK_BENCH_PEER_BUSY_CORES_H_
#define ONEPACK_BENCH_PEER_BUSY_CORES_H_

#include <sys/types.h>

#include <vector>

namespace onepack::bench {

class BusyCores {
 public:
  // Throws std::runtime_error.
  BusyCores();
  ~BusyCores();
  BusyCores(const BusyCores&) = delete;
  BusyCores& operator=(const BusyCores&) = delete;

 private:
  std::vector<pid_t> processes_;
};

}  // namespace onepack::bench

#endif  // ONEPACK_BENCH_PEER_BUSY_CORES_H_
