#include "tools/standard_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <initializer_list>

namespace onepack {
namespace {

constexpr char kName[] = "standard output";

// `failed_now`: with an errno. What failed before has left no reason.
Status Outcome(bool failed_now, bool failed_before) {
  if (failed_now) return PosixError(kName, errno);
  if (!failed_before) return Status::Ok();
  return Status::Error(StatusCode::kIoError, "%s: not all of it could be written", kName);
}

}  // namespace

void ReserveStandardStreams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // Takes the lowest number that is free. What is open for reading only takes no output; a
    // lost message cannot be reported.
    const int flags = descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", flags) < 0) return;
  }
}

Status CheckStandardOutput() {
  const bool failed_before = ferror(stdout) != 0;
  const bool failed_now = fflush(stdout) != 0;
  return Outcome(failed_now, failed_before);
}

Status CloseStandardOutput() {
  const bool failed_before = ferror(stdout) != 0;
  const bool failed_now = fclose(stdout) != 0;
  return Outcome(failed_now, failed_before);
}

int Fail(const char* program, std::string message, int exit_status) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  fflush(stdout);
  fprintf(stderr, "%s: %s\n", program, message.c_str());
  return exit_status;
}

int RunMain(const char* program, const std::function<int()>& run) {
  ReserveStandardStreams();
  int exit_status = 0;
  // Our own code throws nothing; the libraries of the command line, of JSON and of files may.
  try {
    exit_status = run();
  } catch (const std::exception& error) {
    exit_status = Fail(program, error.what(), 1);
  }
  const Status output = CloseStandardOutput();
  if (output.ok()) return exit_status;
  return Fail(program, output.message(), exit_status != 0 ? exit_status : 1);
}

}  // namespace onepack
