// SPDX-License-Identifier: BSD-3-Clause
//
// When batches are expected back: their order, those behind another, fast and slow workers, and
// what changes the outlook.

#include "batcher/worker_outlook.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

struct fixture {
  fixture() {
    for (worker_id id = 1; id <= 3; ++id) workers.add(id);
    while (auto id = workers.next_start(start)) workers.up(*id, 2);
  }

  std::vector<time_point> returns() const {
    return {outlook.returns().begin(), outlook.returns().end()};
  }

  worker_table workers{{}};
  worker_outlook outlook{workers};
};

} // namespace

TEST_CASE("returns are kept in order, and forgotten one by one") {
  fixture f;
  CHECK(f.outlook.expect(start, 1, 9ms) == start + 9ms);
  CHECK(f.outlook.expect(start + 1ms, 2, 3ms) == start + 4ms);
  CHECK(f.outlook.expect(start + 2ms, 3, 7ms) == start + 9ms);
  CHECK(f.returns() == std::vector{start + 4ms, start + 9ms, start + 9ms});
  CHECK(f.outlook.forget(start + 5ms, 3, start + 2ms, start + 9ms) == 3ms);
  CHECK(f.returns() == std::vector{start + 4ms, start + 9ms});
}

TEST_CASE("what takes nobody knows how long is not expected") {
  fixture f;
  CHECK(f.outlook.expect(start, 1, 0ns) == time_point::max());
  CHECK(f.returns().empty());
  CHECK(f.outlook.forget(start + 5ms, 1, start, time_point::max()) == 5ms);
}

TEST_CASE("a batch behind another is expected after it and took no longer than by itself") {
  fixture f;
  auto first = f.outlook.expect(start, 1, 10ms);
  auto second = f.outlook.expect(start + 2ms, 1, 10ms);
  CHECK(second == start + 20ms);
  CHECK(f.outlook.forget(start + 12ms, 1, start, first) == 12ms);
  CHECK(f.outlook.forget(start + 21ms, 1, start + 2ms, second) == 9ms);
  CHECK(f.outlook.expect(start + 21ms, 1, 10ms) == start + 31ms);
}

TEST_CASE("a slow worker is expected later than the others") {
  fixture f;
  for (int i = 0; i < 100; ++i) f.outlook.learn(1, 20ms, 10ms);
  for (int i = 0; i < 100; ++i) f.outlook.learn(2, 10ms, 10ms);
  CHECK(f.outlook.expect(start, 2, 10ms) == start + 10ms);
  CHECK(f.outlook.expect(start, 1, 10ms) > start + 19ms);
  f.outlook.erase(1);
  CHECK(f.outlook.expect(start, 1, 10ms) == start + 10ms);
}

TEST_CASE("one slow batch makes no slow worker") {
  fixture f;
  f.outlook.learn(1, 10s, 10ms);
  CHECK(f.outlook.expect(start, 1, 10ms) < start + 14ms);
}

TEST_CASE("the outlook changes with every return and every credit") {
  fixture f;
  CHECK(f.outlook.free_credit(start) == 6);
  CHECK(f.outlook.workers() == 3);
  auto seen = f.outlook.version();
  auto changed = [&] { return std::exchange(seen, f.outlook.version()) != seen; };
  CHECK_FALSE(changed());
  auto id = *f.workers.assign(start);
  CHECK(changed());
  auto at = f.outlook.expect(start, id, 10ms);
  CHECK(changed());
  CHECK(f.outlook.free_credit(start) == 5);
  f.workers.release(id);
  CHECK(changed());
  static_cast<void>(f.outlook.forget(start, id, start, at));
  CHECK(changed());
  f.workers.down(start, 1);
  CHECK(changed());
  CHECK(f.outlook.free_credit(start) == 4);
}

TEST_CASE("free credit is what all workers together may still take") {
  fixture f;
  for (std::size_t left = 6; left > 0; --left) {
    CHECK(f.outlook.free_credit(start) == left);
    REQUIRE(f.workers.assign(start));
  }
  CHECK(f.outlook.free_credit(start) == 0);
  f.workers.set_credit(3);
  CHECK(f.outlook.free_credit(start) == 3);
}
