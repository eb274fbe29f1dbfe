// SPDX-License-Identifier: BSD-3-Clause
//
// The timer of an actor that wants to be called at some instant, which may move nearer: a message
// `(tick_atom, generation)`. CAF 0.17.6 cannot take a timer back, so one that an earlier one has
// overtaken comes all the same and is told by its generation.
//
// Thread rule: one caller at a time.

#pragma once

#include "batcher/actors/mail.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/time.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace batcher::actors {

class alarm {
public:
  /// A timer keeps its actor, and with it the actor system, alive: a later instant is reached in
  /// steps of this length.
  static constexpr duration longest_step = std::chrono::milliseconds{200};

  /// Lets `to` be called at `wanted`, or before.
  void set(caf::actor_clock& clock, const caf::strong_actor_ptr& to, time_point now,
           time_point wanted) {
    wanted = std::min(wanted, now + longest_step);
    if (at_ && *at_ <= wanted) return;
    at_ = wanted;
    compat::send_at(clock, wanted, to, tick_atom_v, ++generation_);
  }

  /// Takes a call; false if it has been overtaken. Generations count from 1.
  [[nodiscard]] bool take(std::uint64_t generation) noexcept {
    if (generation != generation_) return false;
    at_.reset();
    return true;
  }

private:
  std::optional<time_point> at_;
  std::uint64_t generation_ = 0;
};

} // namespace batcher::actors
