// SPDX-License-Identifier: BSD-3-Clause
//
// The forms of a batch function that do more than to return results: one that asks about its batch,
// and one that answers later.

#include "actor_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

using promise = actors::batch_promise<int>;

struct functions_fixture : actor_fixture {
  struct owed_batch {
    std::vector<int> requests;
    promise answer;
    actors::batch_context context = answer.context();
  };

  /// Starts a batcher whose function leaves its batches in `owed`.
  handle spawn_owing(options opts, actors::hooks<int, int> how = {}) {
    return spawn(
      std::move(opts),
      [this] {
        return [this](batch xs, promise answer) {
          owed.push_back({{xs.begin(), xs.end()}, std::move(answer)});
        };
      },
      std::move(how));
  }

  void deliver(std::size_t i) {
    owed.at(i).answer.deliver(doubled(owed[i].requests));
    time.run();
  }

  ~functions_fixture() {
    owed.clear();
    time.run();
  }

  std::vector<owed_batch> owed;
};

const options one_each{.max_batch_items = 1, .worker_credit = 3};

struct seen_batch {
  std::string key;
  std::size_t attempt;
  std::size_t padding_items;
};

} // namespace

// -- the context ----------------------------------------------------------------------------------

TEST_CASE_METHOD(functions_fixture,
                 "a function can ask for key, attempt and padding of its batch") {
  std::vector<seen_batch> seen;
  auto b = spawn({.max_batch_items = 4,
                  .allowed_batch_items = {1, 4},
                  .size_rounding = size_rounding::pad,
                  .max_delay = 1ms,
                  .on_failure = retry::idempotent{.max_attempts = 2, .bisect = false}},
                 [&seen] {
                   return [&seen](batch xs, const actors::batch_context& of) {
                     seen.push_back({of.key(), of.attempt(), of.padding_items()});
                     if (of.attempt() == 1) throw std::runtime_error{"once"};
                     CHECK_FALSE(of.is_cancelled(0));
                     return actor_fixture::doubled(xs);
                   };
                 });
  auto client = spawn_client();
  submit(client, b, {.request = 1, .key = "blue"});
  submit(client, b, {.request = 2, .key = "blue"});
  time.advance(1ms);
  CHECK(answered.values.size() == 2);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].key == "blue");
  CHECK(seen[0].attempt == 1);
  CHECK(seen[1].attempt == 2);
  CHECK(seen[1].padding_items == 2);
}

TEST_CASE_METHOD(functions_fixture,
                 "a function sees which of its items nobody waits for any more") {
  auto b = spawn_owing({.max_batch_items = 3});
  auto client = spawn_client();
  submit(client, b, {.request = 1, .tag = 1});
  submit(client, b, {.request = 2, .timeout = 5ms});
  submit(client, b, {.request = 3});
  REQUIRE(owed.size() == 1);
  auto cancelled = [&] {
    std::vector<bool> out;
    for (std::size_t i = 0; i < 3; ++i) out.push_back(owed[0].context.is_cancelled(i));
    return out;
  };
  CHECK(cancelled() == std::vector<bool>{false, false, false});
  ask_as<bool>(client, b, actors::cancel_atom_v, std::uint64_t{1});
  CHECK(cancelled() == std::vector<bool>{true, false, false});
  time.advance(5ms);
  CHECK(cancelled() == std::vector<bool>{true, true, false});
  deliver(0);
  CHECK(answered.values == std::multimap<int, int>{{3, 6}});
}

TEST_CASE_METHOD(functions_fixture, "a function sees that its whole batch was given up") {
  auto b = spawn_owing({.max_batch_items = 1, .batch_timeout = 5ms});
  request(b, 1, 2);
  REQUIRE(owed.size() == 1);
  auto how = GENERATE(0, 1, 2);
  CHECK_FALSE(owed[0].context.is_cancelled(0));
  if (how == 0) time.advance(5ms);
  if (how == 1) tell(b, actors::stop_atom_v);
  if (how == 2) exit(b, caf::exit_reason::kill);
  CHECK(owed[0].context.is_cancelled(0));
  deliver(0);
  CHECK(answered.total() == 1);
}

// -- answering later ------------------------------------------------------------------------------

TEST_CASE_METHOD(functions_fixture, "a function may answer later, and out of order") {
  auto b = spawn_owing(one_each);
  request(b, 0, 5);
  REQUIRE(owed.size() == 3); // as many as the worker has credit
  CHECK(answered.total() == 0);
  deliver(2);
  CHECK(answered.values == std::multimap<int, int>{{2, 4}});
  CHECK(owed.size() == 4);
  deliver(0);
  deliver(1);
  deliver(3);
  deliver(4);
  CHECK(answered.values.size() == 5);
  for (auto [x, y] : answered.values) CHECK(y == 2 * x);
}

TEST_CASE_METHOD(functions_fixture, "the time of a batch lasts until its answer") {
  auto b = spawn_owing({.max_batch_items = 1, .batch_timeout = 5ms});
  request(b, 0, 1);
  time.advance(5ms - 1ns);
  deliver(0);
  CHECK(answered.values.size() == 1);
}

TEST_CASE_METHOD(functions_fixture, "only the first answer of a promise counts") {
  auto b = spawn_owing(one_each);
  request(b, 0, 1);
  deliver(0);
  owed[0].answer.fail(caf::make_error(errc::too_costly));
  owed[0].answer.deliver(std::vector<int>{99});
  time.run();
  CHECK(answered.values == std::multimap<int, int>{{0, 0}});
  CHECK(answered.total() == 1);
}

TEST_CASE_METHOD(functions_fixture, "a promise that is dropped fails its batch and says so") {
  auto b = spawn_owing(one_each);
  request(b, 0, 2);
  if (GENERATE(true, false))
    owed.erase(owed.begin());
  else
    owed[0].answer = std::move(owed[1].answer); // what was there is dropped
  time.run();
  REQUIRE(answered.failed_with(errc::batch_failed) == 1);
  CHECK(text(answered.errors.begin()->second).find("dropped its promise") != std::string::npos);
}

TEST_CASE_METHOD(functions_fixture, "a promise fails its batch with the user's own error") {
  auto b = spawn_owing({.max_batch_items = 2});
  request(b, 0, 2);
  owed[0].answer.fail(caf::make_error(caf::sec::invalid_argument, "the model says no"));
  time.run();
  REQUIRE(answered.errors.size() == 2);
  for (auto& [x, why] : answered.errors) {
    CHECK(why == caf::make_error(caf::sec::invalid_argument));
    CHECK(text(why).find("the model says no") != std::string::npos);
  }
}

TEST_CASE_METHOD(functions_fixture, "a failure without a code is still a failure") {
  auto b = spawn_owing(one_each);
  request(b, 0, 1);
  owed[0].answer.fail(caf::error{});
  time.run();
  CHECK(answered.failed_with(errc::batch_failed) == 1);
}

TEST_CASE_METHOD(functions_fixture, "items of one late answer fail by themselves") {
  auto b = spawn_owing({.max_batch_items = 2});
  request(b, 0, 2);
  owed[0].answer.deliver({caf::expected<int>{5}, caf::expected<int>{caf::error{}}});
  time.run();
  CHECK(answered.values == std::multimap<int, int>{{0, 5}});
  CHECK(answered.failed_with(errc::batch_failed) == 1);
}

TEST_CASE_METHOD(functions_fixture, "a wrong number of late results fails the batch") {
  auto b = spawn_owing({.max_batch_items = 2});
  request(b, 0, 2);
  owed[0].answer.deliver(std::vector<int>{1, 2, 3});
  time.run();
  CHECK(answered.failed_with(errc::result_count_mismatch) == 2);
}

TEST_CASE_METHOD(functions_fixture,
                 "throwing before the answer fails the batch, after it nothing") {
  auto b = spawn({.max_batch_items = 1}, [] {
    return [](batch xs, promise answer) {
      if (xs[0] == 1) answer.deliver(actor_fixture::doubled(xs));
      if (xs[0] == 2) answer.fail(caf::make_error(caf::sec::invalid_argument));
      throw std::runtime_error{"after all"};
    };
  });
  request(b, 0, 3);
  CHECK(answered.values == std::multimap<int, int>{{1, 2}});
  REQUIRE(answered.failed_with(errc::batch_failed) == 1);
  CHECK(text(answered.errors.find(0)->second).find("after all") != std::string::npos);
  CHECK(answered.errors.find(2)->second == caf::make_error(caf::sec::invalid_argument));
}

TEST_CASE_METHOD(functions_fixture, "a late answer after the end of its batcher goes nowhere") {
  auto b = spawn_owing(one_each);
  request(b, 0, 1);
  exit(b, caf::exit_reason::kill);
  CHECK(answered.failed_with(errc::shut_down) == 1);
  deliver(0);
  CHECK(answered.total() == 1);
}

TEST_CASE_METHOD(functions_fixture,
                 "a function that answers later is warmed up one batch after the other") {
  auto b = spawn_owing(one_each, {.warm_up = {{100}, {101}}});
  request(b, 1, 2);
  REQUIRE(owed.size() == 1);
  deliver(0);
  REQUIRE(owed.size() == 2);
  CHECK(owed[1].requests == std::vector<int>{101});
  deliver(1);
  REQUIRE(owed.size() == 3);
  CHECK(owed[2].requests == std::vector<int>{1});
}

TEST_CASE_METHOD(functions_fixture, "a warm-up that is dropped loses the worker") {
  auto b = spawn_owing({.restart_delay = 0ns}, {.warm_up = {{100}}});
  REQUIRE(owed.size() == 1);
  owed.clear();
  time.run();
  request(b, 1, 2);
  CHECK(answered.failed_with(errc::no_workers) == 1);
}
