// SPDX-License-Identifier: BSD-3-Clause
//
// What becomes of a failed batch, and how many retries there may be.

#include "batcher/retry.hpp"

#include <catch2/catch.hpp>

using namespace batcher;

namespace {

const retry_policy at_most_once = retry::never{};
const retry_policy whole = retry::idempotent{.max_attempts = 3, .bisect = false};
const retry_policy bisecting = retry::idempotent{.max_attempts = 3, .bisect = true};

} // namespace

TEST_CASE("with never a failed batch is given up at once") {
  CHECK(next_step(at_most_once, 1, 1) == retry_step::give_up);
  CHECK(next_step(at_most_once, 64, 1) == retry_step::give_up);
}

TEST_CASE("without bisect a batch runs again until max_attempts") {
  for (std::size_t items : {1u, 64u}) {
    CHECK(next_step(whole, items, 1) == retry_step::again);
    CHECK(next_step(whole, items, 2) == retry_step::again);
    CHECK(next_step(whole, items, 3) == retry_step::give_up);
    CHECK(next_step(whole, items, 4) == retry_step::give_up);
  }
}

TEST_CASE("with bisect several items are halved however often they ran, one is not") {
  for (std::size_t attempts : {1u, 3u, 30u}) {
    CHECK(next_step(bisecting, 2, attempts) == retry_step::halve);
    CHECK(next_step(bisecting, 256, attempts) == retry_step::halve);
  }
  CHECK(next_step(bisecting, 1, 2) == retry_step::again);
  CHECK(next_step(bisecting, 1, 3) == retry_step::give_up);
}

TEST_CASE("the budget starts full, a repetition costs one call and a bisection two") {
  retry_budget budget;
  for (int i = 0; i < 8; ++i) {
    CHECK(budget.spend(retry_step::halve));
    CHECK(budget.spend(retry_step::again));
    CHECK(budget.spend(retry_step::again));
  }
  CHECK_FALSE(budget.spend(retry_step::again));
  CHECK_FALSE(budget.spend(retry_step::halve));
  CHECK(budget.spend(retry_step::give_up));
}

TEST_CASE("a price that cannot be paid takes nothing") {
  retry_budget budget;
  for (int i = 0; i < 31; ++i) REQUIRE(budget.spend(retry_step::again));
  CHECK_FALSE(budget.spend(retry_step::halve));
  CHECK(budget.spend(retry_step::again));
  CHECK_FALSE(budget.spend(retry_step::again));
}

TEST_CASE("fresh batches earn the budget's share of a call each, up to the reserve") {
  const retry_policy quarter = retry::idempotent{.budget = 0.25};
  retry_budget budget;
  while (budget.spend(retry_step::again)) {
  }
  for (int i = 0; i < 3; ++i) budget.earn(quarter);
  CHECK_FALSE(budget.spend(retry_step::again));
  budget.earn(quarter);
  CHECK(budget.spend(retry_step::again));
  CHECK_FALSE(budget.spend(retry_step::again));
  for (int i = 0; i < 10'000; ++i) budget.earn(quarter);
  int calls = 0;
  while (budget.spend(retry_step::again)) ++calls;
  CHECK(calls == static_cast<int>(retry_budget::reserve));
}

TEST_CASE("nothing is earned with never or with a budget of 0") {
  for (const retry_policy& policy : {at_most_once, retry_policy{retry::idempotent{.budget = 0}}}) {
    retry_budget budget;
    while (budget.spend(retry_step::again)) {
    }
    for (int i = 0; i < 1'000; ++i) budget.earn(policy);
    CHECK_FALSE(budget.spend(retry_step::again));
  }
}
