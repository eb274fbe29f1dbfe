// SPDX-License-Identifier: BSD-3-Clause
//
// What becomes of batches that fail and of workers that die, in virtual time: retries, restarts, time
// limits, the breaker and outages.

#include "held_workers.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

struct failure_fixture : held_fixture {
  /// Starts a batcher whose function throws for every batch that `fails` holds for.
  handle spawn_failing(options opts, std::function<bool(batch)> fails) {
    return spawn(std::move(opts), [this, fails] {
      return [this, fails](batch xs) {
        called.emplace_back(xs.begin(), xs.end());
        if (fails(xs)) throw std::runtime_error{"poison"};
        return doubled(xs);
      };
    });
  }

  /// Starts a batcher whose `make_worker` throws while `is_broken` holds.
  handle spawn_breakable(options opts) {
    return spawn(std::move(opts), [this] {
      ++starts;
      if (is_broken) throw std::runtime_error{"no such model file"};
      return [](batch xs) { return actor_fixture::doubled(xs); };
    });
  }

  bool is_broken = true;
  int starts = 0;
};

bool holds(batch xs, int x) { return std::find(xs.begin(), xs.end(), x) != xs.end(); }

// The wait before a restart is drawn from the upper half of this.
constexpr auto longest_wait = 100ms;

} // namespace

// -- retries --------------------------------------------------------------------------------------

TEST_CASE_METHOD(failure_fixture,
                 "one poison in 16 costs eight more calls and nobody else a reply") {
  auto b = spawn_failing({.max_batch_items = 16, .on_failure = retry::idempotent{}},
                         [](batch xs) { return holds(xs, 13); });
  request(b, 0, 16);
  CHECK(called.size() == 9);
  CHECK(answered.values.size() == 15);
  CHECK(answered.failed_with(errc::batch_failed) == 1);
  REQUIRE(answered.errors.count(13) == 1);
  CHECK(text(answered.errors.begin()->second).find("poison") != std::string::npos);
  CHECK(stats(b).counters.bisections == 4);
}

TEST_CASE_METHOD(failure_fixture,
                 "without bisection a batch runs again as it is, max_attempts times") {
  auto good_from = GENERATE(std::size_t{3}, std::size_t{4});
  auto b = spawn_failing(
    {.max_batch_items = 2, .on_failure = retry::idempotent{.max_attempts = 3, .bisect = false}},
    [&](batch) { return called.size() < good_from; });
  request(b, 0, 2);
  CHECK(called == calls{{0, 1}, {0, 1}, {0, 1}});
  CHECK(answered.values.size() == (good_from == 3 ? 2 : 0));
  CHECK(answered.failed_with(errc::batch_failed) == (good_from == 3 ? 0 : 2));
}

TEST_CASE_METHOD(failure_fixture, "with retry::never a batch runs once") {
  auto b = spawn_failing({.max_batch_items = 2}, [](batch) { return true; });
  request(b, 0, 2);
  CHECK(called.size() == 1);
  CHECK(answered.failed_with(errc::batch_failed) == 2);
}

TEST_CASE_METHOD(failure_fixture, "an item that nobody waits for does not run again") {
  auto b = spawn_held({.max_batch_items = 2, .on_failure = retry::idempotent{.bisect = false}});
  auto client = spawn_client();
  submit(client, b, {.request = 1, .tag = 1});
  submit(client, b, {.request = 2});
  CHECK(*ask_as<bool>(client, b, actors::cancel_atom_v, std::uint64_t{1}) == true);
  release(0, fate::thrown);
  time.run();
  release(0);
  time.run();
  CHECK(answered.values == std::multimap<int, int>{{2, 4}});
  CHECK(answered.total() == 2);
}

// -- deaths and restarts --------------------------------------------------------------------------

TEST_CASE_METHOD(failure_fixture, "the batch of a worker that dies runs again on its successor") {
  auto b = spawn_held({.max_batch_items = 2, .on_failure = retry::idempotent{.bisect = false}});
  request(b, 0, 2);
  exit(workers[0], caf::exit_reason::kill);
  CHECK(answered.total() == 0);
  time.advance(longest_wait / 2 - 1ns);
  CHECK(workers.size() == 1);
  time.advance(longest_wait / 2 + 1ns);
  REQUIRE(workers.size() == 2);
  release(1);
  time.run();
  CHECK(answered.values.size() == 2);
  CHECK(stats(b).counters.restarts == 1);
}

TEST_CASE_METHOD(failure_fixture, "with retry::never the batch of a worker that dies is lost") {
  auto b = spawn_held({.max_batch_items = 2, .max_delay = 1h});
  request(b, 0, 4);
  exit(workers[0], caf::exit_reason::kill);
  CHECK(answered.failed_with(errc::worker_lost) == 2);
  time.advance(longest_wait);
  release(1);
  time.run();
  CHECK(answered.values.size() == 2); // those that waited
}

TEST_CASE_METHOD(failure_fixture, "a make_worker that throws at first is tried again") {
  auto b = spawn_breakable({.max_delay = 1ms});
  request(b, 0, 2);
  is_broken = false;
  time.advance(longest_wait);
  time.advance(1ms);
  CHECK(answered.values.size() == 2);
  CHECK(starts == 2);
}

TEST_CASE_METHOD(failure_fixture,
                 "an outage answers everybody after max_outage, until a worker is back") {
  auto b = spawn_breakable({.max_delay = 1ms, .max_restart_delay = 200ms, .max_outage = 1s});
  request(b, 0, 2);
  for (int i = 0; i < 10; ++i) {
    CHECK(answered.total() == 0);
    time.advance(100ms);
  }
  CHECK(answered.failed_with(errc::no_workers) == 2);
  CHECK(text(answered.errors.begin()->second).find("no such model file") != std::string::npos);
  request(b, 2, 3);
  CHECK(answered.failed_with(errc::no_workers) == 3);
  is_broken = false;
  time.advance(200ms);
  request(b, 3, 4); // starts the worker
  time.advance(200ms);
  request(b, 4, 5);
  time.advance(1ms);
  CHECK(answered.values.count(4) == 1);
}

TEST_CASE_METHOD(failure_fixture,
                 "an idle batcher leaves its dying workers alone until it is asked") {
  auto b = spawn_breakable({.max_delay = 1ms});
  for (int i = 0; i < 600; ++i) time.advance(1s);
  CHECK(starts == 2); // the first one, and one to see whether that was an accident
  is_broken = false;
  request(b, 0, 1);
  time.advance(1ms);
  CHECK(starts == 3);
  CHECK(answered.total() == 1);
}

TEST_CASE_METHOD(failure_fixture,
                 "a batcher without handles ends although its workers die at every start") {
  auto asks = GENERATE(true, false);
  {
    auto b = spawn_breakable({.max_delay = 1ms});
    if (asks) request(b, 0, 3);
  }
  // Ends when the last timer is gone; the fixture would go on for ever if there always was one.
  for (int i = 0; i < 600; ++i) time.advance(1s);
  CHECK(answered.failed_with(errc::no_workers) == (asks ? 3 : 0));
  auto started = starts;
  for (int i = 0; i < 600; ++i) time.advance(1s);
  CHECK(starts == started);
}

// -- time limits ----------------------------------------------------------------------------------

TEST_CASE_METHOD(failure_fixture,
                 "a batch that takes too long is answered, and its late results are not") {
  auto b = spawn_held({.max_batch_items = 2, .batch_timeout = 50ms});
  request(b, 0, 2);
  time.advance(50ms - 1ns);
  CHECK(answered.total() == 0);
  time.advance(1ns);
  CHECK(answered.failed_with(errc::batch_timeout) == 2);
  request(b, 2, 4);
  CHECK(stats(b).counters.in_flight_items == 0); // the worker is still busy
  release(0);
  time.run();
  CHECK(answered.total() == 2);
  CHECK(stats(b).counters.late_answers == 1);
  release(0);
  time.run();
  CHECK(answered.values.size() == 2);
}

TEST_CASE_METHOD(failure_fixture, "a batch that takes too long runs again elsewhere") {
  auto b = spawn_held({.max_batch_items = 2,
                       .batch_timeout = 50ms,
                       .on_failure = retry::idempotent{.bisect = false},
                       .workers = 2});
  request(b, 0, 2);
  time.advance(50ms);
  release(0);
  release(1);
  time.run();
  CHECK(answered.values.size() == 2);
  CHECK(stats(b).counters.late_answers == 1);
}

// -- the breaker ----------------------------------------------------------------------------------

TEST_CASE_METHOD(failure_fixture,
                 "a worker that fails again and again is put aside and tried later") {
  bool is_ill = true;
  std::vector<int> jobs(2);
  auto b =
    spawn({.max_batch_items = 1, .workers = 2, .breaker_failures = 2}, [&](std::size_t number) {
      return [&, number](batch xs) {
        ++jobs[number];
        if (number == 0 && is_ill) throw std::runtime_error{"ill"};
        return doubled(xs);
      };
    });
  request(b, 0, 20);
  CHECK(jobs[0] == 2);
  CHECK(answered.failed_with(errc::batch_failed) == 2);
  CHECK(answered.values.size() == 18);
  is_ill = false;
  time.advance(longest_wait);
  request(b, 20, 40);
  CHECK(jobs[0] > 3);
  CHECK(answered.values.size() == 38);
}
