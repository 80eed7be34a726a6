#include "delegate/packing/load_reporter.h"

#include <new>
#include <system_error>

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

Status LoadReporter::Served(uint64_t raw_bytes) {
  if (std::this_thread::get_id() != loading_thread_) {
    const std::lock_guard<std::mutex> lock(mutex_);
    served_by_others_.push_back(raw_bytes);
    changed_.notify_one();
    return Status::Ok();
  }
  return Report(raw_bytes);
}

size_t LoadReporter::RunWorkers(size_t threads, const std::function<void(size_t worker)>& work) {
  std::vector<std::thread> workers;
  workers.reserve(threads);
  for (size_t i = 0; i < threads; ++i) {
    const bool is_started = Start(workers, [this, &work, i] {
      work(i);
      OtherIsDone();
    });
    if (!is_started) break;
  }
  ReportOthers(workers.size());
  for (std::thread& worker : workers) worker.join();
  return workers.size();
}

void LoadReporter::ReportOthers(size_t threads) {
  for (;;) {
    std::vector<uint64_t> served;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return !served_by_others_.empty() || others_done_ == threads; });
      served.swap(served_by_others_);
      if (served.empty()) {
        others_done_ = 0;  // for the next ones
        return;
      }
    }
    // The workers see that it is cancelled.
    for (const uint64_t raw_bytes : served) static_cast<void>(Report(raw_bytes));
  }
}

void LoadReporter::OtherIsDone() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++others_done_;
  changed_.notify_one();
}

bool LoadReporter::is_cancelled() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return is_cancelled_;
}

Status LoadReporter::Report(uint64_t raw_bytes) {
  ONEPACK_RETURN_IF_ERROR(CheckNotCancelled());
  progress_.served_bytes += raw_bytes;
  if (WantsToGoOn()) return Status::Ok();
  const std::lock_guard<std::mutex> lock(mutex_);
  is_cancelled_ = true;
  return Cancelled();
}

// What the application throws must not pass through a library of threads.
bool LoadReporter::WantsToGoOn() const noexcept try {
  return !on_progress_ || on_progress_(progress_);
} catch (...) {
  return false;
}

Status LoadReporter::Cancelled() const {
  return Status::Error(StatusCode::kCancelled, "cancelled after %llu of %llu bytes of weights",
                       static_cast<unsigned long long>(progress_.served_bytes),
                       static_cast<unsigned long long>(progress_.expected_bytes));
}

}  // namespace onepack
