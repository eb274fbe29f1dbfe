// SPDX-License-Identifier: BSD-3-Clause
//
// A batcher as the worker of another one.

#include "actor_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

TEST_CASE_METHOD(actor_fixture, "the batches of two outer batchers share those of the inner one") {
  auto inner = spawn_doubler({.max_batch_items = 4, .max_delay = 1h});
  options opts{.max_batch_items = 2, .max_delay = 1h, .worker_credit = 4};
  auto one = spawn(opts, actors::forward_to(inner));
  auto other = spawn(opts, actors::forward_to(inner));
  request(one, 0, 2);
  CHECK(called.empty());
  request(other, 2, 4);
  CHECK(called == calls{{0, 1, 2, 3}});
  CHECK(answered.values == std::multimap<int, int>{{0, 0}, {1, 2}, {2, 4}, {3, 6}});
}

TEST_CASE_METHOD(actor_fixture, "keys go through to the inner batcher") {
  std::vector<std::string> keys;
  auto inner = spawn({.when_idle = when_idle::immediate}, [&keys] {
    return [&keys](batch xs, const actors::batch_context& of) {
      keys.push_back(of.key());
      return actor_fixture::doubled(xs);
    };
  });
  auto b = spawn({.when_idle = when_idle::immediate}, actors::forward_to(inner));
  submit(spawn_client(), b, {.request = 1, .key = "blue"});
  CHECK(keys == std::vector<std::string>{"blue"});
}

TEST_CASE_METHOD(actor_fixture,
                 "the errors of the inner batcher reach the callers of the outer one") {
  auto inner = spawn({.max_batch_items = 1, .when_idle = when_idle::immediate}, [] {
    return [](batch xs) {
      if (xs[0] == 1) throw std::runtime_error{"model is on fire"};
      return actor_fixture::doubled(xs);
    };
  });
  auto b = spawn({.max_batch_items = 3, .max_delay = 1h}, actors::forward_to(inner));
  request(b, 0, 3);
  CHECK(answered.values.size() == 2);
  REQUIRE(answered.failed_with(errc::batch_failed) == 1);
  CHECK(text(answered.errors.begin()->second).find("model is on fire") != std::string::npos);
  CHECK(counted(b, outcome::item_error) == 1);
}

TEST_CASE_METHOD(actor_fixture,
                 "the end of the inner batcher answers the callers of the outer one") {
  auto inner = spawn_doubler({.max_delay = 1h});
  auto b = spawn({.max_batch_items = 2}, actors::forward_to(inner));
  request(b, 0, 2);
  CHECK(answered.total() == 0);
  exit(inner, caf::exit_reason::kill);
  CHECK(answered.failed_with(errc::shut_down) == 2);
  request(b, 2, 4);
  CHECK(answered.failed_with(errc::shut_down) == 4);
}

TEST_CASE_METHOD(actor_fixture,
                 "the end of the outer batcher answers its callers, the inner one goes on") {
  auto inner = spawn_doubler({.max_delay = 10ms});
  auto b = spawn({.max_batch_items = 2}, actors::forward_to(inner));
  request(b, 0, 2);
  exit(b, caf::exit_reason::kill);
  CHECK(answered.failed_with(errc::shut_down) == 2);
  request(inner, 7, 8);
  time.advance(10ms);
  CHECK(answered.values == std::multimap<int, int>{{7, 14}});
  CHECK(answered.total() == 3);
}
