// SPDX-License-Identifier: BSD-3-Clause
//
// What the core knows of an item beside the item itself: its name, and what its sender asks for.

#pragma once

#include "batcher/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace batcher {

/// Names an item from its admission until it leaves. Never 0, and not reused while anybody could
/// still mean the old one (2^32 other items had to pass through the same slot).
using item_id = std::uint64_t;

/// Number of priorities: 0, the usual one and the lowest, to 7.
inline constexpr std::uint8_t priorities = 8;

/// Returns whether two names are the same. Most are empty, and then no call is made.
[[nodiscard]] inline bool is_same(std::string_view x, std::string_view y) noexcept {
  return x.size() == y.size() && (x.empty() || x == y);
}

/// What a sender asks for. The texts are read during the call only.
struct placement {
  /// The lane: items of different keys never share a batch.
  std::string_view key = {};
  /// Who is charged within the lane, by the weights of `options::tenant_weights`.
  std::string_view tenant = {};
  /// How urgent it is among those of its tenant. Range: 0 to 7, larger is more urgent.
  std::uint8_t priority = 0;
  /// How long it may take, counted from `now`. Zero: as long as `options::request_timeout` says,
  /// which it can only shorten. Negative: it has expired already.
  duration timeout = duration::zero();
  /// What it weighs in a batch. Unit: that of `options::max_batch_cost`.
  std::size_t cost = 1;
  /// Whether it uses up room that was granted to its sender (`overload::wait_for_credit`).
  bool on_credit = false;
};

} // namespace batcher
