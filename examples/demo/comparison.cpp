// SPDX-License-Identifier: BSD-3-Clause
//
// The rule, the sums and the JSON, see comparison.hpp.

#include "demo/comparison.hpp"

#include <nlohmann/json.hpp>

namespace demo {

namespace {

std::uint64_t sum(const comparison& result, std::uint64_t step_result::*field) {
  std::uint64_t total = 0;
  for (const auto* side : {&result.unbatched, &result.batched})
    for (const auto& step : side->steps) total += step.*field;
  return total;
}

nlohmann::ordered_json as_json(const step_result& step) {
  return {
    {"rate", step.rate},
    {"offered_per_second", step.offered_per_second},
    {"served_per_second", step.served_per_second},
    {"offered", step.offered},
    {"served", step.served},
    {"wrong", step.wrong},
    {"refused", step.refused},
    {"failed", step.failed},
    {"missing", step.missing},
    {"p50_ms", step.p50_ms},
    {"p95_ms", step.p95_ms},
    {"p99_ms", step.p99_ms},
    {"mean_batch_items", step.mean_batch_items},
    {"good", is_good(step)},
  };
}

nlohmann::ordered_json as_json(const side_result& side) {
  auto steps = nlohmann::ordered_json::array();
  for (const auto& step : side.steps) steps.push_back(as_json(step));
  return {
    {"sustained_per_second", side.sustained_per_second()},
    {"saturated_per_second", side.saturated_per_second},
    {"steps", std::move(steps)},
  };
}

} // namespace

bool is_good(const step_result& step) {
  return step.served_per_second >= least_served_share * step.offered_per_second
         && step.p95_ms < p95_limit_ms && step.served == step.offered;
}

bool side_result::is_last_try(std::size_t i) const {
  return i + 1 == steps.size() || steps[i + 1].rate > steps[i].rate;
}

const step_result* side_result::sustained() const {
  const step_result* best = nullptr;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (is_good(steps[i]))
      best = &steps[i];
    else if (is_last_try(i) && (!best || best->rate < steps[i].rate))
      break;
  }
  return best;
}

double side_result::sustained_per_second() const {
  const auto* step = sustained();
  return step ? step->served_per_second : 0;
}

double comparison::ratio() const {
  auto before = unbatched.sustained_per_second();
  return before > 0 ? batched.sustained_per_second() / before : 0;
}

std::uint64_t comparison::replies_wrong() const { return sum(*this, &step_result::wrong); }

std::uint64_t comparison::replies_missing() const { return sum(*this, &step_result::missing); }

std::string to_json(const comparison& result) {
  nlohmann::ordered_json root{
    {"unbatched", as_json(result.unbatched)},
    {"batched", as_json(result.batched)},
    {"ratio", result.ratio()},
    {"replies_wrong", result.replies_wrong()},
    {"replies_missing", result.replies_missing()},
    {"workers", result.workers},
    {"max_batch_items", result.max_batch_items},
    {"max_delay_ms", result.max_delay_ms},
    {"seconds_per_step", result.seconds_per_step},
    {"machine", result.machine},
  };
  return root.dump(2) + '\n';
}

} // namespace demo
