// SPDX-License-Identifier: BSD-3-Clause
//
// Range checks of a scenario.

#include "batcher_sim/scenario.hpp"

#include <batcher/sharding.hpp>

#include <algorithm>
#include <string_view>

namespace sim {

namespace {

using batcher::duration;

constexpr std::size_t most_workers = 1'000'000;
constexpr std::size_t most_own_workers = 4'096; // that of `options::workers`

class checker {
public:
  // NaN fulfils nothing.
  void require(bool is_good, std::string_view what) {
    if (!is_good) problems.emplace_back(what);
  }

  std::vector<std::string> problems;
};

void check_arrivals(checker& c, const scenario& what) {
  auto& a = what.arrivals;
  if (a.kind == arrival_kind::trace) {
    c.require(!a.instants.empty(), "the trace is empty, but must have an instant at least");
    c.require(std::is_sorted(a.instants.begin(), a.instants.end()),
              "the instants of the trace must ascend");
    c.require(a.instants.empty() || a.instants.front() >= duration::zero(),
              "the instants of the trace must not be negative");
    c.require(a.speed > 0 && a.speed <= 1e9, "the speed of the trace must be above 0");
  } else {
    c.require(a.rate > 0 && a.rate <= 1e9, "the rate must be above 0 and at most 1e9 requests/s");
  }
  if (a.kind == arrival_kind::bursts) {
    c.require(a.burst_share > 0 && a.burst_share < 1,
              "the share of bursts must lie between 0 and 1");
    c.require(a.burst_factor >= 1 && a.burst_factor * a.burst_share <= 1 + 1e-9,
              "the factor of bursts must be from 1 to 1 / their share, or the rate between them "
              "would be negative");
    c.require(a.burst_length > duration::zero(), "the length of bursts must be above 0");
  }
  if (a.kind == arrival_kind::diurnal) {
    c.require(a.amplitude >= 0 && a.amplitude <= 1, "the amplitude must be from 0 to 1");
    c.require(a.period > duration::zero(), "the period must be above 0");
  }
}

void check_changes(checker& c, const scenario& what) {
  auto last = duration::zero();
  for (auto& x : what.changes) {
    c.require(x.at >= last, "changes must ascend, and not lie before the start");
    c.require(x.rate_factor > 0 && x.rate_factor <= 1e6, "a change's rate must be above 0");
    c.require(x.cost_factor > 0 && x.cost_factor <= 1e6, "a change's cost must be above 0");
    c.require(what.arrivals.kind != arrival_kind::trace || x.rate_factor == 1,
              "a trace takes no change of its rate: edit the trace");
    last = x.at;
  }
}

void check_cost(checker& c, const cost_model& cost) {
  auto zero = duration::zero();
  c.require(cost.per_batch >= zero && cost.per_item >= zero && cost.stall >= zero
              && cost.wire >= zero,
            "the parts of a batch's time must not be negative");
  c.require(cost.per_batch + cost.per_item > zero, "a batch must take some time");
  c.require(cost.noise >= 0 && cost.noise <= 10, "the noise must be from 0 to 10");
  c.require(cost.stall_share >= 0 && cost.stall_share <= 1,
            "the share of stalls must be from 0 to 1");
  c.require(cost.failure_share >= 0 && cost.failure_share <= 1,
            "the share of failures must be from 0 to 1");
}

} // namespace

std::vector<std::string> validate(const scenario& what) {
  checker c;
  check_arrivals(c, what);
  check_changes(c, what);
  check_cost(c, what.cost);
  bool has_workers = what.workers >= 1 && what.workers <= most_workers;
  c.require(has_workers, "the number of workers must be from 1 to 1000000");
  c.require(what.keys >= 1, "the number of keys must be 1 or more");
  c.require(what.opts.shard_by != batcher::shard_by::key || what.keys >= what.opts.shards,
            "there must be as many keys as shards at least, or some of the shards get nothing");
  c.require(what.requests >= 1, "the number of requests must be 1 or more");
  c.require(what.warm_up >= 0 && what.warm_up <= 0.99,
            "the warm-up must be a share from 0 to 0.99");
  c.require(what.in_time >= duration::zero(),
            "the time that counts as in time must not be negative");
  auto opts = what.opts;
  opts.workers = std::clamp<std::size_t>(what.workers, 1, most_own_workers);
  for (auto& problem : batcher::validate(opts)) c.problems.push_back(std::move(problem));
  return std::move(c.problems);
}

batcher::options options_of(const scenario& what, std::size_t shard) {
  auto opts = share_of(what.opts, shard);
  opts.observer = {};
  opts.workers = std::min(workers_of(what, shard), most_own_workers);
  return opts;
}

std::size_t workers_of(const scenario& what, std::size_t shard) noexcept {
  auto shards = what.opts.shards;
  return what.workers / shards + (shard < what.workers % shards ? 1 : 0);
}

} // namespace sim
