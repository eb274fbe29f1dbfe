// SPDX-License-Identifier: BSD-3-Clause
//
// What one run of the program is told.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace soak {

struct settings {
  double seconds = 300;
  std::uint64_t seed = 1;
  std::size_t nodes = 4;
  /// Client nodes, besides the clients of the main process.
  std::size_t clients = 0;
  /// Of each link, one way, and the share of what is sent that is lost.
  std::size_t delay_ms = 0;
  double loss_percent = 0;
  /// "idempotent" or "never".
  std::string retry = "idempotent";
  /// Of all connections, and how long CAF lets one be silent.
  std::size_t max_silence_ms = 2'000;
  std::size_t max_batch_items = 64;
  /// Requests that wait for their reply at once.
  std::size_t window = 1'024;
  /// The same of each client node.
  std::size_t client_window = 64;
  /// A request without a reply for as long is overdue.
  std::size_t overdue_s = 60;
  /// Faults of each kind that `--detect` measures.
  std::size_t rounds = 5;
  /// Length of each step of `--scale`.
  double step_seconds = 5;
  /// What encrypts between the nodes: "none", "stunnel" or "caf".
  std::string tls = "none";
  bool require_namespaces = false;
  bool only_loopback = false;
  std::string json_file;

  [[nodiscard]] bool has_slow_links() const { return delay_ms > 0 || loss_percent > 0; }
  [[nodiscard]] std::chrono::milliseconds max_silence() const {
    return std::chrono::milliseconds{max_silence_ms};
  }
};

} // namespace soak
