#include "examples/demo/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace onepack {
namespace {

constexpr char kThisProgram[] = "/proc/self/exe";

Result<pid_t> Spawn(const std::vector<std::string>& arguments, int output) {
  std::vector<char*> argv{const_cast<char*>(kThisProgram)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t child = 0;
  const int error = posix_spawn(&child, kThisProgram, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return PosixError(kThisProgram, error);
  return child;
}

std::string ReadToEnd(int descriptor) {
  std::string text;
  char piece[4096];
  for (;;) {
    const ssize_t size = read(descriptor, piece, sizeof(piece));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(piece, static_cast<size_t>(size));
  }
}

Status WaitFor(pid_t child) {
  int state = 0;
  while (waitpid(child, &state, 0) < 0) {
    if (errno != EINTR) return PosixError("waiting for a measurement", errno);
  }
  if (WIFSIGNALED(state)) {
    return Status::Error(StatusCode::kInternal, "a measurement was ended by signal %d (%s)",
                         WTERMSIG(state), strsignal(WTERMSIG(state)));
  }
  if (WEXITSTATUS(state) == 0) return Status::Ok();
  return Status::Error(StatusCode::kInternal, "a measurement ended with status %d",
                       WEXITSTATUS(state));
}

}  // namespace

Result<std::string> RunThisProgram(const std::vector<std::string>& arguments) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return PosixError("pipe", errno);
  auto child = Spawn(arguments, ends[1]);
  close(ends[1]);
  if (!child.ok()) {
    close(ends[0]);
    return child.TakeStatus();
  }
  std::string output = ReadToEnd(ends[0]);
  close(ends[0]);
  ONEPACK_RETURN_IF_ERROR(WaitFor(*child));
  return output;
}

}  // namespace onepack
