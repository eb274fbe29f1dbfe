// SPDX-License-Identifier: BSD-3-Clause
//
// Client actors that ask with `client`, in virtual time.

#include "batcher/actors/client.hpp"

#include "actor_fixture.hpp"

#include <optional>

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

using asker = actors::client<handle>;

struct client_fixture : actor_fixture {
  // A client's state; the actor does what it is told with it.
  struct asker_state {
    std::optional<asker> model;
  };
  using asker_pointer = caf::stateful_actor<asker_state>*;

  caf::actor spawn_asker(const handle& of) {
    return time.system().spawn([of](asker_pointer self) -> caf::behavior {
      actors::compat::state(self).model.emplace(self, of);
      return {[self](const task_message& msg) { msg.task(self); }};
    });
  }

  // Asks for from..to-1 in one go.
  void ask(const caf::actor& client, int from, int to) {
    post(client, [this, from, to](caf::event_based_actor* self) {
      for (int i = from; i < to; ++i) model_of(self).ask(i, keep(i));
    });
    time.run();
  }

  static asker& model_of(caf::event_based_actor* self) {
    return *actors::compat::state(static_cast<asker_pointer>(self)).model;
  }

  std::size_t under_way(const caf::actor& client) {
    std::size_t out = 0;
    post(client, [&](caf::event_based_actor* self) { out = model_of(self).under_way(); });
    time.run();
    return out;
  }
};

} // namespace

TEST_CASE_METHOD(client_fixture, "a client is answered each request once, in order") {
  auto b = spawn_doubler({.max_batch_items = 4, .max_delay = 1ms});
  auto client = spawn_asker(b);
  std::vector<int> order;
  post(client, [&](caf::event_based_actor* self) {
    for (int i = 0; i < 10; ++i)
      model_of(self).ask(i, [&order, i](caf::expected<int> y) {
        CHECK(y == 2 * i);
        order.push_back(i);
      });
  });
  time.run();
  CHECK(order == std::vector{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(under_way(client) == 2);
  time.advance(1ms);
  CHECK(order == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(under_way(client) == 0);
}

TEST_CASE_METHOD(client_fixture, "a callback may ask again, for as long as it likes") {
  auto b = spawn_doubler({.max_batch_items = 4, .when_idle = when_idle::immediate});
  auto client = spawn_asker(b);
  int left = 1'000;
  std::function<void(caf::expected<int>)> again;
  post(client, [&](caf::event_based_actor* self) {
    again = [&, self](caf::expected<int> y) {
      REQUIRE(y);
      if (--left > 0) model_of(self).ask(left, again);
    };
    for (int i = 0; i < 3; ++i) model_of(self).ask(i, again);
  });
  time.run();
  CHECK(left <= 0);
  CHECK(under_way(client) == 0);
}

TEST_CASE_METHOD(client_fixture, "a client goes on to sleep and to wake") {
  auto b = spawn_doubler({.max_batch_items = 2, .max_delay = 1ms});
  auto client = spawn_asker(b);
  for (int i = 0; i < 20; ++i) {
    ask(client, i, i + 1);
    CHECK(answered.total() == static_cast<std::size_t>(i));
    time.advance(1ms);
    CHECK(answered.total() == static_cast<std::size_t>(i) + 1);
  }
}

TEST_CASE_METHOD(client_fixture, "refusals and lost batchers are answers, too") {
  auto b = spawn_doubler({.max_batch_items = 4, .max_delay = 1h, .max_queue_items = 4});
  auto client = spawn_asker(b);
  tell(b, actors::pause_atom_v);
  ask(client, 0, 6);
  CHECK(answered.failed_with(errc::queue_full) == 2);
  exit(b, caf::exit_reason::kill);
  CHECK(answered.failed_with(errc::shut_down) == 4);
  ask(client, 6, 8);
  CHECK(answered.failed_with(errc::shut_down) == 6);
  CHECK(under_way(client) == 0);
}

TEST_CASE_METHOD(client_fixture, "what nobody waits for any more is not executed") {
  auto b = spawn_doubler({.max_batch_items = 4, .max_delay = 1ms});
  auto client = spawn_asker(b);
  ask(client, 0, 3);
  exit(client, caf::exit_reason::user_shutdown);
  time.advance(1ms);
  CHECK(called.empty());
  CHECK(answered.total() == 0);
  CHECK(counted(b, outcome::cancelled) == 3);
}

namespace {

// Has its client for as long as the actor's memory is there, which is longer than it lives.
class member_client final : public caf::event_based_actor {
public:
  member_client(caf::actor_config& cfg, const handle& of)
    : caf::event_based_actor{cfg}, model_{this, of} {}

  caf::behavior make_behavior() override {
    for (int i = 0; i < 3; ++i) model_.ask(i, [](const caf::expected<int>&) {});
    return {[](const task_message&) {}};
  }

private:
  asker model_;
};

} // namespace

TEST_CASE_METHOD(client_fixture,
                 "nor is what an actor asked that has ended with its client in it") {
  auto b = spawn_doubler({.max_batch_items = 4, .max_delay = 1ms});
  auto client = time.system().spawn<member_client>(b);
  time.run();
  exit(client, caf::exit_reason::user_shutdown);
  time.advance(1ms);
  CHECK(called.empty());
  CHECK(counted(b, outcome::cancelled) == 3);
}

TEST_CASE_METHOD(client_fixture, "an empty function drops the answer") {
  auto b = spawn_doubler({.max_batch_items = 1});
  auto client = spawn_asker(b);
  post(client, [](caf::event_based_actor* self) {
    model_of(self).ask(1, std::function<void(caf::expected<int>)>{});
  });
  time.run();
  ask(client, 2, 3);
  CHECK(answered.values == std::multimap<int, int>{{2, 4}});
}

TEST_CASE_METHOD(client_fixture, "a client may be let go inside a callback") {
  auto b = spawn_doubler({.max_batch_items = 2, .when_idle = when_idle::immediate});
  auto client = spawn_asker(b);
  int calls_back = 0;
  post(client, [&](caf::event_based_actor* self) {
    for (int i = 0; i < 2; ++i)
      model_of(self).ask(i, [&, self](caf::expected<int>) {
        ++calls_back;
        actors::compat::state(static_cast<asker_pointer>(self)).model.reset();
      });
  });
  time.run();
  CHECK(calls_back == 1);
}

TEST_CASE_METHOD(client_fixture, "a client actor without a behavior ends with its last answer") {
  auto b = spawn_doubler({.max_batch_items = 4, .max_delay = 1ms});
  int alive = 0;
  time.system().spawn([&alive, b, this](caf::event_based_actor* self) {
    ++alive;
    auto own = std::make_shared<asker>(self, b);
    self->attach_functor([&alive](const caf::error&) { --alive; });
    for (int i = 0; i < 3; ++i)
      own->ask(i, [own, keep = keep(i)](caf::expected<int> y) mutable { keep(std::move(y)); });
  });
  time.run();
  CHECK(alive == 1);
  time.advance(1ms);
  CHECK(answered.values.size() == 3);
  CHECK(alive == 0);
}

TEST_CASE_METHOD(client_fixture, "it ends as well if an answer comes while it looks at others") {
  auto b = spawn_doubler({.max_batch_items = 4});
  tell(b, actors::stop_atom_v); // refuses at once
  int alive = 0;
  auto held = time.system().spawn([&alive, b, this](caf::event_based_actor* self) {
    ++alive;
    auto own = std::make_shared<asker>(self, b);
    self->attach_functor([&alive](const caf::error&) { --alive; });
    own->ask(0, [own, this](caf::expected<int> y) {
      keep(0)(std::move(y));
      own->ask(1, [own, this](caf::expected<int> z) { keep(1)(std::move(z)); });
    });
  });
  time.run();
  CHECK(answered.failed_with(errc::shut_down) == 2);
  CHECK(alive == 0);
}
