// SPDX-License-Identifier: BSD-3-Clause
//
// Several batchers behind one handle, in virtual time.

#include "actor_fixture.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

struct shard_fixture : actor_fixture {
  handle spawn_shards(options opts) {
    return spawn(std::move(opts), [this] {
      return [this, by = ran_by, own = makers++](batch xs) {
        called.emplace_back(xs.begin(), xs.end());
        auto& items = (*by)[own];
        items.insert(items.end(), xs.begin(), xs.end());
        return doubled(xs);
      };
    });
  }

  handle spawn_paused(options opts) {
    auto b = spawn_shards(std::move(opts));
    tell(b, actors::pause_atom_v);
    return b;
  }

  int makers = 0;
  // What each worker ran.
  std::shared_ptr<std::map<int, std::vector<int>>> ran_by =
    std::make_shared<std::map<int, std::vector<int>>>();
};

options by_load() { return {.max_batch_items = 4, .max_delay = 1ms, .workers = 2, .shards = 2}; }

options by_key() {
  auto opts = by_load();
  opts.shard_by = shard_by::key;
  return opts;
}

} // namespace

// -- requests -------------------------------------------------------------------------------------

TEST_CASE_METHOD(shard_fixture, "shards answer like one batcher, each request once") {
  auto b = spawn_shards(by_load());
  request(b, 0, 100);
  time.advance(1ms);
  CHECK(answered.values.size() == 100);
  CHECK(answered.total() == 100);
  for (auto [request, y] : answered.values) CHECK(y == 2 * request);
}

TEST_CASE_METHOD(shard_fixture, "what is too much for one shard goes to the others") {
  auto opts = by_load();
  opts.max_delay = 1h;
  auto b = spawn_paused(opts);
  request(b, 0, 40);
  tell(b, actors::resume_atom_v);
  REQUIRE(ran_by->size() == 2);
  for (auto& [worker, items] : *ran_by) CHECK(items.size() >= 16);
}

TEST_CASE_METHOD(shard_fixture, "requests of one key share a shard and keep their order") {
  auto b = spawn_shards(by_key());
  auto client = spawn_client();
  for (int i = 0; i < 60; ++i) post_submit(client, b, {.request = i, .key = std::to_string(i % 6)});
  time.run();
  time.advance(1ms);
  CHECK(answered.values.size() == 60);
  std::map<int, int> worker_of;
  for (auto& [worker, items] : *ran_by) {
    std::map<int, int> last;
    for (auto x : items) {
      CHECK(worker_of.emplace(x % 6, worker).first->second == worker);
      if (last.contains(x % 6)) CHECK(last[x % 6] < x);
      last[x % 6] = x;
    }
  }
  CHECK(ran_by->size() == 2);
}

TEST_CASE_METHOD(shard_fixture, "the key of a bulk and of a request from outside counts as well") {
  auto b = spawn_shards(by_key());
  for (auto key : {"a", "b", "c", "d"}) {
    ran_by->clear();
    actors::ask(b, actors::submit<int>{.request = 1, .key = key}, keep(1));
    actors::ask_all(b, actors::bulk<int>{.requests = {2, 3}, .key = key}, [](auto) {});
    submit(spawn_client(), b, {.request = 4, .key = key});
    time.advance(1ms);
    REQUIRE(ran_by->size() == 1);
    CHECK(ran_by->begin()->second.size() == 4);
  }
}

TEST_CASE_METHOD(shard_fixture, "the workers of all shards have numbers of their own") {
  auto opts = by_load();
  opts.workers = 5;
  std::set<std::size_t> numbers;
  auto b = spawn(opts, [&](std::size_t number) {
    numbers.insert(number);
    return [](batch xs) { return doubled(xs); };
  });
  CHECK(numbers == std::set<std::size_t>{0, 1, 2, 3, 4});
}

// -- limits ---------------------------------------------------------------------------------------

TEST_CASE_METHOD(shard_fixture, "the queue's limit is that of all shards together") {
  for (auto opts : {by_load(), by_key()}) {
    answered = {};
    opts.max_queue_items = 12;
    auto b = spawn_paused(opts);
    request(b, 0, 20);
    CHECK(answered.failed_with(errc::queue_full) == 8);
    CHECK(stats(b).counters.queue_items == 12);
    tell(b, actors::resume_atom_v);
    time.advance(1ms);
    CHECK(answered.values.size() == 12);
  }
}

TEST_CASE_METHOD(shard_fixture, "a full queue tells how much waits in all shards") {
  auto opts = by_key();
  opts.max_queue_items = 12;
  auto b = spawn_paused(opts);
  auto client = spawn_client();
  std::string other = "b";
  while (shard_of(other, 2) == shard_of("a", 2)) other += 'b';
  for (int i = 0; i < 12; ++i) submit(client, b, {.request = i, .key = "a"});
  submit(client, b, {.request = 12, .key = other});
  REQUIRE(answered.errors.size() == 1);
  auto hint = actors::hint_of(answered.errors.begin()->second);
  REQUIRE(hint);
  CHECK(hint->queue_items == 12);
}

TEST_CASE("options that shards cannot keep are refused, each with a sentence") {
  auto problem = [](options opts) {
    auto problems = validate(opts);
    REQUIRE(problems.size() == 1);
    return problems.front();
  };
  using Catch::Matchers::Contains;
  auto opts = by_load();
  CHECK(validate(opts).empty());
  opts.shards = 3;
  CHECK_THAT(problem(opts), Contains("shards is 3") && Contains("workers (2)"));
  opts.shards = 0;
  CHECK_THAT(problem(opts), Contains("shards is 0"));
  opts = by_load();
  opts.overload = overload::wait_for_credit;
  CHECK_THAT(problem(opts), Contains("wait_for_credit"));
  opts = by_load();
  opts.max_lane_items = 8;
  CHECK_THAT(problem(opts), Contains("max_lane_items is 8"));
  opts.shard_by = shard_by::key;
  CHECK(validate(opts).empty());
}

// -- what concerns all shards ---------------------------------------------------------------------

TEST_CASE_METHOD(shard_fixture, "the stats are sums over the shards") {
  auto b = spawn_shards(by_load());
  request(b, 0, 10);
  time.advance(1ms);
  auto all = stats(b);
  CHECK(all.counters.requests == 10);
  CHECK(all.counters.replies[0] == 10);
  CHECK(all.counters.workers[static_cast<std::size_t>(worker_stage::serving)] == 2);
  CHECK_FALSE(all.is_closed);
}

TEST_CASE_METHOD(shard_fixture, "a message that concerns all comes before what is sent after it") {
  auto opts = by_load();
  opts.when_idle = when_idle::immediate;
  auto b = spawn_shards(opts);
  auto is_urgent = GENERATE(false, true);
  post(spawn_client(), [=, this](caf::event_based_actor* self) {
    auto ignore = [](const caf::error&) {};
    if (is_urgent)
      actors::compat::urgent_request(self, b, actors::pause_atom_v).then([] {}, ignore);
    else
      actors::compat::request(self, b, actors::pause_atom_v).then([] {}, ignore);
    for (int i = 0; i < 8; ++i)
      actors::compat::request(self, b, i)
        .then([this, i](int y) { answered.values.emplace(i, y); }, [](const caf::error&) {});
  });
  time.run();
  CHECK(called.empty());
  CHECK(stats(b).counters.queue_items == 8);
  tell(b, actors::resume_atom_v);
  time.advance(1ms);
  CHECK(answered.values.size() == 8);
}

TEST_CASE_METHOD(shard_fixture, "a drain ends when the last shard is empty and counts for all") {
  auto opts = by_load();
  opts.max_delay = 1h;
  auto b = spawn_shards(opts);
  request(b, 0, 6);
  auto unfinished =
    ask_as<std::uint64_t>(spawn_client(), b, actors::drain_atom_v, caf::timespan{1s});
  REQUIRE(*unfinished);
  CHECK(**unfinished == 0);
  CHECK(answered.values.size() == 6);
  request(b, 6, 8);
  CHECK(answered.failed_with(errc::shut_down) == 2);
}

TEST_CASE_METHOD(shard_fixture, "a request is cancelled in whichever shard it is") {
  for (auto opts : {by_load(), by_key()}) {
    answered = {};
    opts.max_delay = 1h;
    auto b = spawn_shards(opts);
    auto client = spawn_client();
    for (int i = 1; i <= 3; ++i)
      submit(client, b,
             {.request = i, .key = std::to_string(i), .tag = static_cast<std::uint64_t>(i)});
    auto found = ask_as<bool>(client, b, actors::cancel_atom_v, std::uint64_t{2});
    REQUIRE(*found);
    CHECK(***found);
    CHECK(answered.failed_with(errc::cancelled) == 1);
    auto others = ask_as<bool>(spawn_client(), b, actors::cancel_atom_v, std::uint64_t{1});
    REQUIRE(*others);
    CHECK_FALSE(***others);
  }
}

TEST_CASE_METHOD(shard_fixture, "a request from outside is cancelled by its tag, too") {
  auto opts = by_load();
  opts.max_delay = 1h;
  auto b = spawn_shards(opts);
  actors::ask(b, actors::submit<int>{.request = 5, .tag = 9}, keep(5));
  actors::cancel(b, 9);
  time.run();
  CHECK(answered.failed_with(errc::cancelled) == 1);
}

TEST_CASE_METHOD(shard_fixture, "new options reach every shard, and the number of shards stays") {
  auto opts = by_load();
  opts.workers = 4;
  auto b = spawn_shards(opts);
  auto wanted = by_load();
  wanted.workers = 6;
  wanted.shards = 5;
  wanted.max_batch_items = 2;
  CHECK_FALSE(reconfigure(b, wanted));
  CHECK(stats(b).counters.workers[static_cast<std::size_t>(worker_stage::serving)] == 6);
  request(b, 0, 20);
  time.advance(1ms);
  CHECK(answered.values.size() == 20);
  CHECK(std::all_of(called.begin(), called.end(), [](auto& xs) { return xs.size() <= 2; }));
}

TEST_CASE_METHOD(shard_fixture, "bad new options are refused whole and change nothing") {
  auto b = spawn_shards(by_load());
  auto wanted = by_load();
  wanted.workers = 1; // fewer than shards
  CHECK(reconfigure(b, wanted) == caf::make_error(errc::invalid_options));
  CHECK(stats(b).counters.workers[static_cast<std::size_t>(worker_stage::serving)] == 2);
}

TEST_CASE_METHOD(shard_fixture, "shards give no credit") {
  auto b = spawn_shards(by_load());
  auto credit = ask_as<std::uint32_t>(spawn_client(), b, actors::credit_atom_v, std::uint32_t{1});
  REQUIRE(*credit);
  CHECK((*credit)->error() == caf::make_error(errc::invalid_request));
}

// -- its end --------------------------------------------------------------------------------------

TEST_CASE_METHOD(shard_fixture, "a kill answers what every shard holds") {
  auto b = spawn_paused(by_load());
  request(b, 0, 12);
  exit(b, caf::exit_reason::kill);
  CHECK(answered.failed_with(errc::shut_down) == 12);
  request(b, 12, 14);
  CHECK(answered.total() == 14);
}

TEST_CASE_METHOD(shard_fixture, "one that has ended answers whatever was asked of it before") {
  auto b = spawn_shards(by_load());
  exit(b, caf::exit_reason::kill);
  auto all = ask_as<actors::stats_message>(spawn_client(), b, actors::stats_atom_v);
  REQUIRE(*all);
  request(b, 0, 2);
  actors::ask(b, 2, keep(2));
  time.run();
  CHECK(answered.total() == 3);
}

TEST_CASE_METHOD(shard_fixture, "what was asked of a handle that is let go is answered") {
  auto opts = by_load();
  opts.max_delay = 10ms;
  for (int i = 0; i < 5; ++i) {
    auto b = spawn_shards(opts);
    actors::ask(b, i, keep(i));
  }
  time.run();
  CHECK(answered.total() == 0);
  time.advance(10ms);
  CHECK(answered.values.size() == 5);
}
