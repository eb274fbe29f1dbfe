// SPDX-License-Identifier: BSD-3-Clause
//
// What is learned of batch times: the line they lie on, without outliers, through drift and jumps,
// and what is known when all batches are alike.

#include "batcher/service_model.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>
#include <random>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

constexpr duration a = 10ms;
constexpr duration b = 100us;

duration line(std::size_t items, duration per_batch = a, duration per_item = b) {
  return per_batch + per_item * static_cast<std::int64_t>(items);
}

// Sizes from 1 to 40, in an order without a trend.
std::size_t size_of(int i) { return static_cast<std::size_t>(i) * 17 % 40 + 1; }

service_model after(int batches, duration per_batch = a, duration per_item = b,
                    service_model model = {}) {
  for (int i = 0; i < batches; ++i) model.add(size_of(i), line(size_of(i), per_batch, per_item));
  return model;
}

// How far off a prediction is, as a share.
double error(const service_model& model, std::size_t items, duration truth) {
  return std::abs(to_seconds(model.predict(items)) / to_seconds(truth) - 1);
}

} // namespace

TEST_CASE("nothing is predicted while no batch is known") {
  CHECK(service_model{}.predict(7) == 0ns);
  CHECK(service_model{}.per_item() == 0);
  CHECK(service_model{}.relative_deviation(7) == 0);
}

TEST_CASE("the first batch is predicted to be like itself") {
  service_model model;
  model.add(5, 12ms);
  CHECK(error(model, 5, 12ms) < 1e-6);
  CHECK(error(model, 9, 12ms) < 1e-6);
}

TEST_CASE("a batch's cost and an item's are recovered") {
  auto model = after(50);
  CHECK(model.per_batch() == Approx(to_seconds(a)).epsilon(0.01));
  CHECK(model.per_item() == Approx(to_seconds(b)).epsilon(0.01));
  CHECK(error(model, 64, line(64)) < 0.01); // larger than any before
  CHECK(model.relative_deviation(20) < 0.01);
}

TEST_CASE("log-normal noise moves neither the line nor the spread much") {
  std::mt19937_64 random{1};
  std::lognormal_distribution<double> noise{-0.045, 0.3};
  service_model model;
  double worst = 0;
  double spread = 0;
  for (int i = 0; i < 2'000; ++i) {
    model.add(size_of(i),
              duration{std::llround(1e9 * to_seconds(line(size_of(i))) * noise(random))});
    if (i < 200) continue;
    worst = std::max(worst, error(model, 20, line(20)));
    spread += model.relative_deviation(20) / 1'800;
  }
  CHECK(worst < 0.15);
  CHECK(spread == Approx(0.24).epsilon(0.2)); // sigma * sqrt(2 / pi)
}

TEST_CASE("one outlier moves the prediction by little, be it long or short") {
  for (duration odd : {duration{500ms}, duration{10us}}) {
    auto model = after(50);
    model.add(20, odd);
    CHECK(error(model, 20, line(20)) < 0.01);
  }
}

TEST_CASE("an outlier in ten, for ever, is not believed") {
  service_model model;
  for (int i = 0; i < 500; ++i) model.add(20, i % 10 == 9 ? 200ms : line(20));
  CHECK(error(model, 20, line(20)) < 0.1);
}

TEST_CASE("drift is followed") {
  service_model model;
  auto per_batch = a;
  for (int i = 0; i < 300; ++i) {
    per_batch += 100us;
    model.add(size_of(i), line(size_of(i), per_batch));
  }
  CHECK(per_batch == 4 * a);
  CHECK(error(model, 20, line(20, per_batch)) < 0.15);
}

TEST_CASE("three batches of the other kind are outliers, the fourth is a jump") {
  for (auto factor : {3, 1}) {
    auto model = after(50, 2 * a);
    for (int i = 0; i < 3; ++i) model.add(size_of(i), line(size_of(i), factor * a));
    CHECK(error(model, 20, line(20, 2 * a)) < 0.1);
    model.add(size_of(3), line(size_of(3), factor * a));
    CHECK(error(model, 20, line(20, factor * a)) < 0.01);
  }
}

TEST_CASE("outliers on both sides are no jump") {
  auto model = after(50);
  for (int i = 0; i < 40; ++i) model.add(20, i % 2 ? 2 * line(20) : line(20) / 2);
  CHECK(error(model, 20, line(20)) < 0.25);
}

TEST_CASE("a jump needs four outliers in a row on one side") {
  auto model = after(50);
  for (bool is_slow : {true, true, true, false, true, true})
    model.add(20, is_slow ? 5 * line(20) : line(20) / 5);
  CHECK(error(model, 20, line(20)) < 0.1);
}

TEST_CASE("sizes that hardly differ say nothing about an item's cost") {
  service_model model;
  for (int i = 0; i < 100; ++i) model.add(i % 2 ? 100 : 101, i % 2 ? 20ms : 21ms);
  CHECK(model.per_item() < 100e-6); // and not 1 ms
  CHECK(error(model, 100, 20ms) < 0.05);
}

TEST_CASE("of batches that are all alike only the sum of both costs is known") {
  service_model model;
  for (int i = 0; i < 100; ++i) model.add(20, line(20));
  CHECK(error(model, 20, line(20)) < 1e-6);
  CHECK(model.per_item() == 0);
  CHECK(error(model, 40, line(20)) < 1e-6); // not line(40)
  for (int i = 0; i < 4; ++i) model.add(40, line(40));
  CHECK(error(model, 40, line(40)) < 1e-6); // a jump
  for (int i = 0; i < 20; ++i) model.add(i % 2 ? 20 : 40, line(i % 2 ? 20 : 40));
  CHECK(model.per_item() == Approx(to_seconds(b)).epsilon(0.1));
}

TEST_CASE("no cost is negative") {
  service_model falling;
  for (int i = 0; i < 20; ++i) falling.add(size_of(i), 50ms - size_of(i) * 1ms);
  CHECK(falling.per_item() == 0);
  CHECK(falling.per_batch() > 0);
  service_model steep;
  for (int i = 0; i < 20; ++i) steep.add(size_of(i), size_of(i) * size_of(i) * 10us);
  CHECK(steep.per_batch() == 0);
  CHECK(steep.per_item() > 0);
}
