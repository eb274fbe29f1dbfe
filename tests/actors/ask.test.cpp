// SPDX-License-Identifier: BSD-3-Clause
//
// Requests from outside the actor system: answered exactly once, whatever becomes of the batcher.

#include "held_workers.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

struct ask_fixture : held_fixture {
  void ask_for(const handle& b, int from, int to) {
    for (int i = from; i < to; ++i)
      actors::ask(b, i, [this, i](caf::expected<int> y) {
        if (y)
          answered.values.emplace(i, *y);
        else
          answered.errors.emplace(i, y.error());
      });
  }
};

bool is_ready(std::future<caf::expected<int>>& f) {
  return f.wait_for(0s) == std::future_status::ready;
}

} // namespace

TEST_CASE_METHOD(ask_fixture, "a callback is called with the response") {
  auto b = spawn_doubler({.max_batch_items = 3, .max_delay = 1h});
  ask_for(b, 0, 3);
  CHECK(answered.total() == 0);
  time.run();
  CHECK(answered.values == std::multimap<int, int>{{0, 0}, {1, 2}, {2, 4}});
}

TEST_CASE_METHOD(ask_fixture, "a callback need not be copyable") {
  auto b = spawn_doubler({.when_idle = when_idle::immediate});
  int answer = 0;
  actors::ask(b, 21, [&, only_one = std::make_unique<int>(1)](caf::expected<int> y) {
    answer = *y * *only_one;
  });
  time.run();
  CHECK(answer == 42);
}

TEST_CASE_METHOD(ask_fixture, "an empty callback drops the reply") {
  auto b = spawn_doubler({.when_idle = when_idle::immediate});
  actors::ask(b, 21, std::function<void(caf::expected<int>)>{});
  time.run();
  CHECK(called == calls{{21}});
}

TEST_CASE_METHOD(ask_fixture, "a future becomes ready with the response or with the error") {
  auto b = spawn_held({.max_batch_items = 1});
  auto good = actors::ask(b, 21);
  auto bad = actors::ask(b, 22);
  time.run();
  CHECK_FALSE(is_ready(good));
  release(0);
  time.run();
  release(0, fate::thrown);
  time.run();
  REQUIRE(is_ready(good));
  CHECK(good.get() == 42);
  REQUIRE(is_ready(bad));
  CHECK(bad.get().error() == caf::make_error(errc::batch_failed));
}

TEST_CASE_METHOD(ask_fixture, "requests of actors and from outside share their batches") {
  auto b = spawn_doubler({.max_batch_items = 4, .max_delay = 1h});
  ask_for(b, 0, 2);
  request(b, 2, 4);
  CHECK(called.size() == 1);
  CHECK(answered.values.size() == 4);
}

TEST_CASE_METHOD(ask_fixture, "a refusal reaches the callback") {
  auto b = spawn_held({.max_batch_items = 1, .max_queue_items = 1});
  ask_for(b, 0, 3); // one in flight, one queued, one too many
  time.run();
  CHECK(answered.failed_with(errc::queue_full) == 1);
}

TEST_CASE_METHOD(ask_fixture, "a kill answers what is queued, in flight and still in the mailbox") {
  auto b = spawn_held({.max_batch_items = 2, .max_delay = 1h});
  ask_for(b, 0, 5);
  time.run();
  caf::anon_send_exit(b, caf::exit_reason::kill);
  ask_for(b, 5, 8); // behind the kill
  time.run();
  CHECK(answered.failed_with(errc::shut_down) == 8);
}

TEST_CASE_METHOD(ask_fixture, "a batcher that has ended answers at once, and an empty handle too") {
  auto b = spawn_held({});
  if (GENERATE(true, false))
    exit(b, caf::exit_reason::kill);
  else
    b = nullptr;
  ask_for(b, 0, 1);
  CHECK(answered.failed_with(errc::shut_down) == 1);
}
