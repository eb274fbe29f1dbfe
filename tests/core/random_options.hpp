// SPDX-License-Identifier: BSD-3-Clause
//
// What the properties of the core draw from: numbers out of a few random bits, and valid options out
// of those. Small ranges throughout, so that limits are met often.

#pragma once

#include "batcher/options.hpp"

#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>

namespace batcher::test {

/// Fails the schedule, naming the line, unless a promise holds. RC_ASSERT would copy both sides and
/// evaluate all of an `&&`.
inline void expect(bool holds, std::source_location at = std::source_location::current()) {
  if (holds) return;
  RC_FAIL(std::string{at.file_name()} + ':' + std::to_string(at.line()) + " does not hold");
}

/// How often a property runs. RapidCheck's own variable wins: RC_PARAMS="seed=... max_success=..."
/// repeats or lengthens a run. RapidCheck reads it once, so that within one process the first
/// property's number is that of all.
struct usual_runs {
  explicit usual_runs(int runs) {
    auto params = "max_success=" + std::to_string(is_slow ? runs / 5 : runs);
    if (are_usual) ::setenv("RC_PARAMS", params.c_str(), 0);
  }
  ~usual_runs() {
    if (are_usual) ::unsetenv("RC_PARAMS");
  }
  usual_runs(const usual_runs&) = delete;
  usual_runs& operator=(const usual_runs&) = delete;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr bool is_slow = true;
#else
  static constexpr bool is_slow = false;
#endif
  const bool are_usual = std::getenv("RC_PARAMS") == nullptr;
};

/// Draws small numbers (SplitMix64); the same bits draw the same.
class dice {
public:
  explicit dice(std::uint64_t bits) : state_{bits} {}

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() >> 33) % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }

  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }

private:
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    auto z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

inline constexpr std::array<std::string_view, 5> key_names{"", "a", "b", "c", "d"};
inline constexpr std::array<std::string_view, 3> tenant_names{"", "x", "y"};

inline void draw_batches(dice& d, options& opts) {
  using namespace std::chrono_literals;
  auto most = opts.max_batch_items = 1 + d.below(8);
  if (d.one_in(3)) opts.preferred_batch_items = 1 + d.below(most);
  if (d.one_in(3)) {
    for (std::size_t n = 1; n < most; ++n)
      if (d.one_in(3)) opts.allowed_batch_items.push_back(n);
    opts.allowed_batch_items.push_back(most);
    opts.size_rounding = d.one_of({size_rounding::down, size_rounding::pad});
  }
  if (d.one_in(3)) opts.max_batch_cost = 1 + d.below(12);
  opts.max_delay = d.one_of<duration>({0ms, 2ms, 4ms, 8ms, 50ms});
  opts.when_idle = d.one_of({when_idle::fill, when_idle::immediate, when_idle::adaptive,
                             when_idle::adaptive, when_idle::adaptive, when_idle::adaptive});
  if (opts.when_idle == when_idle::adaptive && !d.one_in(4)) opts.max_delay = 50ms;
  opts.batch_timeout = d.one_of<duration>({0ms, 0ms, 1ms, 6ms});
  opts.request_timeout = d.one_of<duration>({0ms, 0ms, 5ms, 20ms});
}

inline void draw_queue(dice& d, options& opts) {
  using namespace std::chrono_literals;
  opts.max_queue_items = opts.max_batch_items + d.below(16);
  if (d.one_in(3))
    opts.max_lane_items =
      opts.max_batch_items + d.below(opts.max_queue_items - opts.max_batch_items + 1);
  if (d.one_in(4)) opts.max_tenant_items = 1 + d.below(opts.max_queue_items);
  opts.max_lanes = d.one_of<std::size_t>({1, 3, 1'024, 1'024});
  opts.max_lane_batches = d.one_of<std::size_t>({0, 0, 1, 2});
  opts.overload =
    d.one_of({overload::refuse_newest, overload::drop_oldest, overload::wait_for_credit});
  if (opts.overload == overload::wait_for_credit)
    opts.credit_lease = d.one_of<duration>({1ms, 5ms, 1s});
  opts.priority_head_start = d.one_of<duration>({0ms, 1ms, 5ms, 100ms});
  for (auto name : tenant_names)
    if (d.one_in(3)) opts.tenant_weights.emplace(name, static_cast<std::uint32_t>(1 + d.below(4)));
}

inline void draw_workers(dice& d, options& opts) {
  using namespace std::chrono_literals;
  if (!d.one_in(3))
    opts.on_failure = retry::idempotent{.max_attempts = 1 + d.below(4),
                                        .bisect = d.one_in(2),
                                        .budget = d.one_of({0.0, 0.0, 0.25, 1.0})};
  opts.workers = d.below(4);
  opts.worker_credit = 1 + d.below(3);
  opts.restart_delay = d.one_of<duration>({0ms, 1ms, 10ms, 100ms});
  opts.max_restart_delay = std::max<duration>(opts.restart_delay, d.one_of({4ms, 200ms}));
  opts.max_outage = d.one_of<duration>({0ms, 5ms, 1s});
  opts.breaker_failures = d.one_of<std::size_t>({0, 1, 2, 5});
}

inline options random_options(dice& d) {
  options opts;
  draw_batches(d, opts);
  draw_queue(d, opts);
  draw_workers(d, opts);
  return opts;
}

} // namespace batcher::test
