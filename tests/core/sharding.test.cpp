// SPDX-License-Identifier: BSD-3-Clause

#include "batcher/sharding.hpp"

#include "batcher/batcher_core.hpp"

#include <catch2/catch.hpp>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

struct plain_item {
  int number = 0;
};

// Two batchers that keep their limits together, without workers, so that all that comes in waits.
struct two_shards {
  explicit two_shards(options wanted)
    : opts{std::move(wanted)}, limits{std::make_shared<shared_limits>(opts)} {
    for (auto i : {0u, 1u})
      shards.push_back(std::make_unique<batcher_core<plain_item>>(
        share_of(opts, i), i,
        coalescing<plain_item>{[](const plain_item& x) { return std::size_t(x.number); },
                               [](const plain_item& x, const plain_item& y) {
                                 return x.number != 0 && x.number == y.number;
                               }},
        limits));
  }

  errc admit(std::size_t shard, const placement& where = {}, int number = 0) {
    return shards[shard]->admit(now, plain_item{number}, where).refused;
  }

  // Returns how many are let in until the first is refused, at most 1,000.
  std::size_t fill(std::size_t shard) {
    std::size_t taken = 0;
    while (taken < 1'000 && admit(shard) == errc::none) ++taken;
    return taken;
  }

  void abandon(std::size_t shard) {
    shards[shard]->abandon(now, errc::shut_down);
    shards[shard]->clear_departures();
  }

  time_point now;
  options opts;
  std::shared_ptr<shared_limits> limits;
  std::vector<std::unique_ptr<batcher_core<plain_item>>> shards;
};

options sharded(std::size_t max_queue_items, shard_by how = shard_by::load) {
  return {.max_batch_items = 1,
          .max_queue_items = max_queue_items,
          .max_lanes = 4,
          .workers = 2,
          .shards = 2,
          .shard_by = how};
}

} // namespace

// -- shares ---------------------------------------------------------------------------------------

TEST_CASE("the shards have all workers between them, and each is a good batcher by itself") {
  for (std::size_t workers : {3, 4, 5, 64}) {
    options opts{.workers = workers, .shards = 3};
    std::size_t sum = 0;
    for (std::size_t i = 0; i < opts.shards; ++i) {
      auto share = share_of(opts, i);
      CHECK(validate(share).empty());
      CHECK(share.workers >= workers / 3);
      CHECK(share.max_queue_items == opts.max_queue_items);
      sum += share.workers;
    }
    CHECK(sum == workers);
  }
}

TEST_CASE("a key has one shard, and keys spread over all of them") {
  std::array<int, 4> keys{};
  for (int i = 0; i < 400; ++i) {
    auto key = std::to_string(i);
    REQUIRE(shard_of(key, 4) == shard_of(std::string{key}, 4));
    ++keys.at(shard_of(key, 4));
  }
  CHECK(*std::min_element(keys.begin(), keys.end()) > 60);
}

// -- the choice -----------------------------------------------------------------------------------

TEST_CASE("a free worker attracts requests, a batch that begins to fill repels none") {
  work_load idle{.batch_time = 1ms, .is_served = true};
  work_load busy{.in_flight_items = 1, .batch_time = 1ms, .is_served = true};
  work_load filling{.queue_items = 7, .in_flight_items = 8, .batch_time = 1ms, .is_served = true};
  work_load behind{.queue_items = 8, .in_flight_items = 8, .batch_time = 1ms, .is_served = true};
  CHECK(pressure(idle, 8) < pressure(busy, 8));
  CHECK(pressure(busy, 8) == pressure(filling, 8));
  CHECK(pressure(filling, 8) < pressure(behind, 8));
}

TEST_CASE("a worker that is soon back is waited for") {
  work_load idle{.batch_time = 10us, .is_served = true};
  work_load busy{.queue_items = 7, .in_flight_items = 8, .batch_time = 10us, .is_served = true};
  work_load behind{.queue_items = 8, .in_flight_items = 8, .batch_time = 10us, .is_served = true};
  CHECK(pressure(idle, 8) == pressure(busy, 8));
  CHECK(pressure(busy, 8) < pressure(behind, 8));
}

TEST_CASE("a shard without workers gets requests only if no other has any") {
  work_load lost{};
  work_load behind{.queue_items = 60'000, .in_flight_items = 8, .is_served = true};
  CHECK(pressure(lost, 8) > pressure(behind, 8));
}

TEST_CASE("home is left only for a shard with less pressure") {
  auto choice = [](std::vector<std::uint64_t> pressures, std::size_t home) {
    return least_pressed(pressures.size(), home, [&](std::size_t i) { return pressures[i]; });
  };
  CHECK(choice({3, 3, 3}, 1) == 1);
  CHECK(choice({3, 3, 2}, 1) == 2);
  CHECK(choice({0, 3, 2}, 1) == 0);
  CHECK(choice({0, 1, 0}, 1) == 2);
}

// -- limits ---------------------------------------------------------------------------------------

TEST_CASE("either shard may use the whole queue, and both together no more") {
  two_shards both{sharded(10)};
  CHECK(both.fill(1) == 10);
  CHECK(both.admit(0) == errc::queue_full);
  both.abandon(1);
  CHECK(both.fill(0) == 10);
}

TEST_CASE("a long queue is shared in steps, and is full only a little early") {
  two_shards both{sharded(512)};
  auto first = both.fill(0);
  CHECK(first == 512);
  both.abandon(0);
  CHECK(both.admit(1) == errc::none);
  auto step = both.limits->queue_items.step();
  CHECK(step == 16);
  CHECK(both.fill(1) >= 511 - 2 * step);
}

TEST_CASE("a run of items takes room from the whole queue, too") {
  two_shards both{sharded(10)};
  auto take = [&](std::size_t shard, std::size_t items) {
    return both.shards[shard]->admit_run(both.now, {}, items,
                                         [](std::size_t) { return plain_item{}; });
  };
  auto taken = both.fill(0);
  CHECK(taken == 10);
  CHECK(take(1, 3) == 0);
}

TEST_CASE("by key, both shards together have no more lanes than one batcher would") {
  two_shards both{sharded(100, shard_by::key)};
  for (auto key : {"a", "b", "c"}) CHECK(both.admit(0, {.key = key}) == errc::none);
  CHECK(both.admit(1, {.key = "d"}) == errc::none);
  CHECK(both.admit(1, {.key = "e"}) == errc::too_many_lanes);
  both.abandon(0);
  for (auto key : {"e", "f", "g"}) CHECK(both.admit(1, {.key = key}) == errc::none);
  CHECK(both.admit(1, {.key = "h"}) == errc::too_many_lanes);
}

TEST_CASE("by load, a key may have a lane in each shard and counts once") {
  two_shards both{sharded(100)};
  for (auto shard : {0u, 1u})
    for (auto key : {"a", "b", "c", "d"}) CHECK(both.admit(shard, {.key = key}) == errc::none);
  CHECK(both.admit(1, {.key = "e"}) == errc::too_many_lanes);
}

TEST_CASE("identical requests share places up to the whole queue's limit") {
  two_shards both{sharded(4)};
  for (auto shard : {0u, 1u}) CHECK(both.admit(shard, {}, 7) == errc::none);
  for (auto shard : {0u, 0u, 1u, 1u}) CHECK(both.admit(shard, {}, 7) == errc::none);
  CHECK(both.admit(0, {}, 7) == errc::queue_full);
  both.abandon(1);
  CHECK(both.admit(0, {}, 7) == errc::none);
}

TEST_CASE("a smaller limit counts for both shards, and nothing that waits is lost") {
  two_shards both{sharded(10)};
  CHECK(both.fill(0) == 10);
  auto smaller = both.opts;
  smaller.max_queue_items = 4;
  for (auto i : {0u, 1u}) both.shards[i]->reconfigure(both.now, share_of(smaller, i));
  CHECK(both.shards[0]->queue_items() == 10);
  CHECK(both.admit(1) == errc::queue_full);
  both.abandon(0);
  CHECK(both.fill(1) == 4);
}

TEST_CASE("what a shard holds to spare is there for the others under a smaller limit") {
  two_shards both{sharded(10'000)};
  CHECK(both.admit(0) == errc::none);
  auto smaller = both.opts;
  smaller.max_queue_items = 20;
  for (auto i : {0u, 1u}) both.shards[i]->reconfigure(both.now, share_of(smaller, i));
  CHECK(both.fill(1) == 19);
  CHECK(both.admit(0) == errc::queue_full);
}

TEST_CASE("any number of lanes may be the limit") {
  options opts{.max_lanes = std::size_t{1} << 60, .workers = 2, .shards = 2};
  CHECK(shared_limits{opts}.lanes.step() == 1);
}

TEST_CASE("room is neither lost nor made, whatever the shards do") {
  rc::check([] {
    auto limit = *rc::gen::inRange<std::size_t>(1, 300);
    auto shares = *rc::gen::inRange<std::size_t>(1, 5);
    auto whole = std::make_shared<shared_room>(limit, shares);
    std::vector<std::size_t> used(shares);
    std::size_t last_sum = 0;
    {
      std::vector<std::unique_ptr<room_share>> parts;
      for (std::size_t i = 0; i < shares; ++i) parts.push_back(std::make_unique<room_share>(whole));
      auto steps =
        *rc::gen::container<std::vector<std::pair<std::size_t, std::size_t>>>(rc::gen::pair(
          rc::gen::inRange<std::size_t>(0, shares), rc::gen::inRange<std::size_t>(0, 40)));
      for (auto [i, wanted] : steps) {
        if (wanted == 1) {
          whole->set_limit(limit -= limit / 2);
          for (std::size_t part = 0; part < shares; ++part) parts[part]->give_back(used[part]);
        }
        auto most = parts[i]->reach(wanted, 0);
        used[i] = std::min(std::max(used[i], wanted), std::max(most, used[i]));
        if (wanted % 3 == 0) used[i] /= 2;
        parts[i]->settle(used[i]);
        // What is used beyond a smaller limit may stay, and does not grow.
        auto sum = std::accumulate(used.begin(), used.end(), std::size_t{0});
        RC_ASSERT(sum <= std::max(limit, last_sum));
        last_sum = sum;
      }
    }
    RC_ASSERT(whole->take(limit + 1) == limit);
  });
}
