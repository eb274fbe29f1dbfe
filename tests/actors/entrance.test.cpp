// SPDX-License-Identifier: BSD-3-Clause

#include "batcher/actors/entrance.hpp"
#include "actor_fixture.hpp"
#include "batcher/observer.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;
using actors::entrance;

namespace {

// Keeps what an entrance does with the messages that it is given; all of them are numbers.
struct entrance_fixture : actor_fixture {
  using kind = entrance::kind;

  static caf::mailbox_element_ptr number(int i) {
    return actors::compat::make_element(nullptr, caf::make_message_id(), i);
  }

  static int take(caf::mailbox_element& msg) { return actors::compat::take_content<int>(msg); }

  void admit(int i, kind how) {
    static_cast<void>(door.admit(
      number(i), how, [this](caf::mailbox_element_ptr msg) { here.push_back(take(*msg)); },
      [this](caf::mailbox_element_ptr msg) {
        mailbox.push_back(take(*msg));
        return actors::compat::enqueue_result(true);
      }));
  }

  /// Lets the batcher have nothing to do.
  void idle() {
    door.enter();
    door.leave(false, true);
  }

  /// What has joined the message that is handled; empty once that is over.
  std::vector<int> next(bool was_in_mailbox, bool closes = false, bool is_idle = false) {
    std::vector<int> numbers;
    entrance::burst joined;
    static_cast<void>(door.next(joined, was_in_mailbox, closes, is_idle));
    for (auto& msg : joined) numbers.push_back(take(*msg));
    return numbers;
  }

  entrance door;
  std::vector<int> here;
  std::vector<int> mailbox;
};

using numbers = std::vector<int>;

} // namespace

// -- where messages go ----------------------------------------------------------------------------

TEST_CASE_METHOD(entrance_fixture, "a request to an idle batcher is handled where it is sent") {
  idle();
  admit(1, kind::request);
  CHECK(here == numbers{1});
  CHECK(next(false) == numbers{});
  CHECK(mailbox == numbers{});
}

TEST_CASE_METHOD(entrance_fixture, "a request to a batcher that is not idle goes to the mailbox") {
  admit(1, kind::request);
  CHECK(mailbox == numbers{1});
}

TEST_CASE_METHOD(entrance_fixture, "a result is handled where it is sent, idle or not") {
  admit(1, kind::prompt);
  CHECK(here == numbers{1});
}

TEST_CASE_METHOD(entrance_fixture, "a request that must not hold up its sender joins others only") {
  idle();
  admit(1, kind::passing_request);
  admit(2, kind::passing_request);
  CHECK(here == numbers{});
  CHECK(mailbox == numbers{1});
  door.enter();
  CHECK(next(true) == numbers{2});
  CHECK(next(true, false, true) == numbers{});
  admit(3, kind::request);
  admit(4, kind::passing_request);
  CHECK(here == numbers{3});
  CHECK(next(false) == numbers{4});
}

TEST_CASE_METHOD(entrance_fixture, "requests join the one that is being handled, in order") {
  idle();
  admit(1, kind::request);
  admit(2, kind::request);
  admit(3, kind::prompt);
  CHECK(next(false) == numbers{2, 3});
  admit(4, kind::request);
  CHECK(next(false) == numbers{4});
  CHECK(next(false, false, true) == numbers{});
  admit(5, kind::request);
  CHECK(here == numbers{1, 5});
  CHECK(mailbox == numbers{});
}

TEST_CASE_METHOD(entrance_fixture, "requests join the one that waits in the mailbox") {
  admit(1, kind::request);
  admit(2, kind::request);
  CHECK(mailbox == numbers{1});
  door.enter();
  CHECK(next(true) == numbers{2});
  CHECK(next(true) == numbers{});
}

TEST_CASE_METHOD(entrance_fixture, "nothing joins a request with another message behind it") {
  admit(1, kind::request);
  admit(2, kind::request);
  admit(10, kind::ordered);
  admit(3, kind::request);
  admit(4, kind::request);
  CHECK(mailbox == numbers{1, 10, 3});
  door.enter();
  CHECK(next(true) == numbers{2});
  CHECK(next(true) == numbers{});
  door.enter();
  door.leave(true, true);
  door.enter();
  CHECK(next(true) == numbers{4});
}

TEST_CASE_METHOD(entrance_fixture, "messages whose order does not matter hold up nobody") {
  admit(1, kind::request);
  admit(10, kind::other);
  admit(2, kind::request);
  CHECK(mailbox == numbers{1, 10});
}

TEST_CASE_METHOD(entrance_fixture,
                 "while a message waits in the mailbox nothing is handled before it") {
  idle();
  admit(10, kind::ordered);
  admit(1, kind::request);
  admit(2, kind::prompt);
  CHECK(here == numbers{});
  CHECK(mailbox == numbers{10, 1});
}

TEST_CASE_METHOD(entrance_fixture, "while somebody handles a message, others do not") {
  idle();
  door.enter();
  admit(1, kind::request);
  admit(2, kind::prompt);
  CHECK(here == numbers{});
  CHECK(mailbox == numbers{1});
}

TEST_CASE_METHOD(entrance_fixture, "a finished job gets in without a message, and others join it") {
  REQUIRE(door.enter_at_once());
  admit(1, kind::request);
  CHECK(next(false) == numbers{1});
  CHECK(next(false) == numbers{});
  CHECK(door.enter_at_once());
}

TEST_CASE_METHOD(entrance_fixture, "while anything is handled or waits no job gets in at once") {
  idle();
  admit(1, kind::request);
  CHECK_FALSE(door.enter_at_once());
  CHECK(next(false) == numbers{});
  door.enter();
  CHECK_FALSE(door.enter_at_once());
  door.leave(false, true);
  admit(10, kind::ordered);
  CHECK_FALSE(door.enter_at_once());
}

TEST_CASE_METHOD(entrance_fixture, "a closed burst lets nobody hold a thread for ever") {
  idle();
  admit(1, kind::request);
  admit(2, kind::request);
  CHECK(next(false, true) == numbers{2});
  admit(3, kind::request);
  CHECK(mailbox == numbers{3});
  CHECK(next(false) == numbers{});
}

TEST_CASE_METHOD(entrance_fixture, "after the end everything goes to the mailbox") {
  admit(1, kind::request);
  admit(2, kind::request);
  door.end();
  admit(3, kind::request);
  admit(4, kind::request);
  CHECK(mailbox == numbers{1, 3, 4});
  CHECK_FALSE(door.enter_at_once());
}

// -- the same, seen from outside ------------------------------------------------------------------

namespace {

struct counting_observer final : observer {
  void on_start(std::string_view, std::size_t,
                std::shared_ptr<const live_counters> of) noexcept override {
    counters = std::move(of);
  }
  std::shared_ptr<const live_counters> counters;
};

} // namespace

TEST_CASE_METHOD(actor_fixture, "a lone request is with a worker as soon as it is sent") {
  auto watching = std::make_shared<counting_observer>();
  auto b = spawn_doubler({.when_idle = when_idle::immediate, .observer = watching});
  auto client = spawn_client();
  time.run();
  post(client, [&](caf::event_based_actor* self) {
    actors::compat::request(self, b, 7).then([](int) {}, [](const caf::error&) {});
    CHECK(watching->counters->read().in_flight_items == 1);
  });
  time.run();
  CHECK(called == calls{{7}});
}

TEST_CASE_METHOD(actor_fixture, "a bulk is with a worker as soon as it is sent, idle or not") {
  auto watching = std::make_shared<counting_observer>();
  auto b = spawn_doubler({.when_idle = when_idle::immediate, .workers = 2, .observer = watching});
  auto client = spawn_client();
  time.run();
  post(client, [&](caf::event_based_actor* self) {
    actors::compat::request(self, b, 7).then([](int) {}, [](const caf::error&) {});
    actors::compat::request(self, b, actors::message_of(actors::bulk<int>{.requests = {1, 2}}))
      .then([](actors::bulk_reply_message&) {}, [](const caf::error&) {});
    CHECK(watching->counters->read().in_flight_items == 3);
  });
  time.run();
  CHECK(called == calls{{7}, {1, 2}});
}

TEST_CASE_METHOD(actor_fixture,
                 "requests that come with others are answered when the batcher is killed") {
  auto b = spawn_doubler({.max_batch_items = 1});
  auto client = spawn_client();
  post(client, [&](caf::event_based_actor* self) {
    for (int i = 1; i <= 4; ++i)
      actors::compat::request(self, b, i)
        .then([keep = keep(i)](int y) mutable { keep(y); },
              [keep = keep(i)](const caf::error& why) mutable { keep(why); });
    caf::anon_send_exit(b, caf::exit_reason::kill);
  });
  time.run();
  CHECK(answered.total() == 4);
  CHECK(answered.values.count(1) == 1); // it was with the worker
}

TEST_CASE_METHOD(actor_fixture, "what one actor sends is handled in the order of sending") {
  auto b = spawn_doubler({.max_batch_items = 1, .when_idle = when_idle::immediate});
  auto client = spawn_client();
  post(client, [&](caf::event_based_actor* self) {
    auto send = [&](int i) {
      actors::compat::request(self, b, i)
        .then([keep = keep(i)](int y) mutable { keep(y); }, [](const caf::error&) {});
    };
    send(1);
    actors::compat::request(self, b, actors::pause_atom_v).then([] {});
    send(2);
    send(3);
  });
  time.run();
  CHECK(called == calls{{1}});
  CHECK(stats(b).counters.queue_items == 2);
  tell(b, actors::resume_atom_v);
  CHECK(called == calls{{1}, {2}, {3}});
}

// Arming a timer there, CAF's clock can wait for itself.
TEST_CASE_METHOD(actor_fixture, "a delayed request is not handled in the thread of CAF's clock") {
  auto watching = std::make_shared<counting_observer>();
  auto b = spawn_doubler({.when_idle = when_idle::immediate, .observer = watching});
  auto is_taken = [&](auto what, const caf::strong_actor_ptr& from) {
    auto before = watching->counters->read().requests;
    auto msg = actors::compat::make_element(from, caf::make_message_id(), std::move(what));
    static_cast<void>(
      caf::actor_cast<caf::abstract_actor*>(b)->enqueue(std::move(msg), nullptr)); // as the clock
    return watching->counters->read().requests > before;
  };
  auto client = time.system().spawn([](caf::event_based_actor*) -> caf::behavior {
    return {[](int) {}, [](actors::bulk_reply_message&) {}};
  });
  time.run();
  for (auto& from : {caf::actor_cast<caf::strong_actor_ptr>(client), caf::strong_actor_ptr{}}) {
    CHECK_FALSE(is_taken(1, from));
    time.run();
    CHECK_FALSE(is_taken(actors::message_of(actors::submit<int>{.request = 2}), from));
    time.run();
    CHECK_FALSE(is_taken(actors::message_of(actors::bulk<int>{.requests = {3}}), from));
    time.run();
  }
  CHECK(called == calls{{1}, {2}, {3}, {1}, {2}, {3}});
}

TEST_CASE_METHOD(actor_fixture, "what is asked from outside is taken at once") {
  auto watching = std::make_shared<counting_observer>();
  auto b = spawn_doubler({.when_idle = when_idle::immediate, .observer = watching});
  actors::ask(b, 1, keep(1));
  CHECK(watching->counters->read().in_flight_items == 1);
  time.run();
  actors::ask_all(b, actors::bulk<int>{.requests = {2, 3}}, [](actors::bulk_results<int>) {});
  CHECK(watching->counters->read().in_flight_items == 2);
  time.run();
  CHECK(called == calls{{1}, {2, 3}});
}

TEST_CASE_METHOD(actor_fixture, "a callback may let the last handle of the batcher go") {
  auto b = spawn_doubler({});
  tell(b, actors::stop_atom_v);
  auto address = b.address();
  actors::ask(b, 1, [&](caf::expected<int> y) {
    keep(1)(std::move(y));
    b = nullptr;
  });
  CHECK(answered.failed_with(errc::shut_down) == 1);
  CHECK_FALSE(caf::actor_cast<caf::strong_actor_ptr>(address));
}
