// SPDX-License-Identifier: BSD-3-Clause
//
// When requests arrive: Poisson, in bursts, by the hour of the day, or as recorded.

#pragma once

#include "batcher_sim/random.hpp"

#include <batcher/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sim {

enum class arrival_kind : std::uint8_t {
  /// Independent users: exponential gaps.
  poisson,
  /// Poisson with two rates that take turns, each for an exponential time (a Markov-modulated
  /// Poisson process). With `burst_factor` = 1 / `burst_share` nothing arrives between bursts.
  bursts,
  /// Poisson with a rate that rises and falls as a sine.
  diurnal,
  /// The instants of a recording.
  trace,
};

/// A multiple of the rates and costs that holds from an instant on, until the next change.
struct change {
  batcher::duration at = batcher::duration::zero(); ///< Since the start.
  double rate_factor = 1;                           ///< Of the rate that the scenario says.
  double cost_factor = 1;                           ///< Of the batch times that it says.
};

struct arrivals {
  arrival_kind kind = arrival_kind::poisson;

  /// Mean rate in the long run, of all kinds but `trace`. Unit: requests per second. Above 0.
  double rate = 1'000;

  // -- bursts -------------------------------------------------------------------------------------

  /// Rate within bursts, as a multiple of the mean. Range: 1 to 1 / `burst_share`.
  double burst_factor = 4;
  /// Share of the time that bursts take. Range: between 0 and 1.
  double burst_share = 0.2;
  /// Mean length of a burst. Above 0.
  batcher::duration burst_length = std::chrono::milliseconds{100};

  // -- diurnal ------------------------------------------------------------------------------------

  /// How far the rate departs from its mean, as a share of it. Range: 0 to 1.
  double amplitude = 0.8;
  /// Above 0.
  batcher::duration period = std::chrono::hours{24};

  // -- trace --------------------------------------------------------------------------------------

  /// Ascending, since the start. Not empty.
  std::vector<batcher::duration> instants = {};
  /// How much faster than recorded it is played. Above 0.
  double speed = 1;
};

/// The instants, one after the other.
///
/// All kinds but `trace` are Poisson processes whose rate depends on time. Where it is constant for
/// a while, a gap that reaches beyond is drawn anew from there on, which an exponential gap allows;
/// a sine is met by drawing at its maximum and leaving out the surplus (thinning, Lewis and
/// Shedler, 1979).
class arrival_process {
public:
  /// `what` and `changes`, ascending, must outlive it.
  arrival_process(const arrivals& what, const std::vector<change>& changes, std::uint64_t seed);

  /// Returns the next instant since the start, nothing after the last of a trace.
  [[nodiscard]] std::optional<batcher::duration> next();

private:
  [[nodiscard]] double rate() const noexcept;
  [[nodiscard]] double surplus() const noexcept;
  void cross_boundary();

  const arrivals* what_;
  const std::vector<change>* changes_;
  random_stream random_;
  double now_ = 0;          // seconds
  double burst_ends_ = 0;   // or the time between two bursts
  double change_at_ = 0;    // the next one
  std::size_t changed_ = 0; // how many have come
  std::size_t recorded_ = 0;
  double factor_ = 1;
  bool is_burst_ = false;
};

} // namespace sim
