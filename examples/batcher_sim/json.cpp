// SPDX-License-Identifier: BSD-3-Clause
//
// Writes JSON with nlohmann-json, see json.hpp.

#include "batcher_sim/json.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace sim {

namespace {

using nlohmann::ordered_json;

ordered_json seconds(batcher::duration d) { return batcher::to_seconds(d); }

ordered_json scenario_json(const scenario& x) {
  return {
    {"workers", x.workers},
    {"shards", x.opts.shards},
    {"keys", x.keys},
    {"seed", x.seed},
    {"max_batch_items", x.opts.max_batch_items},
    {"max_delay_seconds", seconds(x.opts.max_delay)},
    {"batch_seconds", seconds(x.cost.per_batch)},
    {"item_seconds", seconds(x.cost.per_item)},
    {"capacity_per_second", capacity(x.cost, x.workers, x.opts.max_batch_items)},
  };
}

ordered_json latency_json(const result& r) {
  // Some hundred points of the distribution are enough to draw it.
  auto points = ordered_json::array();
  for (int i = 0; i <= 200; ++i) {
    auto share = i / 200.0;
    points.push_back({share, seconds(r.latencies.quantile(share))});
  }
  return {
    {"mean", seconds(r.mean)}, {"mean_error", seconds(r.mean_error)},
    {"p50", seconds(r.p50)},   {"p95", seconds(r.p95)},
    {"p99", seconds(r.p99)},   {"max", seconds(r.max)},
    {"quantiles", points},
  };
}

ordered_json outcomes_json(const result& r) {
  auto object = ordered_json::object();
  for (auto code : batcher::all_errcs) {
    auto name = code == batcher::errc::none ? std::string{"ok"} : std::string{to_string(code)};
    if (auto n = r.answered_with(code); n > 0) object[name] = n;
  }
  return object;
}

ordered_json queue_json(const result& r) {
  auto mean = ordered_json::array();
  auto largest = ordered_json::array();
  for (auto& step : r.queue) {
    mean.push_back(std::round(step.mean * 1e3) / 1e3);
    largest.push_back(step.largest);
  }
  return {{"step_seconds", seconds(r.queue_step)}, {"mean_items", mean}, {"most_items", largest}};
}

ordered_json row_json(const outcome& row) {
  auto& r = row.came;
  return {
    {"scenario", scenario_json(row.what)},    {"requests", r.requests},
    {"outcomes", outcomes_json(r)},           {"latency_seconds", latency_json(r)},
    {"window_seconds", seconds(r.window)},    {"offered_per_second", r.offered},
    {"served_per_second", r.served},          {"goodput_per_second", r.goodput},
    {"utilisation", r.utilisation},           {"batches", r.batches},
    {"batches_by_items", r.batches_by_items}, {"fill_items", r.fill},
    {"queue_items", r.queue_items},           {"queue", queue_json(r)},
  };
}

} // namespace

std::string to_json(const std::vector<outcome>& rows) {
  auto list = ordered_json::array();
  for (auto& row : rows) list.push_back(row_json(row));
  return ordered_json{{"rows", list}}.dump(1) + '\n';
}

} // namespace sim
