// Counts the weights of one load as they are served and tells the application, always in the thread
// that loads, however many threads serve. Each weight is reported once: bytes run up to what was
// expected.
//
// The threads are made for a step of the load and end with it. The application's pthreadpool would
// serve one caller at a time: a program that runs on it would wait for the whole load. And making
// such a pool for the load never returns where the system grants fewer threads than it wants.
//
// Threads: Served from any; everything else from the one that made it.
// Errors:  kCancelled, from the first call on after the application said so.

#ifndef ONEPACK_DELEGATE_PACKING_LOAD_REPORTER_H_
#define ONEPACK_DELEGATE_PACKING_LOAD_REPORTER_H_

#include <stdint.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "onepack/load_progress.h"
#include "onepack/status.h"

namespace onepack {

class LoadReporter {
 public:
  // `on_progress` may be empty. Both outlive this.
  LoadReporter(const ProgressCallback& on_progress, const char* program, uint64_t expected_bytes)
      : on_progress_(on_progress), progress_{program, 0, expected_bytes} {}

  // `raw_bytes` of weights were packed or found. In another thread than the one that loads, that is
  // reported by RunWorkers. May throw std::bad_alloc.
  Status Served(uint64_t raw_bytes);

  // Calls `work`, which must not throw, with 0, 1, 2 and so on, each in a thread of its own,
  // reports what they serve, and returns when all are done: how many there were. At most `threads`;
  // fewer, or none, where the system has no more. May throw std::bad_alloc, when no worker runs.
  size_t RunWorkers(size_t threads, const std::function<void(size_t worker)>& work);

  // Whether the application wants to be told.
  bool has_listener() const { return static_cast<bool>(on_progress_); }
  bool is_cancelled() const;
  Status CheckNotCancelled() const { return is_cancelled() ? Cancelled() : Status::Ok(); }

 private:
  // Reports what other threads serve until so many of them are done.
  void ReportOthers(size_t threads);
  void OtherIsDone();
  Status Report(uint64_t raw_bytes);
  // Asks the application's callback, if there is one.
  bool WantsToGoOn() const noexcept;
  Status Cancelled() const;

  const std::thread::id loading_thread_ = std::this_thread::get_id();
  const ProgressCallback& on_progress_;
  // Of the loading thread.
  LoadProgress progress_;

  mutable std::mutex mutex_;  // leaf lock, and not held while the application is told
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::vector<uint64_t> served_by_others_;
  size_t others_done_ = 0;
  bool is_cancelled_ = false;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_LOAD_REPORTER_H_
