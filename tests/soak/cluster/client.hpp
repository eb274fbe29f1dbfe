// SPDX-License-Identifier: BSD-3-Clause
//
// What a client node does: asks without a pause through the handle of `connect`, a window full of
// requests at once, and keeps account.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace soak {

/// How long a client's requests wait for a batcher that is out of reach.
inline constexpr std::chrono::milliseconds client_max_outage{1'000};

/// How a client node is told what to do: the arguments of a process of this program.
struct client_settings {
  std::string host;
  std::uint16_t port = 0;
  std::string name;
  int account_file = -1;
  std::uint64_t first_request = 0;
  std::size_t window = 0;
  std::size_t max_silence_ms = 0;
  std::size_t overdue_s = 0;
  std::string certificates_folder; ///< For CAF's TLS. Empty: none.
};

/// Asks until SIGTERM, then waits for what is missing and returns the exit status: 1 if a reply did not
/// come.
int run_client(const client_settings& chosen);

} // namespace soak
