#include "bench/peer/busy_cores.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace onepack::bench {
namespace {

[[noreturn]] void Spin(int core, pid_t parent) {
  // Gone with the parent, however it ends.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  sched_setaffinity(0, sizeof(cores), &cores);
  for (volatile unsigned count = 0;;) count = count + 1;
}

}  // namespace

BusyCores::BusyCores() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof(cores), &cores) != 0) {
    throw std::runtime_error("cannot tell which cores there are");
  }
  const pid_t parent = getpid();
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &cores)) continue;
    const pid_t process = fork();
    if (process == 0) Spin(core, parent);
    if (process > 0) processes_.push_back(process);
  }
  if (processes_.empty()) throw std::runtime_error("cannot start a process");
}

BusyCores::~BusyCores() {
  for (const pid_t process : processes_) kill(process, SIGKILL);
  for (const pid_t process : processes_) waitpid(process, nullptr, 0);
}

}  // namespace onepack::bench
