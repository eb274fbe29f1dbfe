// SPDX-License-Identifier: BSD-3-Clause
//
// Child processes, in a network namespace if wanted. The kernel kills them when the thread that has
// started them ends, however it does: none is left behind.

#pragma once

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace soak {

/// A namespace to start a child in; none: that of this process.
inline constexpr int no_namespace = -1;

/// Starts a program. `arguments` begins with its path, or its name if it is on PATH. Throws
/// `std::system_error`.
[[nodiscard]] pid_t start_process(const std::vector<std::string>& arguments, int network_namespace);

/// Sends a signal to a child. Throws `std::system_error`.
void send_signal(pid_t to, int signal);

/// Waits for a child's end and returns its exit status, or 128 and its signal.
int wait_for_end(pid_t child);

/// Returns whether a child has ended; its end can still be waited for.
[[nodiscard]] bool has_ended(pid_t child);

/// Keeps SIGTERM for who waits for it, and returns a set of it alone. Must come before there are
/// threads, which inherit it. Throws `std::system_error`.
[[nodiscard]] sigset_t block_terminate();

/// Runs a program to its end. Throws `std::runtime_error` if its exit status is not 0.
void run_program(const std::vector<std::string>& arguments, int network_namespace);

} // namespace soak
