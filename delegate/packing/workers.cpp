#include "delegate/packing/workers.h"

#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace onepack {
namespace {

// False when the system has no thread, or no memory, for one more.
template <typename Work>
bool Start(std::vector<std::thread>& workers, Work work) try {
  workers.emplace_back(work);
  return true;
} catch (const std::system_error&) {
  return false;
} catch (const std::bad_alloc&) {
  return false;
}

}  // namespace

size_t RunWorkers(size_t threads, LoadReporter& reporter,
                  const std::function<void(size_t worker)>& work) {
  std::vector<std::thread> workers;
  workers.reserve(threads);
  for (size_t i = 0; i < threads; ++i) {
    const bool is_started = Start(workers, [&work, &reporter, i] {
      work(i);
      reporter.OtherIsDone();
    });
    if (!is_started) break;
  }
  reporter.ReportOthers(workers.size());
  for (std::thread& worker : workers) worker.join();
  return workers.size();
}

}  // namespace onepack
