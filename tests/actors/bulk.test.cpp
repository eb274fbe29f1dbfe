// SPDX-License-Identifier: BSD-3-Clause
//
// Many requests in one message: batched like any others, answered together and in order.

#include "held_workers.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

using results = actors::bulk_results<int>;

struct bulk_fixture : held_fixture {
  using late_results = std::shared_ptr<std::optional<results>>;

  /// Sends a bulk in the name of a client; the results arrive later.
  late_results send_bulk(const handle& b, actors::bulk<int> what) {
    auto out = std::make_shared<std::optional<results>>();
    auto msg = actors::message_of(std::move(what));
    post(me, [b, msg, out](caf::event_based_actor* self) {
      actors::compat::request(self, b, msg).then([out](actors::bulk_reply_message& reply) {
        *out = std::move(actors::results_of<int>(reply));
      });
    });
    time.run();
    return out;
  }

  /// Asks with a bulk from outside; how often it was answered is counted.
  late_results ask_bulk(const handle& b, actors::bulk<int> what) {
    auto out = std::make_shared<std::optional<results>>();
    actors::ask_all(b, std::move(what), [this, out](results xs) {
      ++answers;
      *out = std::move(xs);
    });
    return out;
  }

  caf::actor me = spawn_client();
  int answers = 0;
};

/// Returns the values of results, with an error as minus its code.
std::vector<int> values_of(const results& xs) {
  std::vector<int> out;
  for (auto& x : xs) out.push_back(x ? *x : -static_cast<int>(x.error().code()));
  return out;
}

int code(errc x) { return -static_cast<int>(x); }

} // namespace

TEST_CASE_METHOD(bulk_fixture, "a bulk is answered in its order, each with its result or error") {
  auto b = spawn({.max_batch_items = 2, .max_delay = 1ms}, [] {
    return [](batch xs) {
      results out;
      for (auto x : xs)
        if (x == 3)
          out.emplace_back(caf::make_error(errc::too_costly, "no threes"));
        else
          out.emplace_back(2 * x);
      return out;
    };
  });
  auto out = send_bulk(b, {.requests = {5, 3, 4, 1, 2}});
  CHECK_FALSE(*out); // the last one waits for its window
  time.advance(1ms);
  REQUIRE(*out);
  CHECK(values_of(**out) == std::vector<int>{10, code(errc::too_costly), 8, 2, 4});
}

TEST_CASE_METHOD(bulk_fixture, "an empty bulk is answered at once") {
  auto b = spawn_doubler({});
  auto out = send_bulk(b, {});
  REQUIRE(*out);
  CHECK((*out)->empty());
  out = ask_bulk(b, {});
  time.run();
  CHECK(*out);
}

TEST_CASE_METHOD(bulk_fixture,
                 "of a bulk that the queue cannot take whole only the surplus is refused") {
  auto b = spawn_doubler({.max_batch_items = 3, .max_queue_items = 3});
  tell(b, actors::pause_atom_v);
  auto out = send_bulk(b, {.requests = {1, 2, 3, 4, 5}});
  tell(b, actors::resume_atom_v);
  REQUIRE(*out);
  CHECK(values_of(**out)
        == std::vector<int>{2, 4, 6, code(errc::queue_full), code(errc::queue_full)});
}

TEST_CASE_METHOD(bulk_fixture, "a bulk shares its batches with everybody else's requests") {
  auto b = spawn_doubler({.max_batch_items = 4, .max_delay = 1h});
  request(b, 1, 2);
  auto one = send_bulk(b, {.requests = {2}});
  auto other = ask_bulk(b, {.requests = {3, 4}});
  time.run();
  CHECK(called == calls{{1, 2, 3, 4}});
  REQUIRE((*one && *other));
  CHECK(values_of(**other) == std::vector<int>{6, 8});
}

TEST_CASE_METHOD(bulk_fixture, "the wishes of a bulk hold for each of its requests") {
  auto b = spawn_doubler({.max_batch_items = 2, .max_delay = 1h});
  auto out = send_bulk(b, {.requests = {1, 2, 3}, .timeout = 5ms, .key = "a"});
  request(b, 9, 10); // in another lane
  CHECK(called == calls{{1, 2}});
  time.advance(5ms);
  REQUIRE(*out);
  CHECK(values_of(**out) == std::vector<int>{2, 4, code(errc::expired)});
}

TEST_CASE_METHOD(bulk_fixture, "a kill answers a bulk that is queued, in flight and done in part") {
  auto b = spawn_held({.max_batch_items = 1});
  auto out = send_bulk(b, {.requests = {1, 2, 3}});
  auto outside = ask_bulk(b, {.requests = {4, 5}});
  time.run();
  release(0);
  time.run();
  CHECK_FALSE(*out);
  caf::anon_send_exit(b, caf::exit_reason::kill);
  auto behind = ask_bulk(b, {.requests = {6}});
  time.run();
  REQUIRE(*out);
  CHECK(values_of(**out) == std::vector<int>{2, code(errc::shut_down), code(errc::shut_down)});
  REQUIRE((*outside && *behind));
  CHECK(values_of(**outside) == std::vector<int>(2, code(errc::shut_down)));
  CHECK(values_of(**behind) == std::vector<int>(1, code(errc::shut_down)));
  CHECK(answers == 2);
}

TEST_CASE_METHOD(bulk_fixture, "an empty handle answers a bulk at once") {
  auto out = ask_bulk({}, {.requests = {1, 2}});
  REQUIRE(*out);
  CHECK(values_of(**out) == std::vector<int>(2, code(errc::shut_down)));
}

TEST_CASE_METHOD(bulk_fixture, "an empty callback drops the answers to a bulk") {
  auto b = spawn_doubler({.max_batch_items = 2});
  actors::ask_all(b, {.requests = {1, 2}}, std::function<void(results)>{});
  time.run();
  CHECK(called == calls{{1, 2}});
}

TEST_CASE_METHOD(bulk_fixture, "a bulk whose client has ended is not executed") {
  auto b = spawn_doubler({.max_delay = 10ms});
  auto out = send_bulk(b, {.requests = {1, 2, 3}});
  request(b, 4, 5);
  exit(me, caf::exit_reason::kill);
  time.advance(10ms);
  CHECK(called == calls{{4}});
  CHECK(counted(b, outcome::cancelled) == 3);
}
