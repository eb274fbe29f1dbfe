// SPDX-License-Identifier: BSD-3-Clause
//
// What a run under faults has shown: printed, written as JSON, and judged.

#pragma once

#include "account.hpp"
#include "ledger.hpp"

#include "batcher/live_counters.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace soak {

/// All client nodes together.
struct client_totals {
  std::size_t nodes = 0;
  std::uint64_t sent = 0;
  std::uint64_t replies = 0;
  std::uint64_t doubled = 0;
  std::uint64_t wrong = 0;
  std::uint64_t overdue = 0;
  std::uint64_t ok = 0;
  std::uint64_t unfounded = 0;
  std::map<std::string, std::uint64_t> errors = {};
  steady::duration longest_lost = {};
  steady::duration longest_recovery = {};
  steady::duration most_until_lost = {}; ///< What is promised of `longest_lost`.
  bool are_served = true;                ///< Once nothing was wrong any more.
  bool have_all = true;                  ///< Replies, but those that were killed.
};

void add(client_totals& to, const account& one);

struct report {
  std::string retry;
  bool has_faults = true; ///< Else nothing may fail, nor run again.
  bool has_namespaces = false;
  double seconds = 0;
  std::uint64_t seed = 0;
  totals seen;
  client_totals clients;
  batcher::counter_values counted; ///< By the batcher.
  std::uint64_t retries = 0;       ///< Runs of batches beyond the first.
  std::uint64_t retried_items = 0;
  std::uint64_t executed = 0;       ///< Items, by the workers.
  std::uint64_t executed_again = 0; ///< Executions of requests beyond the first.
  std::uint64_t nodes_connected = 0;
  std::uint64_t nodes_lost = 0;
};

/// Returns what does not hold, one sentence each. Empty: all is well.
[[nodiscard]] std::vector<std::string> problems_of(const report& of);

void print(const report& of);

/// Throws `std::runtime_error` if the file cannot be written.
void write_json(const report& of, const std::string& file);

} // namespace soak
