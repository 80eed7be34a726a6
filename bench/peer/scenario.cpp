#include "bench/peer/scenario.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "tools/memory_usage.h"

namespace onepack::bench {

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double Median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers[numbers.size() / 2];
}

void Forget(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::runtime_error("cannot open " + path);
  fdatasync(file);
  posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  close(file);
}

Json MemoryNow() {
  const auto peak_bytes = [] {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  };
  auto usage = CurrentMemoryUsage();
  if (!usage.ok()) throw std::runtime_error(usage.status().message());
  return {{"anonymous_bytes", usage->anonymous_bytes},
          {"file_bytes", usage->file_backed_bytes},
          {"proportional_bytes", usage->proportional_bytes},
          {"peak_bytes", peak_bytes()}};
}

}  // namespace onepack::bench
