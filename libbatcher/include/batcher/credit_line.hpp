// SPDX-License-Identifier: BSD-3-Clause
//
// Room in the queue that is granted before it is used, in the order of asking: how
// `overload::wait_for_credit` makes clients wait instead of refusing them. A grant is a lease, so
// that a client that dies or forgets gives its room back by itself. Knows nothing of the queue but
// how much room there is.

#pragma once

#include "batcher/time.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace batcher {

class credit_line {
public:
  /// Room for `items` items, granted to whoever asked under `ticket`.
  struct grant {
    std::uint64_t ticket = 0;
    std::size_t items = 0;
  };

  /// Asks for room for `items` items, at least 1. The answer comes from `next_grant`.
  void ask(std::uint64_t ticket, std::size_t items) { waiting_.push_back({ticket, items}); }

  /// Grants the one who waits longest what `room` allows, at least 1 item, and holds it until
  /// `end`. `room` does not count what is held already. Call until empty.
  [[nodiscard]] std::optional<grant> next_grant(std::size_t room, time_point end) {
    if (waiting_.empty() || room == 0) return std::nullopt;
    auto given = waiting_.front();
    waiting_.pop_front();
    given.items = std::min(given.items, room);
    leases_.push_back({end, given.items});
    held_ += given.items;
    return given;
  }

  /// Takes the latest grant back. Precondition: `next_grant` returned it just now.
  void revoke() noexcept {
    held_ -= leases_.back().items;
    leases_.pop_back();
  }

  /// Uses up room for one item, of the oldest lease; returns false if none is held.
  bool use() noexcept {
    if (held_ == 0) return false;
    --held_;
    if (--leases_.front().items == 0) leases_.pop_front();
    return true;
  }

  /// Gives back the room of leases that have ended.
  void expire(time_point now) {
    while (!leases_.empty() && leases_.front().end <= now) {
      held_ -= leases_.front().items;
      leases_.pop_front();
    }
  }

  /// Returns when the oldest lease ends. Later ones may end earlier if the length has changed; they
  /// are noticed then.
  [[nodiscard]] std::optional<time_point> next_deadline() const noexcept {
    if (leases_.empty()) return std::nullopt;
    return leases_.front().end;
  }

  /// Removes and returns the ticket that waits longest, without granting anything.
  [[nodiscard]] std::optional<std::uint64_t> turn_away() {
    if (waiting_.empty()) return std::nullopt;
    auto ticket = waiting_.front().ticket;
    waiting_.pop_front();
    return ticket;
  }

  [[nodiscard]] std::size_t held() const noexcept { return held_; }
  [[nodiscard]] bool has_waiting() const noexcept { return !waiting_.empty(); }

private:
  struct lease {
    time_point end;
    std::size_t items = 0;
  };

  std::deque<grant> waiting_;
  std::deque<lease> leases_;
  std::size_t held_ = 0;
};

} // namespace batcher
