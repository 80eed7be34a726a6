#include "delegate/packing/load_reporter.h"

namespace onepack {

Status LoadReporter::Served(uint64_t raw_bytes) {
  if (std::this_thread::get_id() != loading_thread_) {
    const std::lock_guard<std::mutex> lock(mutex_);
    served_by_others_.push_back(raw_bytes);
    changed_.notify_one();
    return Status::Ok();
  }
  return Report(raw_bytes);
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

// XNNPACK may stand between the callback and us: nothing must be thrown through it.
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
