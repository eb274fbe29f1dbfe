// SPDX-License-Identifier: BSD-3-Clause
//
// What becomes of a batch that failed as a whole: the policy, the step that it leads to, and the
// budget that keeps retries a small share of the traffic. Pure; the core does what this says.

#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

namespace batcher {

namespace retry {

/// A batch runs at most once; its items are answered with what went wrong.
struct never {};

/// A batch may run again, since repeating it is safe. Another worker gets it where there is one.
/// Its items keep their place in time and their deadlines.
struct idempotent {
  /// Runs of the same batch, the first included. Unit: runs. Range: 1 to 100.
  std::size_t max_attempts = 3;
  /// Halve a failed batch instead of repeating it, until the item at fault stands alone: one such
  /// item in n costs about 2 log2 n extra calls and nobody else an error. An item that stands alone
  /// is given up after `max_attempts` runs, those in larger batches included.
  bool bisect = true;
  /// Most retries for each fresh batch, on average. Unit: calls per call. Range: 0 to 10. 0: only
  /// the reserve, which is never more than `retry_budget::reserve` calls.
  double budget = 0.2;
};

} // namespace retry

/// What the user chose.
using retry_policy = std::variant<retry::never, retry::idempotent>;

/// What to do with a batch that has failed.
enum class retry_step : std::uint8_t {
  /// Answer its items with the failure.
  give_up,
  /// Run it again as it is.
  again,
  /// Run both halves.
  halve,
};

/// Returns the step for a batch of `items` that has failed in its run number `attempts` (1, 2,
/// ...).
[[nodiscard]] retry_step next_step(const retry_policy& policy, std::size_t items,
                                   std::size_t attempts) noexcept;

/// The calls that retries may still cost: a token bucket that fresh calls fill. It starts full.
class retry_budget {
public:
  /// Most tokens in the bucket. Enough to find one item in 65,536 that is at fault.
  static constexpr double reserve = 32;

  /// A batch that has not failed yet was dispatched.
  void earn(const retry_policy& policy) noexcept;

  /// Takes the price of a step, a token a call, or returns false and takes nothing.
  [[nodiscard]] bool spend(retry_step step) noexcept;

private:
  double tokens_ = reserve;
};

} // namespace batcher
