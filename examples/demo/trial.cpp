// SPDX-License-Identifier: BSD-3-Clause
//
// Chooses and runs the steps of one side, see trial.hpp.

#include "demo/trial.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace demo {

namespace {

constexpr std::array shares{0.05, 0.2, 0.4, 0.6, 0.75, 0.85, 0.95, 1.05, 1.2};
constexpr double further = 1.15; // a rate over the one before, where even the last share was good
constexpr std::size_t most_rates = 14;
constexpr std::size_t calibration_runs = 2; // the first loads the model and warms the caches
static_assert(expected_runs_per_side == shares.size() + calibration_runs);
constexpr std::uint64_t first_seed = 20'240'607;

// The instants of every step differ, and are the same for both sides and in every run.
std::uint64_t seed_of(std::size_t step) { return first_seed + 1'000 * step; }

step_result run_counted(caf::actor_system& system, const side& what, const exam& questions,
                        const step_request& request, const std::atomic<int>& interrupted,
                        const progress_callback& on_progress) {
  auto batches = what.tally->batches.load();
  auto items = what.tally->items.load();
  auto result = run_step(system, what.predictors, questions, request, interrupted, on_progress);
  batches = what.tally->batches - batches;
  items = what.tally->items - items;
  result.mean_batch_items =
    static_cast<double>(items) / static_cast<double>(std::max(batches, 1UL));
  return result;
}

} // namespace

void run_side(caf::actor_system& system, const side& what, const exam& questions,
              double seconds_per_step, const std::atomic<int>& interrupted, progress& display,
              side_result& result) {
  auto run = [&](double rate, double seconds, std::size_t step) {
    display.begin_run(result.name, rate);
    return run_counted(system, what, questions, {rate, seconds, seed_of(step)}, interrupted,
                       [&](double part) { display.show_part(part); });
  };
  for (std::size_t i = 0; i < calibration_runs; ++i)
    result.saturated_per_second = run(saturating, seconds_per_step / 2, 0).served_per_second;
  if (interrupted) return;
  if (result.saturated_per_second <= 0) throw std::runtime_error{"no replies from " + result.name};
  display.end_calibration(result);
  auto is_within_limit = true; // every rate so far has a good step
  auto rate = 0.0;
  for (std::size_t i = 0; i < shares.size() || (is_within_limit && i < most_rates); ++i) {
    rate = i < shares.size() ? shares[i] * result.saturated_per_second : rate * further;
    for (auto tries = is_within_limit ? 2 : 1; tries > 0; --tries) {
      auto step = run(rate, seconds_per_step, i);
      if (interrupted) return;
      result.steps.push_back(step);
      display.end_step(result.name, step);
      if (is_good(step)) break;
      if (tries == 1) is_within_limit = false;
    }
  }
}

} // namespace demo
