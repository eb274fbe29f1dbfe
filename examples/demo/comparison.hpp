// SPDX-License-Identifier: BSD-3-Clause
//
// What the demo finds out: the steps of both sides, the rule that says which rate a side sustained,
// and the same as JSON. Plain data; runs nothing.

#pragma once

#include "demo/load.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace demo {

/// A step is good if it is served in full and in time, see also `p95_limit_ms`.
inline constexpr double least_served_share = 0.98;

/// The rule in words, for those who read the figures; in lines that fit a terminal.
inline constexpr std::string_view sustained_rule =
  "the highest rate served to 98 % or more, with p95 below 50 ms and nothing\n"
  "refused, failed, wrong or missing, at that rate and at every lower one; a rate that\n"
  "misses this is tried once more";

/// True if a step meets the rule by itself.
[[nodiscard]] bool is_good(const step_result& step);

/// One side's steps, their rates rising. A rate that was tried again has two steps.
struct side_result {
  std::string name;
  double saturated_per_second = 0; ///< Served while clients sent as fast as replies came back.
  std::vector<step_result> steps = {};

  /// True if the rate of step `i` was not tried again after it: this try counts.
  [[nodiscard]] bool is_last_try(std::size_t i) const;
  /// The last good step before the first rate without one; nullptr if the first rate has none.
  [[nodiscard]] const step_result* sustained() const;
  /// Requests per second that were served at that step; 0 if there is none.
  [[nodiscard]] double sustained_per_second() const;
};

/// Both sides and how they were run.
struct comparison {
  side_result unbatched{.name = "unbatched"};
  side_result batched{.name = "batched"};
  std::size_t workers = 0;
  std::size_t max_batch_items = 0;
  double max_delay_ms = 0;
  double seconds_per_step = 0;
  std::string machine = {};

  /// Batched over unbatched; 0 if either sustained no rate.
  [[nodiscard]] double ratio() const;
  [[nodiscard]] std::uint64_t replies_wrong() const;
  [[nodiscard]] std::uint64_t replies_missing() const;
};

/// Returns the comparison as a JSON object. At its top: `unbatched` and `batched`, each with
/// `sustained_per_second` and `steps`; `ratio`; `replies_wrong`; `replies_missing`.
[[nodiscard]] std::string to_json(const comparison& result);

} // namespace demo
