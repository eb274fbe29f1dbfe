// SPDX-License-Identifier: BSD-3-Clause

#include "processes.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace soak {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error{errno, std::generic_category(), what};
}

// Between fork and exec of a process with threads: system calls only.
[[noreturn]] void become(char* const* argv, int network_namespace, pid_t parent) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  bool is_ready =
    ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent
    && (network_namespace == no_namespace || ::setns(network_namespace, CLONE_NEWNET) == 0);
  if (is_ready) ::execvp(argv[0], argv);
  ::_exit(127);
}

} // namespace

pid_t start_process(const std::vector<std::string>& arguments, int network_namespace) {
  std::vector<char*> argv;
  for (const auto& x : arguments) argv.push_back(const_cast<char*>(x.c_str())); // exec's signature
  argv.push_back(nullptr);
  auto parent = ::getpid();
  auto child = ::fork();
  if (child < 0) fail("cannot fork");
  if (child == 0) become(argv.data(), network_namespace, parent);
  return child;
}

void send_signal(pid_t to, int signal) {
  if (::kill(to, signal) != 0) fail("cannot send a signal");
}

int wait_for_end(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) fail("cannot wait for a child");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool has_ended(pid_t child) {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    fail("cannot ask for a child");
  return info.si_pid == child;
}

sigset_t block_terminate() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  if (auto error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0)
    throw std::system_error{error, std::generic_category(), "cannot block SIGTERM"};
  return set;
}

void run_program(const std::vector<std::string>& arguments, int network_namespace) {
  auto status = wait_for_end(start_process(arguments, network_namespace));
  if (status == 0) return;
  std::string line;
  for (const auto& x : arguments) line += (line.empty() ? "" : " ") + x;
  throw std::runtime_error{"'" + line + "' failed with status " + std::to_string(status)};
}

} // namespace soak
