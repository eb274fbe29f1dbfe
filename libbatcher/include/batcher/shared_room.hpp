// SPDX-License-Identifier: BSD-3-Clause
//
// A limit that several batchers keep together, the shards of one (`options::shards`). Each of them
// takes room from it in steps and gives back what it has to spare, so that the common counter is
// touched once for many items, and the whole limit is there for whichever shard needs it.
//
//     limit 100:  shard 0 holds 64, 60 used   shard 1 holds 6, 6 used   30 free
//
// All of them together never use more than the limit. In return one of them may be refused a little
// early: when the others hold the rest of it unused, which is less than two steps each, and nothing
// where a step is 1.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace batcher {

/// The limit. Thread rule: any thread.
class shared_room {
public:
  shared_room(std::size_t limit, std::size_t shares) : shares_{shares} { set_limit(limit); }

  /// How much a share takes at once, and keeps for itself.
  [[nodiscard]] std::size_t step() const noexcept { return step_.load(std::memory_order_relaxed); }

  /// What all shares hold, used or not.
  [[nodiscard]] std::size_t taken() const noexcept {
    return taken_.load(std::memory_order_relaxed);
  }

  /// What is taken beyond a smaller limit stays taken until it is given back: each share should give
  /// back what it has to spare (`room_share::give_back`).
  void set_limit(std::size_t limit) noexcept {
    limit_.store(limit, std::memory_order_relaxed);
    step_.store(std::clamp<std::size_t>(limit / shares_ / 16, 1, 64), std::memory_order_relaxed);
  }

  /// Takes as much of `wanted` as is free and returns how much that is.
  [[nodiscard]] std::size_t take(std::size_t wanted) noexcept {
    auto taken = taken_.load(std::memory_order_relaxed);
    for (;;) {
      auto limit = limit_.load(std::memory_order_relaxed);
      auto got = std::min(wanted, limit - std::min(limit, taken));
      if (got == 0) return 0;
      if (taken_.compare_exchange_weak(taken, taken + got, std::memory_order_relaxed)) return got;
    }
  }

  void give_back(std::size_t spare) noexcept { taken_.fetch_sub(spare, std::memory_order_relaxed); }

private:
  std::size_t shares_;
  std::atomic<std::size_t> limit_ = 0;
  std::atomic<std::size_t> step_ = 1;
  std::atomic<std::size_t> taken_ = 0;
};

/// What one batcher holds of it. Thread rule: that of its batcher.
class room_share {
public:
  /// Without a common limit, each has one of its own.
  room_share() = default;
  explicit room_share(std::shared_ptr<shared_room> of) : of_{std::move(of)} {}
  room_share(const room_share&) = delete;
  room_share& operator=(const room_share&) = delete;
  ~room_share() { give_back(0); }

  [[nodiscard]] bool is_shared() const noexcept { return of_ != nullptr; }

  /// Returns how much may be used, after trying to have room for `wanted` in all. `alone`: the limit
  /// of one that shares none.
  [[nodiscard]] std::size_t reach(std::size_t wanted, std::size_t alone) noexcept {
    if (!of_) return alone;
    if (wanted > held_) held_ += of_->take(std::max(wanted - held_, of_->step()));
    return held_;
  }

  /// Returns what all who share it hold, and at least `own`, what this one uses.
  [[nodiscard]] std::size_t taken_by_all(std::size_t own) const noexcept {
    return of_ ? std::max(of_->taken(), own) : own;
  }

  /// Gives back what is to spare, now that so much is used, but for a step.
  void settle(std::size_t used) noexcept {
    if (!of_) return;
    auto kept = of_->step() - 1;
    if (held_ > used + 2 * kept) give_back(used + kept);
  }

  /// Gives back all but so much.
  void give_back(std::size_t kept) noexcept {
    if (!of_ || held_ <= kept) return;
    of_->give_back(held_ - kept);
    held_ = kept;
  }

private:
  std::shared_ptr<shared_room> of_;
  std::size_t held_ = 0;
};

} // namespace batcher
