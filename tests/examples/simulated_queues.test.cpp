// SPDX-License-Identifier: BSD-3-Clause
//
// The simulator against what queueing theory knows in closed form. Seeds are fixed and runs long
// enough for 2 %.

#include "batcher_sim/simulate.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace sim;
using namespace std::chrono_literals;

namespace {

/// Batches of any size, taken as soon as the worker is free.
scenario greedy(double rate, batcher::duration per_batch, batcher::duration per_item) {
  scenario s{.arrivals = {.rate = rate}, .cost = {.per_batch = per_batch, .per_item = per_item}};
  s.opts.max_batch_items = s.opts.max_queue_items = 1'000'000;
  s.opts.when_idle = batcher::when_idle::immediate;
  return s;
}

scenario one_by_one(double rate, std::size_t requests) {
  auto s = greedy(rate, 1ms, 0ms);
  s.opts.max_batch_items = 1;
  s.requests = requests;
  return s;
}

/// The mean latency with batches of any size that take t + a * n, t and a in seconds, is at most
/// the smaller of two bounds: Inoue, "Queueing analysis of GPU-based inference servers with dynamic
/// batching: a closed-form characterization", Performance Evaluation 147 (2021), arXiv 1912.06322,
/// theorem 2, equations 41 and 42.
///
/// They can be had from
///
///     E[W] = (rate E[H^2] / 2 + E[B H]) / E[B],   H = a B + t,
///
/// for a batch of B: those that come while it runs wait H/2 each on average, and each stays as long
/// as its own batch runs. The next batch is Poisson(rate H), or 1 where that is 0; its moments give
/// E[B^2] as a function of E[B], and E[W] falls with E[B], which is at least 1 and at least
/// rate t / (1 - rate a).
double inoue_bound(double rate, double t, double a) {
  auto load = rate * a;
  auto phi_0 = (a + t) / (2 * (1 - load)) * (1 + 2 * rate * t + (1 - rate * t) / (1 + load));
  auto phi_1 = 1.5 * t / (1 - load) + a / 2 * (load + 2) / (1 - load * load);
  return std::min(phi_0, phi_1);
}

struct batch_moments {
  double first = 0;
  double second = 0;
};

/// The moments of B in the steady state: its chain (as above; equations 3 to 5) cut off at `most`
/// and run until it rests.
batch_moments rest(double rate, double t, double a, std::size_t most) {
  std::vector<std::vector<double>> step(most + 1, std::vector<double>(most + 1));
  for (std::size_t b = 1; b <= most; ++b) {
    auto mean = rate * (t + a * static_cast<double>(b));
    for (std::size_t n = 0; n <= most; ++n) {
      auto x = static_cast<double>(n);
      step[b][std::max<std::size_t>(n, 1)] +=
        std::exp(x * std::log(mean) - mean - std::lgamma(x + 1));
    }
  }
  std::vector<double> now(most + 1);
  now[1] = 1;
  for (int i = 0; i < 300; ++i) {
    std::vector<double> next(most + 1);
    for (std::size_t b = 1; b <= most; ++b)
      for (std::size_t n = 1; n <= most; ++n) next[n] += now[b] * step[b][n];
    now = next;
  }
  batch_moments result;
  for (std::size_t b = 1; b <= most; ++b) {
    auto x = static_cast<double>(b);
    result.first += x * now[b];
    result.second += x * x * now[b];
  }
  return result;
}

/// The mean latency itself, from those moments.
double exact_mean(double rate, double t, double a, const batch_moments& b) {
  auto squared_time = a * a * b.second + 2 * a * t * b.first + t * t;
  return (rate * squared_time / 2 + a * b.second + t * b.first) / b.first;
}

double seconds(batcher::duration d) { return batcher::to_seconds(d); }

} // namespace

TEST_CASE("without batching the mean latency is that of M/D/1") {
  // Pollaczek and Khinchine for a constant service time of 1 ms.
  for (auto load : {0.3, 0.6, 0.8}) {
    auto r = simulate(one_by_one(load * 1'000, load > 0.7 ? 1'000'000 : 300'000));
    CAPTURE(load, r.mean.count(), r.mean_error.count());
    auto wait = load * 1e-3 / (2 * (1 - load));
    CHECK(seconds(r.mean) == Approx(1e-3 + wait).epsilon(0.02));
    CHECK(seconds(r.mean - 1ms) == Approx(wait).epsilon(0.03));
    CHECK(r.utilisation == Approx(load).epsilon(0.02));
    CHECK(r.fill == 1);
  }
}

TEST_CASE("without batching the share that waits not at all is that of M/D/1") {
  auto r = simulate(one_by_one(600, 200'000));
  // Who comes while the worker is idle, 1 - load of them, stays for a service time.
  CHECK(r.latencies.quantile(0.39) < 1ms + 1us);
  CHECK(r.latencies.quantile(0.41) > 1ms + 1us);
}

TEST_CASE("items that wait are rate times wait, by Little's law") {
  for (auto load : {0.3, 0.7}) {
    auto r = simulate(one_by_one(load * 1'000, 200'000));
    CHECK(r.queue_items == Approx(r.served * seconds(r.mean - 1ms)).epsilon(0.01));
  }
}

TEST_CASE("with batches of any size the mean latency keeps to Inoue's bound and lies near it") {
  struct {
    batcher::duration per_batch;
    batcher::duration per_item;
    std::vector<double> loads;
  } const models[]{
    {2ms, 100us, {0.3, 0.5, 0.7, 0.9}},
    {11ms, 10us, {0.1, 0.3, 0.6}},
    {1ms, 1ms, {0.8}},
  };
  for (auto& m : models)
    for (auto load : m.loads) {
      auto rate = load / seconds(m.per_item);
      auto s = greedy(rate, m.per_batch, m.per_item);
      // The mean's relative error is about 1 / ((1 - load) * sqrt(requests)).
      s.requests = load < 0.75 ? 400'000 : 1'000'000;
      auto r = simulate(s);
      auto bound = inoue_bound(rate, seconds(m.per_batch), seconds(m.per_item));
      CAPTURE(m.per_batch.count(), m.per_item.count(), load, r.mean.count(), r.mean_error.count());
      CHECK(seconds(r.mean - r.mean_error) <= bound);
      CHECK(seconds(r.mean) == Approx(bound).epsilon(0.02));
    }
}

TEST_CASE("with batches of any size latency and fill are those of the exact chain, far from the "
          "bound, too") {
  for (auto rate : {50.0, 200.0, 500.0, 2'000.0}) {
    auto r = simulate([&] {
      auto s = greedy(rate, 2ms, 100us);
      s.requests = 300'000;
      return s;
    }());
    auto exact = rest(rate, 2e-3, 1e-4, 80);
    CAPTURE(rate, r.mean.count(), r.mean_error.count());
    CHECK(seconds(r.mean) == Approx(exact_mean(rate, 2e-3, 1e-4, exact)).epsilon(0.005));
    CHECK(r.fill == Approx(exact.first).epsilon(0.005));
    CHECK(seconds(r.mean) < inoue_bound(rate, 2e-3, 1e-4));
  }
}

TEST_CASE("with workers to spare nobody waits, and they are busy for rate times service time") {
  for (auto workers : {1'000, 10'000}) {
    auto s = one_by_one(500'000, 100'000);
    s.workers = static_cast<std::size_t>(workers);
    auto r = simulate(s);
    CHECK(r.mean == 1ms);
    CHECK(r.max == 1ms);
    CHECK(r.utilisation == Approx(500.0 / workers).epsilon(0.01));
  }
}
