// SPDX-License-Identifier: BSD-3-Clause
//
// How often each request was executed, counted by the worker nodes in memory that they share with the
// main process. Any thread of any of them.

#pragma once

#include "shared.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace soak {

class executions {
public:
  /// Requests of the main process, and of each client node: their numbers follow those.
  static constexpr std::size_t capacity = 64u << 20u;
  static constexpr std::size_t capacity_of_client = 4u << 20u;
  static constexpr std::size_t most_clients = 16;

  /// New ones, all zero. Memory is taken only for those that are counted.
  executions() = default;
  /// Those of the process that has handed its file down.
  explicit executions(int fd) : counters_{fd} {}

  [[nodiscard]] int file() const noexcept { return counters_.file(); }

  /// Returns the number of a client's first request.
  static constexpr std::uint64_t first_of_client(std::size_t client) noexcept {
    return capacity + client * capacity_of_client;
  }

  void add(std::uint64_t request) noexcept {
    if (request < counters_->size()) ++(*counters_)[request];
  }
  /// Precondition: `request` is one of those that it has room for.
  [[nodiscard]] std::size_t of(std::uint64_t request) const noexcept {
    return (*counters_)[request];
  }

private:
  using counter = std::atomic<std::uint16_t>;
  static_assert(counter::is_always_lock_free);

  shared<std::array<counter, capacity + most_clients * capacity_of_client>> counters_;
};

} // namespace soak
