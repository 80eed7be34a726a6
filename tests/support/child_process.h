// What happens in a process that is forked off.

#ifndef ONEPACK_TESTS_SUPPORT_CHILD_PROCESS_H_
#define ONEPACK_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace onepack {

// 0 when `succeeds` returned true in a child, and 1 when it returned false; the negated number of
// the signal that ended it, SIGALRM if it took longer than `seconds`. Nothing is destroyed at the
// child's end.
inline int ExitStatusOfChild(const std::function<bool()>& succeeds, unsigned seconds = 30) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(seconds);
    _exit(succeeds() ? 0 : 1);
  }
  int status = -1;
  if (child < 0 || waitpid(child, &status, 0) != child) return 2;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_CHILD_PROCESS_H_
