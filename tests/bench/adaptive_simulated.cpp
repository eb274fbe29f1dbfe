// SPDX-License-Identifier: BSD-3-Clause
//
// Simulated comparisons, see adaptive_simulated.hpp.

#include "adaptive_simulated.hpp"

#include <batcher_sim/simulate.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <numeric>
#include <thread>

namespace bench {

namespace {

using batcher::duration;
using namespace std::chrono_literals;

constexpr std::size_t cap = 64;
constexpr std::uint64_t choosing_seed = 1;
constexpr std::uint64_t judging_seed = 1'001;

double to_ms(duration d) { return batcher::to_seconds(d) * 1e3; }

batcher::options common_options() {
  return {.max_batch_items = cap, .max_queue_items = 100'000'000};
}

// The mean of several runs.
latency run(sim::scenario what, const batcher::options& opts, std::uint64_t first_seed,
            std::size_t runs, std::size_t requests) {
  what.opts = opts;
  what.requests = requests;
  latency sum;
  for (std::size_t i = 0; i < runs; ++i) {
    what.seed = first_seed + i;
    auto result = sim::simulate(what);
    sum.mean += to_ms(result.mean) / static_cast<double>(runs);
    sum.p95 += to_ms(result.p95) / static_cast<double>(runs);
  }
  return sum;
}

comparison compare(const named_cost& cost, sim::arrival_kind kind, std::size_t workers, double load,
                   const effort& how) {
  auto what = scenario_of(cost.cost, kind, workers, load);
  comparison out{.cost = cost.name,
                 .arrivals = kind == sim::arrival_kind::bursts ? "bursts" : "poisson",
                 .workers = workers,
                 .load = load};
  latency least{1e300, 1e300};
  for (auto& setting : fixed_settings(cost.cost)) {
    auto came = run(what, setting, choosing_seed, 1, how.requests);
    if (came.mean < least.mean) out.best_mean = setting;
    if (came.p95 < least.p95) out.best_p95 = setting;
    least = {std::min(least.mean, came.mean), std::min(least.p95, came.p95)};
  }
  auto judge = [&](const batcher::options& opts) {
    return run(what, opts, judging_seed, how.judging_runs, how.requests);
  };
  auto by_mean = judge(out.best_mean);
  out.best = {by_mean.mean, judge(out.best_p95).p95};
  out.p95_of_best_mean = by_mean.p95;
  auto immediate = common_options();
  immediate.when_idle = batcher::when_idle::immediate;
  out.immediate = judge(immediate);
  out.adaptive = judge(adaptive_options());
  return out;
}

// Mean latency of the batches after the jump, by their order.
std::vector<double> after_jump(const jump& what, std::uint64_t seed, std::size_t batches) {
  auto& cost = what.cost.cost;
  auto scenario = scenario_of(cost, sim::arrival_kind::poisson, what.workers, what.load);
  auto at = 400 * (cost.per_batch + cap * cost.per_item); // long after the start
  scenario.opts = adaptive_options();
  scenario.changes = {{.at = at, .rate_factor = what.rate_factor, .cost_factor = what.cost_factor}};
  // As many as come while each worker runs so many full batches, or singles if they are that few.
  auto full = batcher::to_seconds(cost.per_batch + cap * cost.per_item) * what.cost_factor;
  auto seconds = static_cast<double>(batches) * full / static_cast<double>(what.workers);
  auto rate = scenario.arrivals.rate;
  auto after = std::max(rate * what.rate_factor * seconds, static_cast<double>(batches));
  scenario.requests = static_cast<std::size_t>(rate * batcher::to_seconds(at) + after);
  scenario.warm_up = 0;
  scenario.seed = seed;
  scenario.keeps_batches = true;
  std::vector<double> out;
  for (auto& b : sim::simulate(scenario).batches_in_order)
    if (b.dispatched >= at && out.size() < batches) out.push_back(to_ms(b.mean_latency));
  return out;
}

} // namespace

std::vector<named_cost> cost_models() {
  return {
    {"a >> b", {.per_batch = 10ms, .per_item = 10us}},
    {"a ~ 10 b", {.per_batch = 1ms, .per_item = 100us}},
    {"noisy",
     {.per_batch = 5ms, .per_item = 100us, .noise = 0.3, .stall_share = 0.005, .stall = 20ms}}};
}

sim::scenario scenario_of(const sim::cost_model& cost, sim::arrival_kind arrivals,
                          std::size_t workers, double load) {
  // `noise` is the standard deviation of a factor with mean 1; a sigma of 0.3 is about the same.
  auto stalls = cost.stall_share * batcher::to_seconds(cost.stall);
  auto batch = batcher::to_seconds(cost.per_batch + cap * cost.per_item);
  auto rate = load * sim::capacity(cost, workers, cap) * batch / (batch + stalls);
  return {.opts = common_options(),
          .arrivals = {.kind = arrivals,
                       .rate = rate,
                       .burst_length = 10 * (cost.per_batch + cap * cost.per_item)},
          .cost = cost,
          .workers = workers};
}

batcher::options adaptive_options() {
  auto opts = common_options();
  opts.max_delay = 1s; // never reached
  opts.when_idle = batcher::when_idle::adaptive;
  return opts;
}

std::vector<batcher::options> fixed_settings(const sim::cost_model& cost) {
  auto opts = common_options();
  opts.when_idle = batcher::when_idle::immediate;
  std::vector settings{opts};
  opts.when_idle = batcher::when_idle::fill;
  auto lone = batcher::to_seconds(cost.per_batch + cost.per_item);
  for (auto part : {0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0})
    for (std::size_t enough : {2, 4, 8, 16, 32, 64}) {
      opts.max_delay = duration{std::llround(part * lone * 1e9)};
      opts.preferred_batch_items = enough;
      settings.push_back(opts);
    }
  return settings;
}

std::vector<comparison> compare_all(const effort& how) {
  std::vector<std::function<comparison()>> tasks;
  for (auto& cost : cost_models())
    for (auto kind : {sim::arrival_kind::poisson, sim::arrival_kind::bursts})
      for (auto workers : how.workers)
        for (auto load : how.loads)
          tasks.emplace_back([=, &how] { return compare(cost, kind, workers, load, how); });
  std::vector<comparison> results(tasks.size());
  std::atomic<std::size_t> next = 0;
  auto work = [&] {
    for (auto i = next++; i < tasks.size(); i = next++) results[i] = tasks[i]();
  };
  std::vector<std::thread> threads;
  for (auto n = std::max(1u, std::thread::hardware_concurrency()); n > 1; --n)
    threads.emplace_back(work);
  work();
  for (auto& t : threads) t.join();
  return results;
}

std::vector<jump> jumps() {
  std::vector<jump> out;
  for (auto& cost : cost_models()) {
    out.push_back({.name = "load x 4", .cost = cost, .load = 0.2, .rate_factor = 4});
    out.push_back({.name = "load / 4", .cost = cost, .load = 0.8, .rate_factor = 0.25});
    out.push_back({.name = "cost x 2", .cost = cost, .load = 0.3, .cost_factor = 2});
    out.push_back({.name = "cost / 2", .cost = cost, .load = 0.6, .cost_factor = 0.5});
  }
  return out;
}

recovery recover(const jump& what, std::size_t runs) {
  constexpr std::size_t batches = 600;
  constexpr std::size_t smoothed = 10;
  std::vector<double> sum(batches);
  std::vector<double> count(batches);
  for (std::size_t r = 0; r < runs; ++r) {
    auto latencies = after_jump(what, judging_seed + r, batches);
    for (std::size_t i = 0; i < latencies.size(); ++i) {
      sum[i] += latencies[i];
      ++count[i];
    }
  }
  auto mean_of = [&](std::size_t from, std::size_t to) {
    auto n = std::accumulate(&count[from], &count[to - 1] + 1, 0.0);
    return std::accumulate(&sum[from], &sum[to - 1] + 1, 0.0) / n;
  };
  recovery out{.first = mean_of(0, smoothed), .final = mean_of(batches / 2, batches)};
  for (std::size_t i = 0; i + smoothed <= batches / 2; ++i)
    if (std::abs(mean_of(i, i + smoothed) / out.final - 1) > 0.1) out.batches = i + smoothed;
  return out;
}

} // namespace bench
