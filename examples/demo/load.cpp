// SPDX-License-Identifier: BSD-3-Clause
//
// Runs one step of load, see load.hpp.

#include "demo/load.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace demo {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t clients_per_step = 64;
constexpr std::size_t window_when_saturating = 16; // per client: enough to fill the largest batches
constexpr auto time_to_start = 20ms;
constexpr auto patience = 10s;

step_plan make_plan(const std::vector<predictor>& predictors, const exam& questions,
                    const step_request& request, const std::atomic<int>& interrupted,
                    finish_line& finished) {
  auto is_open = std::isfinite(request.rate);
  return {
    .questions = questions,
    .predictors = predictors,
    .clients = clients_per_step,
    .rate = request.rate,
    .begin = steady::now() + time_to_start,
    .sending =
      std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(request.seconds)),
    .patience = patience,
    .max_outstanding = is_open ? std::numeric_limits<std::size_t>::max() : window_when_saturating,
    .seed = request.seed,
    .interrupted = interrupted,
    .finished = finished,
  };
}

double percentile(std::vector<float>& values, double share) {
  if (values.empty()) return 0;
  auto rank = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<std::size_t>(rank)];
}

step_result merge(const std::vector<client_log>& logs, const step_plan& plan) {
  step_result result{.rate = plan.rate};
  std::vector<float> latencies_ms;
  // Those who answer in time may answer the last requests so much later.
  constexpr auto lag = std::chrono::microseconds{static_cast<int>(1e3 * p95_limit_ms)};
  auto end = plan.begin + plan.sending;
  for (const auto& log : logs) {
    latencies_ms.insert(latencies_ms.end(), log.latencies_ms.begin(), log.latencies_ms.end());
    result.offered += log.sent;
    result.wrong += log.wrong;
    result.refused += log.refused;
    result.failed += log.failed;
    result.missing += log.missing;
    end = std::max(end, log.last_reply - lag);
  }
  result.served = latencies_ms.size() - result.wrong;
  auto per_second = [](std::uint64_t n, steady::duration time) {
    return static_cast<double>(n) / std::chrono::duration<double>(time).count();
  };
  result.offered_per_second = per_second(result.offered, plan.sending);
  result.served_per_second = per_second(result.served, end - plan.begin);
  result.p50_ms = percentile(latencies_ms, 0.50);
  result.p95_ms = percentile(latencies_ms, 0.95);
  result.p99_ms = percentile(latencies_ms, 0.99);
  return result;
}

} // namespace

step_result run_step(caf::actor_system& system, const std::vector<predictor>& predictors,
                     const exam& questions, const step_request& request,
                     const std::atomic<int>& interrupted, const progress_callback& on_progress) {
  finish_line finished;
  auto plan = make_plan(predictors, questions, request, interrupted, finished);
  std::vector<client_log> logs(plan.clients);
  for (std::size_t i = 0; i < plan.clients; ++i) system.spawn<client>(plan, i, logs[i]);
  while (!finished.wait_for(plan.clients, 100ms)) {
    auto over = std::chrono::duration<double>(steady::now() - plan.begin).count();
    on_progress(std::clamp(over / request.seconds, 0.0, 1.0));
  }
  return merge(logs, plan);
}

} // namespace demo
