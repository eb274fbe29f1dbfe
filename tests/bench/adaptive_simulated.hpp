// SPDX-License-Identifier: BSD-3-Clause
//
// Adaptive timing against the best fixed setting, in virtual time by the simulator.
//
// The best setting is that for the very load, chosen with hindsight from all of a grid by a run of
// its own; then it and the adaptive batcher meet on other draws, the same for both. A setting that
// was only lucky in the run that chose it gains nothing by that. Mean and 95th percentile have a
// best setting each; one setting that is best at both may not exist.

#pragma once

#include <batcher/options.hpp>
#include <batcher/time.hpp>
#include <batcher_sim/scenario.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace bench {

/// How much is simulated.
struct effort {
  std::vector<double> loads = {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};
  std::vector<std::size_t> workers = {1, 4};
  std::size_t requests = 100'000; ///< Of each run.
  std::size_t judging_runs = 10;  ///< Each with draws of its own; what counts is their mean.
  std::size_t jump_runs = 100;
};

struct named_cost {
  std::string name;
  sim::cost_model cost;
};

/// a >> b, a ~ 10 b, and noisy: log-normal with a sigma of 0.3, and a pause of four times as long as
/// a batch in one of 200.
[[nodiscard]] std::vector<named_cost> cost_models();

/// A load: the share of what the workers do with full batches.
[[nodiscard]] sim::scenario scenario_of(const sim::cost_model& cost, sim::arrival_kind arrivals,
                                        std::size_t workers, double load);

/// `when_idle::adaptive`, all else as in the grid.
[[nodiscard]] batcher::options adaptive_options();

/// All fixed settings: `immediate`, and `fill` with 10 windows, in multiples of what a lone item
/// takes, and 6 sizes.
[[nodiscard]] std::vector<batcher::options> fixed_settings(const sim::cost_model& cost);

/// Unit: milliseconds.
struct latency {
  double mean = 0;
  double p95 = 0;
};

/// One cost model, arrival process, number of workers and load.
struct comparison {
  std::string cost;
  std::string arrivals;
  std::size_t workers = 1;
  double load = 0;
  batcher::options best_mean = {}; ///< The setting with the least mean,
  batcher::options best_p95 = {};  ///< and that with the least 95th percentile.
  latency best = {};               ///< What each of the two has of its own.
  double p95_of_best_mean = 0;
  latency immediate = {};
  latency adaptive = {};

  [[nodiscard]] double mean_regret() const { return adaptive.mean / best.mean - 1; }
  [[nodiscard]] double p95_regret() const { return adaptive.p95 / best.p95 - 1; }
  /// By the setting that has the least mean.
  [[nodiscard]] double p95_regret_of_one() const { return adaptive.p95 / p95_of_best_mean - 1; }
};

/// Compares at everything, on all processors.
[[nodiscard]] std::vector<comparison> compare_all(const effort& how);

/// A change of rate or cost in the middle of a run.
struct jump {
  std::string name;
  named_cost cost;
  double load = 0; ///< Before.
  double rate_factor = 1;
  double cost_factor = 1;
  std::size_t workers = 4;
};

/// Four kinds for each cost model.
[[nodiscard]] std::vector<jump> jumps();

/// What became of one. Batches are those that are dispatched after it, in the order of their ends;
/// latencies are means over many runs and 10 batches. Unit: milliseconds.
struct recovery {
  double first = 0;        ///< Of the first ten.
  double final = 0;        ///< What it comes to.
  std::size_t batches = 0; ///< Until it stays within 10 % of that.
};

[[nodiscard]] recovery recover(const jump& what, std::size_t runs);

} // namespace bench
