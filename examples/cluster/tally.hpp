// SPDX-License-Identifier: BSD-3-Clause
//
// What became of a client's requests, as text and as JSON.

#pragma once

#include "batcher_sim/histogram.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace cluster {

/// Each request ends as answered, wrong, or one of the errors; until then it is unanswered.
struct tally {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0; // rightly
  std::uint64_t wrong = 0;
  std::map<std::string, std::uint64_t> errors;     // by the name of their code
  std::string last_error;                          // in its own words
  std::map<std::string, std::uint64_t> answers_of; // each node, wrong ones included
  sim::latency_histogram latencies;                // of what was answered rightly
  double batches = 0; // that the answers came in; a retry counts for as much as it answered
  double seconds = 0; // from the first request to the last answer

  [[nodiscard]] std::uint64_t failed() const;
  [[nodiscard]] std::uint64_t unanswered() const { return sent - answered - wrong - failed(); }
};

/// Returns some lines for a person.
[[nodiscard]] std::string to_text(const tally& x);

/// Returns the same for a program, durations in seconds.
[[nodiscard]] std::string to_json(const tally& x);

} // namespace cluster
