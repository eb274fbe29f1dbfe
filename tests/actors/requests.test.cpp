// SPDX-License-Identifier: BSD-3-Clause
//
// What a sender may ask for beside its request: a deadline, a rank, a lane, to forget it again, and
// credit.

#include "held_workers.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

struct requests_fixture : held_fixture {
  answer_of<bool> cancel(const caf::actor& whose, const handle& b, std::uint64_t tag) {
    return ask_as<bool>(whose, b, actors::cancel_atom_v, tag);
  }

  answer_of<std::uint32_t> ask_credit(const handle& b, std::uint32_t items) {
    return ask_as<std::uint32_t>(me, b, actors::credit_atom_v, items);
  }

  caf::actor me = spawn_client();
};

const options one_at_a_time{.max_batch_items = 1};
const options long_window{.max_batch_items = 4, .max_delay = 1h};
const options on_credit{
  .max_batch_items = 1, .max_queue_items = 2, .overload = overload::wait_for_credit};

} // namespace

// -- deadlines ------------------------------------------------------------------------------------

TEST_CASE_METHOD(requests_fixture, "a request expires at its own timeout while it is queued") {
  auto b = spawn_doubler(long_window);
  submit(me, b, {.request = 1, .timeout = 5ms});
  time.advance(5ms - 1ns);
  CHECK(answered.total() == 0);
  time.advance(1ns);
  CHECK(answered.failed_with(errc::expired) == 1);
  CHECK(called.empty());
}

TEST_CASE_METHOD(requests_fixture, "a request expires while it is in flight, and only once") {
  auto b = spawn_held({.max_batch_items = 2});
  submit(me, b, {.request = 1, .timeout = 5ms});
  submit(me, b, {.request = 2});
  time.advance(5ms - 1ns);
  CHECK(answered.total() == 0);
  time.advance(1ns);
  CHECK(answered.failed_with(errc::expired) == 1);
  release(0);
  time.run();
  CHECK(answered.values == std::multimap<int, int>{{2, 4}});
  CHECK(answered.total() == 2);
}

TEST_CASE_METHOD(requests_fixture, "a timeout can only shorten what the batcher grants") {
  auto opts = long_window;
  opts.request_timeout = 5ms;
  auto b = spawn_doubler(opts);
  submit(me, b, {.request = 1, .timeout = 1h});
  submit(me, b, {.request = 2, .timeout = 2ms});
  time.advance(2ms);
  CHECK(answered.errors.count(2) == 1);
  time.advance(3ms - 1ns);
  CHECK(answered.errors.count(1) == 0);
  time.advance(1ns);
  CHECK(answered.errors.count(1) == 1);
}

TEST_CASE_METHOD(requests_fixture, "a timeout below zero has run out on arrival") {
  auto b = spawn_doubler({.when_idle = when_idle::immediate});
  submit(me, b, {.request = 1, .timeout = -1ns});
  CHECK(answered.failed_with(errc::expired) == 1);
  CHECK(called.empty());
}

// -- ranks and lanes ------------------------------------------------------------------------------

TEST_CASE_METHOD(requests_fixture, "the more urgent request goes first") {
  auto b = spawn_doubler(one_at_a_time);
  tell(b, actors::pause_atom_v);
  for (std::uint8_t i = 0; i < 8; ++i) submit(me, b, {.request = i, .priority = i});
  tell(b, actors::resume_atom_v);
  CHECK(called == calls{{7}, {6}, {5}, {4}, {3}, {2}, {1}, {0}});
}

TEST_CASE_METHOD(requests_fixture, "a priority above 7 is the caller's mistake") {
  auto b = spawn_doubler({.when_idle = when_idle::immediate});
  submit(me, b, {.request = 1, .priority = 8});
  REQUIRE(answered.failed_with(errc::invalid_request) == 1);
  CHECK(text(answered.errors.begin()->second).find("above 7") != std::string::npos);
}

TEST_CASE_METHOD(requests_fixture, "requests of different keys never share a batch") {
  auto b = spawn_doubler({.max_batch_items = 4, .max_delay = 10ms});
  for (int i = 0; i < 6; ++i) submit(me, b, {.request = i, .key = i % 2 ? "odd" : "even"});
  CHECK(called.empty());
  time.advance(10ms);
  CHECK(called == calls{{0, 2, 4}, {1, 3, 5}});
}

TEST_CASE_METHOD(requests_fixture, "one key more than max_lanes is refused by name") {
  auto b = spawn_doubler({.max_delay = 10ms, .max_lanes = 2});
  for (int i = 0; i < 3; ++i) submit(me, b, {.request = i, .key = std::to_string(i)});
  CHECK(answered.failed_with(errc::too_many_lanes) == 1);
  time.advance(10ms);
  CHECK(answered.values.size() == 2);
}

TEST_CASE_METHOD(requests_fixture, "a batch is shared among tenants by their weights") {
  auto b = spawn_doubler({.max_batch_items = 4, .tenant_weights = {{"gold", 3}}});
  tell(b, actors::pause_atom_v);
  for (int i = 0; i < 8; ++i) submit(me, b, {.request = i, .tenant = i < 4 ? "tin" : "gold"});
  tell(b, actors::resume_atom_v);
  REQUIRE(called.size() == 2);
  CHECK(std::count_if(called[0].begin(), called[0].end(), [](int i) { return i >= 4; }) == 3);
}

// -- cancelling -----------------------------------------------------------------------------------

TEST_CASE_METHOD(requests_fixture, "a queued request that is cancelled is not executed") {
  auto b = spawn_doubler({.max_delay = 10ms});
  submit(me, b, {.request = 1, .tag = 11});
  submit(me, b, {.request = 2, .tag = 12});
  CHECK(*cancel(me, b, 11) == true);
  CHECK(answered.failed_with(errc::cancelled) == 1);
  CHECK(*cancel(me, b, 11) == false);
  time.advance(10ms);
  CHECK(called == calls{{2}});
  CHECK(answered.total() == 2);
}

TEST_CASE_METHOD(requests_fixture, "a request in flight that is cancelled is answered at once") {
  auto b = spawn_held(one_at_a_time);
  submit(me, b, {.request = 1, .tag = 11});
  CHECK(*cancel(me, b, 11) == true);
  CHECK(answered.failed_with(errc::cancelled) == 1);
  release(0);
  time.run();
  CHECK(answered.total() == 1);
  CHECK(stats(b).counters.wasted_items == 1);
}

TEST_CASE_METHOD(requests_fixture, "nobody cancels what another one has sent") {
  auto b = spawn_doubler({.max_delay = 10ms});
  submit(me, b, {.request = 1, .tag = 11});
  CHECK(*cancel(spawn_client(), b, 11) == false);
  CHECK(*cancel(me, b, 12) == false);
  actors::cancel(b, 11);
  time.advance(10ms);
  CHECK(answered.values.size() == 1);
}

TEST_CASE_METHOD(requests_fixture, "two senders may use the same tag, one sender not twice") {
  auto b = spawn_doubler({.max_delay = 10ms});
  auto other = spawn_client();
  submit(me, b, {.request = 1, .tag = 11});
  submit(other, b, {.request = 2, .tag = 11});
  submit(me, b, {.request = 3, .tag = 11});
  REQUIRE(answered.failed_with(errc::invalid_request) == 1);
  CHECK(answered.errors.begin()->first == 3);
  CHECK(text(answered.errors.begin()->second).find("tag") != std::string::npos);
  time.advance(10ms);
  CHECK(answered.values.size() == 2);
  submit(me, b, {.request = 4, .tag = 11}); // free again
  time.advance(10ms);
  CHECK(answered.values.count(4) == 1);
}

TEST_CASE_METHOD(requests_fixture, "a tag is free again whatever its request was answered with") {
  auto b = spawn_held({.max_batch_items = 1, .max_queue_items = 1});
  request(b, 0, 1);
  submit(me, b, {.request = 1, .timeout = 1ms, .tag = 11});
  submit(me, b, {.request = 2, .tag = 12}); // the queue is full
  time.advance(1ms);
  CHECK(answered.failed_with(errc::expired) == 1);
  CHECK(answered.failed_with(errc::queue_full) == 1);
  submit(me, b, {.request = 3, .tag = 12});
  CHECK(*cancel(me, b, 12) == true);
  submit(me, b, {.request = 4, .tag = 11});
  CHECK(*cancel(me, b, 11) == true);
  CHECK(answered.failed_with(errc::invalid_request) == 0);
}

TEST_CASE_METHOD(requests_fixture, "requests from outside are cancelled from outside") {
  auto b = spawn_doubler({.max_delay = 10ms});
  actors::ask(b, actors::submit<int>{.request = 1, .tag = 11}, keep(1));
  time.run();
  actors::cancel(b, 11);
  time.run();
  CHECK(answered.failed_with(errc::cancelled) == 1);
  time.advance(10ms);
  CHECK(called.empty());
}

// -- senders that end -----------------------------------------------------------------------------

TEST_CASE_METHOD(requests_fixture, "what a client that has ended had queued is not executed") {
  auto b = spawn_doubler({.max_delay = 10ms});
  for (int i = 0; i < 3; ++i) submit(me, b, {.request = i});
  request(b, 3, 4);
  exit(me, caf::exit_reason::kill);
  time.advance(10ms);
  CHECK(called == calls{{3}});
  CHECK(counted(b, outcome::cancelled) == 3);
  CHECK(counted(b, outcome::ok) == 1);
}

TEST_CASE_METHOD(requests_fixture, "a request that was sent without waiting outlives its sender") {
  auto b = spawn_doubler({.max_delay = 10ms});
  auto once_sent = 1ms;
  post(me, [b, once_sent](caf::event_based_actor* self) {
    actors::compat::delayed_send(self, b, once_sent, 7);
  });
  time.run();
  time.advance(once_sent);
  CHECK(stats(b).counters.queue_items == 1);
  exit(me, caf::exit_reason::kill);
  time.advance(10ms);
  CHECK(called == calls{{7}});
}

// -- overload -------------------------------------------------------------------------------------

TEST_CASE_METHOD(requests_fixture, "a full queue says how long it takes to be served") {
  auto b = spawn_held({.max_batch_items = 1, .max_queue_items = 3});
  request(b, 0, 1);
  for (int i = 1; i < 5; ++i) { // one every 10 ms
    time.advance(10ms);
    request(b, i, i + 1);
    release(0);
    time.run();
  }
  request(b, 5, 9);
  REQUIRE(answered.failed_with(errc::queue_full) == 1);
  auto hint = actors::hint_of(answered.errors.begin()->second);
  REQUIRE(hint);
  CHECK(hint->queue_items == 3);
  CHECK(hint->retry_after > 0ns);
  CHECK(hint->retry_after <= stats(b).retry_after);
}

TEST_CASE_METHOD(requests_fixture, "only the error of a full queue carries a hint") {
  CHECK_FALSE(actors::hint_of(caf::make_error(errc::draining, "x")));
  CHECK_FALSE(actors::hint_of(caf::make_error(errc::queue_full)));
  CHECK_FALSE(actors::hint_of(caf::error{}));
}

TEST_CASE_METHOD(requests_fixture, "with drop_oldest the newest take the places of the oldest") {
  auto b =
    spawn_doubler({.max_batch_items = 2, .max_queue_items = 2, .overload = overload::drop_oldest});
  tell(b, actors::pause_atom_v);
  for (int i = 0; i < 4; ++i) submit(me, b, {.request = i, .tag = 1u + static_cast<unsigned>(i)});
  CHECK(answered.failed_with(errc::dropped) == 2);
  CHECK(*cancel(me, b, 1) == false);
  tell(b, actors::resume_atom_v);
  CHECK(called == calls{{2, 3}});
}

// -- credit ---------------------------------------------------------------------------------------

TEST_CASE_METHOD(requests_fixture, "credit is granted in the order of asking, as room appears") {
  auto b = spawn_held(on_credit);
  request(b, 0, 3); // one in flight, the queue is full
  auto first = ask_credit(b, 3);
  auto second = ask_credit(b, 1);
  CHECK_FALSE(*first);
  release(0);
  time.run();
  CHECK(*first == 1u); // what there is, not all that was wanted
  CHECK_FALSE(*second);
  release(0);
  time.run();
  CHECK(*second == 1u);
}

TEST_CASE_METHOD(requests_fixture,
                 "granted room is kept for requests on credit until its lease ends") {
  auto b = spawn_held({.max_batch_items = 1,
                       .max_queue_items = 1,
                       .overload = overload::wait_for_credit,
                       .credit_lease = 1s});
  CHECK(*ask_credit(b, 5) == 1u);
  submit(me, b, {.request = 1});
  CHECK(answered.failed_with(errc::queue_full) == 1);
  submit(me, b, {.request = 2, .on_credit = true});
  CHECK(answered.total() == 1);
  CHECK(*ask_credit(b, 1) == 1u);
  time.advance(1s - 1ns);
  submit(me, b, {.request = 3});
  CHECK(answered.failed_with(errc::queue_full) == 2);
  time.advance(1ns);
  submit(me, b, {.request = 4});
  CHECK(answered.total() == 2);
}

TEST_CASE_METHOD(requests_fixture,
                 "a client that has ended gets no credit, but the next one does") {
  auto b = spawn_held(on_credit);
  request(b, 0, 3); // one in flight, the queue is full
  auto other = spawn_client();
  auto first = ask_as<std::uint32_t>(other, b, actors::credit_atom_v, std::uint32_t{1});
  auto second = ask_credit(b, 1);
  exit(other, caf::exit_reason::kill);
  release(0);
  time.run();
  CHECK(*second == 1u);
}

TEST_CASE_METHOD(requests_fixture, "without the policy, or for nothing, no credit is given") {
  auto without = spawn_held({});
  CHECK(**ask_credit(without, 1)
        == caf::expected<std::uint32_t>{caf::make_error(errc::invalid_request)});
  auto with = spawn_held(on_credit);
  CHECK(**ask_credit(with, 0)
        == caf::expected<std::uint32_t>{caf::make_error(errc::invalid_request)});
}

TEST_CASE_METHOD(requests_fixture,
                 "whoever waits for credit is turned away by a drain, a stop and a kill") {
  auto b = spawn_held(on_credit);
  request(b, 0, 3);
  auto waiting = ask_credit(b, 1);
  auto how = GENERATE(0, 1, 2);
  if (how == 0) tell(b, actors::drain_atom_v, caf::timespan{1h});
  if (how == 1) tell(b, actors::stop_atom_v);
  if (how == 2) exit(b, caf::exit_reason::kill);
  REQUIRE(*waiting);
  CHECK((*waiting)->error() == caf::make_error(how == 0 ? errc::draining : errc::shut_down));
}
