// SPDX-License-Identifier: BSD-3-Clause
//
// Whether the other side still lives, and when to show that this one does: a frozen process closes
// no socket, and CAF's own heartbeats see connections, not actors.
//
// Each side sends something at least four times in the shorter one of both sides' `max_silence`, and
// gives the other up when nothing has come for its own: then three signs of life have failed to
// come, one at least by more than a quarter of it.
//
// No clock, no timer, no lock.

#pragma once

#include "batcher/time.hpp"

#include <algorithm>

namespace batcher::actors::node {

class pulse {
public:
  pulse() = default;

  /// `own`: how long the other side may be silent. `others`: how long it lets this one be silent.
  pulse(time_point now, duration own, duration others)
    : max_silence_{own}, interval_{std::max<duration>(std::min(own, others) / 4, least_interval)},
      heard_at_{now}, sent_at_{now} {}

  void on_heard(time_point now) noexcept { heard_at_ = now; }
  void on_sent(time_point now) noexcept { sent_at_ = now; }

  /// Returns whether the other side is to be given up.
  [[nodiscard]] bool is_silent(time_point now) const noexcept {
    return now >= heard_at_ + max_silence_;
  }
  /// Returns whether it is time to say something.
  [[nodiscard]] bool is_due(time_point now) const noexcept { return now >= sent_at_ + interval_; }

  /// Returns when one of both may be so.
  [[nodiscard]] time_point next() const noexcept {
    return std::min(heard_at_ + max_silence_, sent_at_ + interval_);
  }

  [[nodiscard]] duration max_silence() const noexcept { return max_silence_; }

private:
  static constexpr duration least_interval = std::chrono::milliseconds{1};

  duration max_silence_ = duration::zero();
  duration interval_ = duration::zero();
  time_point heard_at_;
  time_point sent_at_;
};

} // namespace batcher::actors::node
