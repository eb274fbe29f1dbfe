// SPDX-License-Identifier: BSD-3-Clause
//
// A batcher under operation, in virtual time: held up, changed and asked how it does.

#include "held_workers.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

struct control_fixture : held_fixture {
  /// Counts the worker functions that live.
  struct life {
    explicit life(int& of) : count{std::shared_ptr<int>(&of, [](int* n) { --*n; })} { ++of; }
    std::shared_ptr<int> count;
  };

  handle spawn_counted(options opts) {
    return spawn(std::move(opts), [this] {
      return [this, own = life{alive}](batch xs) {
        called.emplace_back(xs.begin(), xs.end());
        return doubled(xs);
      };
    });
  }

  int alive = 0;
};

std::size_t stage(const batcher_stats& of, worker_stage which) {
  return of.counters.workers[static_cast<std::size_t>(which)];
}

} // namespace

// -- pause and resume -----------------------------------------------------------------------------

TEST_CASE_METHOD(control_fixture,
                 "a paused batcher takes requests, lets them expire and runs none") {
  auto b = spawn_doubler({.max_batch_items = 1, .request_timeout = 1s});
  tell(b, actors::pause_atom_v);
  request(b, 0, 1);
  time.advance(500ms);
  request(b, 1, 2);
  CHECK(called.empty());
  CHECK(stats(b).is_paused);
  time.advance(500ms);
  CHECK(answered.failed_with(errc::expired) == 1);
  tell(b, actors::resume_atom_v);
  CHECK(called == calls{{1}});
  CHECK_FALSE(stats(b).is_paused);
}

TEST_CASE_METHOD(control_fixture, "what runs while a batcher is paused goes on") {
  auto b = spawn_held({.max_batch_items = 1});
  request(b, 0, 2);
  tell(b, actors::pause_atom_v);
  release(0);
  time.run();
  CHECK(answered.values.size() == 1);
  CHECK(stats(b).counters.in_flight_items == 0);
  tell(b, actors::resume_atom_v);
  CHECK(stats(b).counters.in_flight_items == 1);
}

TEST_CASE_METHOD(control_fixture, "a drain ends a pause") {
  auto b = spawn_doubler({.max_delay = 1h});
  tell(b, actors::pause_atom_v);
  request(b, 0, 3);
  tell(b, actors::drain_atom_v, caf::timespan{1h});
  CHECK(answered.values.size() == 3);
}

// -- stats ----------------------------------------------------------------------------------------

TEST_CASE_METHOD(control_fixture, "the stats tell what waits, what runs and for how long") {
  auto b = spawn_held({.max_batch_items = 2, .max_delay = 1h, .workers = 2});
  request(b, 0, 5);
  time.advance(3ms);
  auto now = stats(b);
  CHECK(now.counters.requests == 5);
  CHECK(now.counters.replied() == 0);
  CHECK(now.counters.queue_items == 1);
  CHECK(now.counters.in_flight_items == 4);
  CHECK(now.in_flight_batches == 2);
  CHECK(now.oldest_age == 3ms);
  CHECK(stage(now, worker_stage::serving) == 2);
  CHECK_FALSE(now.is_draining);
  tell(b, actors::drain_atom_v, caf::timespan{1h});
  CHECK(stats(b).is_draining);
  tell(b, actors::stop_atom_v);
  CHECK(stats(b).is_closed);
  CHECK(stats(b).counters.replied() == 5);
}

// -- reconfigure ----------------------------------------------------------------------------------

TEST_CASE_METHOD(control_fixture, "bad new options are refused whole, with every problem") {
  auto b = spawn_doubler({.max_batch_items = 2, .max_delay = 1h});
  auto why = reconfigure(b, {.max_batch_items = 0, .max_delay = -1ns, .workers = 5'000});
  CHECK(why == caf::make_error(errc::invalid_options));
  for (auto knob : {"max_batch_items is", "max_delay is", "workers is"})
    CHECK(text(why).find(knob) != std::string::npos);
  request(b, 0, 2);
  CHECK(called == calls{{0, 1}});
}

TEST_CASE_METHOD(control_fixture, "a shorter window holds for what waits already") {
  auto b = spawn_doubler({.max_delay = 1h});
  request(b, 0, 3);
  time.advance(4ms);
  CHECK_FALSE(reconfigure(b, {.max_delay = 10ms}));
  time.advance(6ms - 1ns);
  CHECK(called.empty());
  time.advance(1ns);
  CHECK(called == calls{{0, 1, 2}});
}

TEST_CASE_METHOD(control_fixture, "limits below what waits lose nothing") {
  auto b = spawn_doubler({.max_batch_items = 8, .max_delay = 1h});
  request(b, 0, 7);
  CHECK_FALSE(reconfigure(b, {.max_batch_items = 2, .max_delay = 1h, .max_queue_items = 2}));
  CHECK(called == calls{{0, 1}, {2, 3}, {4, 5}});
  request(b, 7, 8);
  CHECK(answered.values.size() == 8);
}

TEST_CASE_METHOD(control_fixture, "the name stays and the refusals tell the new limits") {
  auto b = spawn_doubler({.name = "predict"}, {.cost = [](const int&) { return 20; }});
  CHECK_FALSE(reconfigure(b, {.name = "other", .max_batch_cost = 10}));
  request(b, 0, 1);
  REQUIRE(answered.failed_with(errc::too_costly) == 1);
  CHECK(text(answered.errors.begin()->second).find("10 that a batch of predict")
        != std::string::npos);
}

TEST_CASE_METHOD(control_fixture, "workers grow and shrink, and those that work finish first") {
  auto b = spawn_counted({.workers = 1});
  CHECK(alive == 1);
  CHECK_FALSE(reconfigure(b, {.workers = 4}));
  CHECK(alive == 4);
  CHECK_FALSE(reconfigure(b, {.workers = 2}));
  CHECK(alive == 2);
  request(b, 0, 5);
  time.advance(2ms);
  CHECK(answered.values.size() == 5);
  b = nullptr;
  time.run();
  CHECK(alive == 0);

  auto held = spawn_held({.max_batch_items = 1, .workers = 2});
  request(held, 10, 13);
  CHECK_FALSE(reconfigure(held, {.max_batch_items = 1, .workers = 1}));
  CHECK(stage(stats(held), worker_stage::retiring) == 1);
  for (int i = 0; i < 2; ++i) {
    release(0);
    release(1);
    time.run();
  }
  CHECK(answered.values.size() == 8);
  CHECK(stage(stats(held), worker_stage::retiring) == 0);
}

TEST_CASE_METHOD(control_fixture, "more credit reaches the workers that are up") {
  auto b = spawn_held({.max_batch_items = 1});
  request(b, 0, 3);
  CHECK(stats(b).in_flight_batches == 1);
  CHECK_FALSE(reconfigure(b, {.max_batch_items = 1, .worker_credit = 3}));
  CHECK(stats(b).in_flight_batches == 3);
}

TEST_CASE_METHOD(control_fixture, "a shorter batch_timeout holds for the batches that come") {
  auto b = spawn_held({.max_batch_items = 1});
  request(b, 0, 1);
  CHECK_FALSE(reconfigure(b, {.max_batch_items = 1, .batch_timeout = 5ms}));
  time.advance(1s);
  CHECK(answered.total() == 0);
  release(0);
  time.run();
  request(b, 1, 2);
  time.advance(5ms);
  CHECK(answered.failed_with(errc::batch_timeout) == 1);
}

TEST_CASE_METHOD(control_fixture, "whoever waits for credit gets it although no more is given") {
  options credit{.max_batch_items = 1, .max_queue_items = 1, .overload = overload::wait_for_credit};
  auto b = spawn_held(credit);
  request(b, 0, 2);
  auto waiting = ask_as<std::uint32_t>(spawn_client(), b, actors::credit_atom_v, std::uint32_t{1});
  CHECK_FALSE(*waiting);
  CHECK_FALSE(reconfigure(b, {.max_batch_items = 1, .max_queue_items = 1}));
  release(0);
  time.run();
  CHECK(*waiting == 1u);
}

TEST_CASE_METHOD(actor_fixture,
                 "a batch in flight runs again whole if retries are turned on meanwhile") {
  std::vector<std::string> seen;
  std::vector<actors::batch_promise<int>> owed;
  options opts{.max_batch_items = 1, .worker_execution = worker_execution::cooperative};
  auto b = actors::spawn_batcher<std::string, int>(time.system(), opts, [&] {
    return [&](std::span<const std::string> xs, actors::batch_promise<int> answer) {
      seen.push_back(xs[0]);
      owed.push_back(std::move(answer));
    };
  });
  std::string request = "long enough not to lie inside of the string itself";
  auto result = actors::ask(b, request);
  time.run();
  opts.on_failure = retry::idempotent{};
  actors::compat::anon_send(
    b, actors::reconfigure_message{std::make_shared<const options>(std::move(opts))});
  time.run();
  for (std::size_t i = 0; i < owed.size() && i < 2; ++i) {
    if (i == 0)
      owed[i].fail(caf::make_error(errc::batch_failed, "once"));
    else
      owed[i].deliver(std::vector<int>{5});
    time.run();
  }
  CHECK(seen == std::vector<std::string>{request, request});
  CHECK(result.get() == 5);
}
