// SPDX-License-Identifier: BSD-3-Clause
//
// Batch queue: bound, order, and what happens to an item that does not fit.

#include "batcher/batch_queue.hpp"

#include <catch2/catch.hpp>

#include <memory>

using namespace batcher;
using namespace std::chrono_literals;

using queue_type = batch_queue<std::unique_ptr<int>>;

namespace {

const time_point start{1h};

} // namespace

TEST_CASE("a full queue leaves the item with its owner") {
  queue_type queue{1};
  auto first = std::make_unique<int>(1);
  auto second = std::make_unique<int>(2);
  CHECK(queue.push(start, std::move(first)));
  CHECK(queue.is_full());
  CHECK_FALSE(queue.push(start, std::move(second)));
  REQUIRE(second);
  CHECK(*second == 2);
}

TEST_CASE("items leave in the order in which they came, with their arrivals") {
  queue_type queue{10};
  for (int i = 0; i < 4; ++i) CHECK(queue.push(start + i * 1ms, std::make_unique<int>(i)));
  CHECK(queue.arrival(3) == start + 3ms);
  std::vector<std::unique_ptr<int>> items;
  std::vector<time_point> arrivals;
  queue.pop(3, items, arrivals);
  REQUIRE(items.size() == 3);
  for (int i = 0; i < 3; ++i) {
    CHECK(*items[static_cast<std::size_t>(i)] == i);
    CHECK(arrivals[static_cast<std::size_t>(i)] == start + i * 1ms);
  }
  CHECK(queue.items() == 1);
  CHECK(queue.arrival(0) == start + 3ms);
  CHECK_FALSE(queue.is_empty());
}
