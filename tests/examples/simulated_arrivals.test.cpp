// SPDX-License-Identifier: BSD-3-Clause
//
// The arrival processes: rates, and how arrivals clump.

#include "batcher_sim/arrivals.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

using namespace sim;
using namespace std::chrono_literals;

namespace {

std::vector<double> draw(const arrivals& what, std::size_t requests,
                         const std::vector<change>& changes = {}, std::uint64_t seed = 1) {
  arrival_process process{what, changes, seed};
  std::vector<double> result;
  while (result.size() < requests) {
    auto at = process.next();
    if (!at) break;
    result.push_back(batcher::to_seconds(*at));
  }
  return result;
}

double rate_of(const std::vector<double>& instants) {
  return static_cast<double>(instants.size()) / instants.back();
}

std::vector<double> gaps_of(const std::vector<double>& instants) {
  std::vector<double> result{instants.front()};
  for (std::size_t i = 1; i < instants.size(); ++i) result.push_back(instants[i] - instants[i - 1]);
  return result;
}

/// Arrivals in windows of `length` seconds, those after the last whole one left out.
std::vector<double> count_by(double length, const std::vector<double>& instants) {
  std::vector<double> counts(static_cast<std::size_t>(instants.back() / length));
  for (auto at : instants)
    if (auto i = static_cast<std::size_t>(at / length); i < counts.size()) ++counts[i];
  return counts;
}

struct moments {
  double mean = 0;
  double variance = 0;
};

moments moments_of(const std::vector<double>& values) {
  moments m;
  for (auto x : values) m.mean += x / static_cast<double>(values.size());
  for (auto x : values)
    m.variance += (x - m.mean) * (x - m.mean) / static_cast<double>(values.size());
  return m;
}

std::size_t between(double from, double to, const std::vector<double>& instants) {
  return static_cast<std::size_t>(std::count_if(instants.begin(), instants.end(),
                                                [=](double at) { return at >= from && at < to; }));
}

} // namespace

TEST_CASE("Poisson arrivals have exponential gaps") {
  auto gaps = gaps_of(draw({.rate = 2'000}, 200'000));
  auto m = moments_of(gaps);
  CHECK(m.mean == Approx(1.0 / 2'000).epsilon(0.01));
  CHECK(std::sqrt(m.variance) == Approx(m.mean).epsilon(0.01));
  // Of an exponential time, e^-1 exceed the mean and e^-3 three times it.
  auto longer = [&](double than) {
    return static_cast<double>(
             std::count_if(gaps.begin(), gaps.end(), [=](double g) { return g > than; }))
           / static_cast<double>(gaps.size());
  };
  CHECK(longer(m.mean) == Approx(std::exp(-1)).epsilon(0.02));
  CHECK(longer(3 * m.mean) == Approx(std::exp(-3)).epsilon(0.03));
}

TEST_CASE("the first numbers of a seed are the same everywhere") {
  // As worked out by another program from what the standard says of std::seed_seq and
  // std::mt19937_64.
  random_stream random{1, 1};
  CHECK(random.uniform() == 0.4154621945505894);
  CHECK(random.uniform() == 0.5470964917284165);
}

TEST_CASE("bursts clump as a two-state Poisson process does") {
  arrivals what{.kind = arrival_kind::bursts, .rate = 1'000};
  auto instants = draw(what, 1'000'000);
  CHECK(rate_of(instants) == Approx(1'000).epsilon(0.02));
  // Variance over mean of the count in a time T (Heffes and Lucantoni, IEEE JSAC 1986): with rates
  // x and y, left at r and q per second, s = r + q,
  //     1 + 2 (x - y)^2 r q / (s^2 (x q + y r)) * (1 - (1 - e^(-s T)) / (s T)).
  auto x = 4'000.0, y = 250.0, r = 10.0, q = 2.5, s = r + q, window = 0.5;
  auto limit = 2 * (x - y) * (x - y) * r * q / (s * s * (x * q + y * r));
  auto expected = 1 + limit * (1 - (1 - std::exp(-s * window)) / (s * window));
  auto m = moments_of(count_by(window, instants));
  CHECK(m.variance / m.mean == Approx(expected).epsilon(0.1));
}

TEST_CASE("with all of the rate in the bursts nothing comes between them") {
  arrivals what{.kind = arrival_kind::bursts,
                .rate = 10'000,
                .burst_factor = 5,
                .burst_share = 0.2,
                .burst_length = 100ms};
  auto instants = draw(what, 500'000);
  CHECK(rate_of(instants) == Approx(10'000).epsilon(0.1));
  auto counts = count_by(0.01, instants);
  auto empty = std::count(counts.begin(), counts.end(), 0.0);
  // A share of 0.8 less what bursts begin or end within the window of 10 ms, at 2.5 per second.
  auto share = static_cast<double>(empty) / static_cast<double>(counts.size());
  CHECK(share == Approx(0.8 * std::exp(-2.5 * 0.01)).epsilon(0.05));
}

TEST_CASE("a day has its high and its low half") {
  arrivals what{.kind = arrival_kind::diurnal, .rate = 1'000, .amplitude = 0.8, .period = 10s};
  auto instants = draw(what, 400'000);
  CHECK(rate_of(instants) == Approx(1'000).epsilon(0.01));
  std::vector<double> halves(2);
  for (auto at : instants) ++halves[static_cast<std::size_t>(at / 5) % 2];
  // The mean of a sine over its positive half is 2 / pi.
  auto swing = 0.8 * 2 / std::numbers::pi;
  CHECK(halves[0] / halves[1] == Approx((1 + swing) / (1 - swing)).epsilon(0.02));
}

TEST_CASE("a trace is played as recorded, and faster") {
  arrivals what{.kind = arrival_kind::trace, .instants = {0ms, 10ms, 10ms, 40ms}};
  CHECK(draw(what, 100) == std::vector{0.0, 0.01, 0.01, 0.04});
  CHECK(draw(what, 2) == std::vector{0.0, 0.01});
  what.speed = 2;
  CHECK(draw(what, 100) == std::vector{0.0, 0.005, 0.005, 0.02});
}

TEST_CASE("the rate changes at its instant and not before") {
  std::vector<change> changes{{.at = 10s, .rate_factor = 3}, {.at = 20s, .rate_factor = 0.5}};
  for (auto kind : {arrival_kind::poisson, arrival_kind::diurnal}) {
    arrivals what{.kind = kind, .rate = 5'000, .amplitude = 0.5, .period = 100ms};
    auto instants = draw(what, 250'000, changes);
    CHECK(between(0, 10, instants) == Approx(50'000).epsilon(0.02));
    CHECK(between(9.9, 10, instants) == Approx(500).epsilon(0.15));
    CHECK(between(10, 10.1, instants) == Approx(1'500).epsilon(0.1));
    CHECK(between(10, 20, instants) == Approx(150'000).epsilon(0.02));
    CHECK(between(20, 30, instants) == Approx(25'000).epsilon(0.02));
  }
}

TEST_CASE("arrivals differ with the seed and with nothing else") {
  CHECK(draw({.rate = 10}, 100, {}, 7) == draw({.rate = 10}, 100, {}, 7));
  CHECK(draw({.rate = 10}, 100, {}, 7) != draw({.rate = 10}, 100, {}, 8));
  CHECK(draw({.rate = 10}, 100, {}, 7) != draw({.rate = 10}, 100, {}, 7 + (1ull << 32)));
}
