// SPDX-License-Identifier: BSD-3-Clause
//
// How far adaptive timing is from the best fixed setting, and from an ideal batcher on the real
// clock.
//
//   simulated   3 cost models, Poisson and bursty arrivals, 1 and 4 workers, loads from 5 to 95 %:
//               mean and 95th percentile within 5 % of the best of 61 fixed settings for that very
//               load (adaptive_simulated.hpp); after a jump of load or cost within 10 % of what it
//               comes to in fewer than 200 batches.
//   --real      The actors with one sleeping worker of 11 ms + 10 us an item, at most 200 items in a
//               batch, Poisson arrivals: mean and 95th percentile within 10 % of an ideal batcher,
//               whose figures are batcher_sim's.
//
// The exit status says whether all bars hold that were looked at.

#include "adaptive_simulated.hpp"
#include "paced_load.hpp"
#include "rounds.hpp"

#include "batcher/actors/control.hpp"

#include <CLI/CLI.hpp>

#include <array>
#include <cstdio>
#include <numeric>

namespace {

using namespace bench;

constexpr double regret_bar = 0.05;
constexpr std::size_t recovery_bar = 200;
constexpr double real_bar = 0.1;

struct settings {
  bool quick = false;
  bool real = false;
  double seconds = 5;
  std::vector<std::size_t> workers = {1, 4};
  std::string json;
};

std::string text_of(const batcher::options& opts) {
  if (opts.when_idle == batcher::when_idle::immediate) return "immediate";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%zu or %.2f ms", opts.preferred_batch_items,
                1e3 * batcher::to_seconds(opts.max_delay));
  return text.data();
}

// -- simulated ------------------------------------------------------------------------------------

void print_comparison(const comparison& c) {
  auto percent = [](double x) { return 100 * x; };
  bool is_over = c.mean_regret() > regret_bar || c.p95_regret() > regret_bar;
  std::printf("  %-8s %-7s %2zu %4.0f %%  %9.2f (%-15s) %9.2f (%-15s) %9.2f %9.2f  %+6.1f %+6.1f "
              "%+6.1f%s\n",
              c.cost.c_str(), c.arrivals.c_str(), c.workers, percent(c.load), c.best.mean,
              text_of(c.best_mean).c_str(), c.best.p95, text_of(c.best_p95).c_str(),
              c.adaptive.mean, c.adaptive.p95, percent(c.mean_regret()), percent(c.p95_regret()),
              percent(c.immediate.mean / c.best.mean - 1), is_over ? "  *" : "");
}

bool run_grid(const settings& chosen, figures& all) {
  effort how;
  how.workers = chosen.workers;
  if (chosen.quick) {
    how.loads = {0.1, 0.5, 0.9};
    how.requests = 10'000;
    how.judging_runs = 4;
  }
  auto compared = compare_all(how);
  std::printf(
    "Adaptive against the best of %zu fixed settings, ms; regrets in %%, that of "
    "`immediate` last; * over %.0f %%\n"
    "  cost     arrive   K  load       mean (items or wait)         p95 (items or wait)   "
    "    mean and p95    mean    p95   imm.\n",
    fixed_settings(cost_models().front().cost).size(), 100 * regret_bar);
  std::size_t over = 0;
  for (auto& c : compared) {
    print_comparison(c);
    all.add("adaptive_regret_mean", c.mean_regret());
    all.add("adaptive_regret_p95", c.p95_regret());
    all.add("adaptive_regret_p95_of_best_mean", c.p95_regret_of_one());
    all.add("immediate_regret_mean", c.immediate.mean / c.best.mean - 1);
    all.add("immediate_regret_p95", c.immediate.p95 / c.best.p95 - 1);
    if (c.mean_regret() > regret_bar || c.p95_regret() > regret_bar) ++over;
  }
  std::printf("%zu of %zu are over the bar\n\n", over, compared.size());
  return over == 0;
}

bool run_jumps(const settings& chosen, figures& all) {
  std::printf(
    "After a jump, 4 workers: mean latency of the first ten batches, what it comes to, and "
    "batches until it stays within 10 %% of that\n");
  bool holds = true;
  for (auto& j : jumps()) {
    auto r = recover(j, chosen.quick ? 20 : effort{}.jump_runs);
    std::printf("  %-8s %-8s %8.2f ms %8.2f ms %4zu\n", j.cost.name.c_str(), j.name.c_str(),
                r.first, r.final, r.batches);
    all.add("adaptive_recovery_batches", static_cast<double>(r.batches));
    holds = holds && r.batches < recovery_bar;
  }
  std::printf("\n");
  return holds;
}

// -- on the real clock ----------------------------------------------------------------------------

struct ideal {
  double rate;
  latency expected;
};

constexpr std::array ideals{ideal{170, {16.1, 21.5}}, ideal{1'000, {16.7, 21.7}},
                            ideal{5'000, {17.4, 22.6}}, ideal{10'000, {18.3, 23.8}},
                            ideal{15'000, {20.1, 26.1}}};

latency run_real(caf::actor_system& system, double rate, double for_seconds) {
  batcher::options opts{.name = "adaptive",
                        .max_batch_items = 200,
                        .max_delay = 1s,
                        .when_idle = batcher::when_idle::adaptive,
                        .workers = 1};
  auto b = batcher::actors::spawn_batcher<int, int>(
    system, std::move(opts), [] { return precise_backend{.per_batch = 11ms, .per_item = 10us}; });
  auto all = run_paced(system, b, rate, for_seconds, static_cast<std::uint64_t>(rate));
  batcher::actors::drain(b, 10s);
  auto mean = std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
  return {mean, percentile(all, 0.95)};
}

bool run_real_clock(const settings& chosen, figures& all) {
  test_bed bed;
  std::printf("On the real clock, one worker of 11 ms + 10 us an item: ms, and by how much that is "
              "over the ideal\n");
  bool holds = true;
  for (auto& [rate, expected] : ideals) {
    auto came = run_real(bed.system, rate, chosen.quick ? 2 : chosen.seconds);
    auto mean = came.mean / expected.mean - 1;
    auto p95 = came.p95 / expected.p95 - 1;
    std::printf("  %6.0f/s  mean %6.2f (%+5.1f %%)  p95 %6.2f (%+5.1f %%)\n", rate, came.mean,
                100 * mean, came.p95, 100 * p95);
    all.add("adaptive_real_over_ideal_mean", 1 + mean);
    all.add("adaptive_real_over_ideal_p95", 1 + p95);
    holds = holds && mean <= real_bar && p95 <= real_bar;
  }
  std::printf("\n");
  return holds;
}

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  CLI::App app{"Adaptive timing against the best fixed settings"};
  app.add_flag("--quick", chosen.quick, "A few seconds; too short to say much");
  app.add_flag("--real", chosen.real, "The actors on the real clock, not the simulator");
  app.add_option("--seconds", chosen.seconds, "Of each run on the real clock");
  app.add_option("--workers", chosen.workers, "Simulated")->delimiter(',');
  app.add_option("--json", chosen.json, "Write the figures to this file");
  CLI11_PARSE(app, argc, argv);
  figures all;
  bool holds = true;
  if (chosen.real) {
    holds = run_real_clock(chosen, all);
  } else {
    holds = run_grid(chosen, all);
    holds = run_jumps(chosen, all) && holds;
  }
  std::printf("median (least to most)\n");
  all.print();
  all.write_json(chosen.json);
  std::printf("%s\n", holds ? "all bars hold" : "NOT all bars hold");
  return holds ? 0 : 1;
}
