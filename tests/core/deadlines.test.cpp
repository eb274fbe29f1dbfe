// SPDX-License-Identifier: BSD-3-Clause
//
// Deadlines: the earliest that counts, and those of things that have ended.

#include "batcher/deadlines.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <map>
#include <vector>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

// The owner: what is current and until when.
struct owner {
  void add(std::uint64_t name, time_point at) {
    current[name] = at;
    all.add(at, name, current.size(), is_current());
  }

  std::optional<time_point> earliest() { return all.earliest(is_current()); }

  std::optional<std::uint64_t> take_due(time_point now) {
    auto name = all.take_due(now, is_current());
    if (name) current.erase(*name);
    return name;
  }

  std::function<bool(time_point, std::uint64_t)> is_current() {
    return [this](time_point at, std::uint64_t name) {
      ++asked;
      auto it = current.find(name);
      return it != current.end() && it->second == at;
    };
  }

  deadlines all;
  std::map<std::uint64_t, time_point> current;
  std::size_t asked = 0;
};

} // namespace

TEST_CASE("without deadlines nothing is due") {
  owner o;
  CHECK_FALSE(o.earliest());
  CHECK_FALSE(o.take_due(time_point::max()));
}

TEST_CASE("deadlines come due in their order, not in that of their coming") {
  owner o;
  for (std::uint64_t i : {3u, 1u, 4u, 2u, 5u}) o.add(i, start + i * 1ms);
  CHECK(o.earliest() == start + 1ms);
  std::vector<std::uint64_t> due;
  while (auto name = o.take_due(start + 3ms)) due.push_back(*name);
  CHECK(due == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(o.earliest() == start + 4ms);
}

TEST_CASE("a deadline is due at its instant and not an instant before") {
  owner o;
  o.add(7, start);
  CHECK_FALSE(o.take_due(start - 1ns));
  CHECK(o.take_due(start) == 7u);
  CHECK_FALSE(o.take_due(start));
}

TEST_CASE("what has ended before its deadline is passed over") {
  owner o;
  for (std::uint64_t i = 1; i <= 4; ++i) o.add(i, start + i * 1ms);
  o.current.erase(1);
  o.current.erase(3);
  CHECK(o.earliest() == start + 2ms);
  CHECK(o.take_due(start + 1h) == 2u);
  CHECK(o.take_due(start + 1h) == 4u);
  CHECK_FALSE(o.take_due(start + 1h));
}

TEST_CASE("a name with a new deadline is due at the new one only") {
  owner o;
  o.add(1, start + 1ms);
  o.add(1, start + 5ms);
  CHECK(o.earliest() == start + 5ms);
  CHECK_FALSE(o.take_due(start + 4ms));
  CHECK(o.take_due(start + 5ms) == 1u);
  CHECK_FALSE(o.take_due(start + 1h));
}

TEST_CASE("things that end long before their deadlines leave at most twice as many, and 64") {
  owner o;
  o.add(1, start); // the one that stays
  for (std::uint64_t i = 2; i < 10'000; ++i) {
    o.add(i, start + 1h);
    o.current.erase(i);
  }
  // Every entry that is left is looked at once, after the one that is due.
  o.current.clear();
  o.asked = 0;
  CHECK_FALSE(o.earliest());
  CHECK(o.asked <= 2 * 2 + 64 + 1);
}

TEST_CASE("clearing out what has ended keeps everything that has not") {
  owner o;
  for (std::uint64_t i = 1; i <= 1'000; ++i) {
    o.add(i, start + (i * 7'919 % 1'000) * 1ms);
    if (i % 10 != 0) o.current.erase(i);
  }
  auto last = start;
  std::size_t due = 0;
  while (auto at = o.earliest()) {
    CHECK(*at >= last);
    last = *at;
    REQUIRE(o.take_due(*at));
    ++due;
  }
  CHECK(due == 100);
  CHECK(o.current.empty());
}
