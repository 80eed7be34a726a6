#include "tools/progress.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <utility>

#include "tools/format.h"

namespace onepack {
namespace {

constexpr std::chrono::milliseconds kFirst{1000};
constexpr std::chrono::milliseconds kNext{200};
constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP};

volatile sig_atomic_t is_stopped = 0;

void SetStopAction(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  for (const int signal : kStopSignals) sigaction(signal, &action, nullptr);
}

}  // namespace

Progress::Progress(std::string what)
    : what_(std::move(what)),
      is_terminal_(isatty(STDERR_FILENO) != 0),
      next_(Clock::now() + kFirst) {
  is_stopped = 0;
  SetStopAction([](int) { is_stopped = 1; });
  // A file that may not grow is an error like any other, not the end of the process.
  signal(SIGXFSZ, SIG_IGN);
}

Progress::~Progress() {
  if (has_line_) fputs("\r\033[K", stderr);
  SetStopAction(SIG_DFL);
}

Status Progress::Add(uint64_t bytes) {
  if (is_stopped != 0) return Status::Error(StatusCode::kCancelled, "interrupted");
  done_ += bytes;
  if (!is_terminal_ || Clock::now() < next_) return Status::Ok();
  next_ = Clock::now() + kNext;
  has_line_ = true;
  fprintf(stderr, "\r\033[K%s: %s", what_.c_str(), FormatBytes(done_).c_str());
  return Status::Ok();
}

}  // namespace onepack
