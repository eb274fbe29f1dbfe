// SPDX-License-Identifier: BSD-3-Clause
//
// What a worker node does, and what everybody knows of it.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace soak {

/// What a worker takes for a batch of that many items.
constexpr std::chrono::microseconds work_time(std::size_t items) {
  return std::chrono::microseconds{5'000 + 50 * items};
}

/// The right answer: a mixture of the bits of the request's number.
constexpr std::uint64_t answer_to(std::uint64_t request) {
  auto x = request + 0x9e37'79b9'7f4a'7c15;
  x = (x ^ (x >> 30u)) * 0xbf58'476d'1ce4'e5b9;
  x = (x ^ (x >> 27u)) * 0x94d0'49bb'1331'11eb;
  return x ^ (x >> 31u);
}

/// A request that keeps its worker for as long as the node lives. Is not counted.
inline constexpr std::uint64_t endless_request = ~std::uint64_t{0};

/// How a worker node is told what to do: the arguments of a process of this program.
struct worker_settings {
  std::string host;
  std::uint16_t port = 0;
  std::string name;
  int executions_file = -1;
  std::size_t max_silence_ms = 0;
  std::string certificates_folder; ///< For CAF's TLS. Empty: none.
};

/// Works until SIGTERM, then leaves in order and returns the exit status: 1 if batches were left.
int run_worker(const worker_settings& chosen);

} // namespace soak
