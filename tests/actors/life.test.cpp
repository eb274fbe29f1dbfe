// SPDX-License-Identifier: BSD-3-Clause
//
// The end of a batcher and of its workers, in virtual time: whatever ends, every caller is
// answered.

#include "held_workers.hpp"

#include <optional>

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

struct life_fixture : held_fixture {
  using count = std::shared_ptr<std::optional<std::uint64_t>>;

  /// Drains; what it answers arrives later.
  count drain(const handle& b, caf::timespan timeout) {
    auto left = std::make_shared<std::optional<std::uint64_t>>();
    time.system().spawn([b, timeout, left](caf::event_based_actor* self) {
      actors::compat::request(self, b, actors::drain_atom_v, timeout).then([left](std::uint64_t n) {
        *left = n;
      });
    });
    time.run();
    return left;
  }

  bool is_running(const handle& b) {
    std::optional<bool> running;
    time.system().spawn([b, &running](caf::event_based_actor* self) {
      actors::compat::request(self, b, actors::is_running_atom_v).then([&](bool x) {
        running = x;
      });
    });
    time.run();
    REQUIRE(running);
    return *running;
  }

  void stop(const handle& b) {
    bool answered_to = false;
    time.system().spawn([b, &answered_to](caf::event_based_actor* self) {
      actors::compat::request(self, b, actors::stop_atom_v).then([&] { answered_to = true; });
    });
    time.run();
    CHECK(answered_to);
  }
};

const options two_at_once{.max_batch_items = 2, .max_delay = 1h};

} // namespace

// -- kill -----------------------------------------------------------------------------------------

TEST_CASE_METHOD(life_fixture, "a batcher that ends answers what is queued and in flight at once") {
  auto why = GENERATE(caf::exit_reason::kill, caf::exit_reason::user_shutdown);
  auto b = spawn_held(two_at_once);
  request(b, 0, 7);
  CHECK(answered.total() == 0); // two in flight, five queued
  exit(b, why);
  CHECK(answered.failed_with(errc::shut_down) == 7);
}

TEST_CASE_METHOD(life_fixture, "a request to a batcher that has ended fails at once") {
  auto b = spawn_held({});
  exit(b, caf::exit_reason::kill);
  request(b, 0, 1);
  REQUIRE(answered.errors.size() == 1);
  CHECK(answered.errors.begin()->second == caf::make_error(caf::sec::request_receiver_down));
}

TEST_CASE_METHOD(life_fixture, "an answer that comes after the batcher's end goes nowhere") {
  auto b = spawn_held(two_at_once);
  request(b, 0, 2);
  release(0); // on its way behind the kill
  exit(b, caf::exit_reason::kill);
  CHECK(answered.total() == 2);
}

// -- stop -----------------------------------------------------------------------------------------

TEST_CASE_METHOD(life_fixture, "a stopped batcher has answered everything and refuses by name") {
  auto b = spawn_held(two_at_once);
  request(b, 0, 5);
  CHECK(is_running(b));
  stop(b);
  CHECK(answered.failed_with(errc::shut_down) == 5);
  CHECK_FALSE(is_running(b));
  request(b, 5, 6);
  CHECK(answered.failed_with(errc::shut_down) == 6);
  stop(b); // a second time changes nothing
  CHECK(answered.total() == 6);
}

// -- drain ----------------------------------------------------------------------------------------

TEST_CASE_METHOD(life_fixture, "a drain waits for no window, but for every batch that runs") {
  auto b = spawn_held(two_at_once);
  request(b, 0, 3);
  auto left = drain(b, 10s);
  CHECK_FALSE(*left);
  CHECK_FALSE(is_running(b));
  release(0);
  time.run();
  CHECK_FALSE(*left); // the third request runs, although it is no full batch
  release(0);
  time.run();
  CHECK(*left == 0u);
  CHECK(answered.values.size() == 3);
}

TEST_CASE_METHOD(life_fixture, "a draining batcher refuses newcomers, and a drained one as well") {
  auto b = spawn_held(two_at_once);
  request(b, 0, 2);
  drain(b, 10s);
  request(b, 2, 3);
  CHECK(answered.failed_with(errc::draining) == 1);
  release(0);
  time.run();
  request(b, 3, 4);
  CHECK(answered.failed_with(errc::shut_down) == 1);
  CHECK(answered.values.size() == 2);
}

TEST_CASE_METHOD(life_fixture, "a drain answers what is left at its timeout and counts it") {
  auto b = spawn_held(two_at_once);
  request(b, 0, 5);
  auto left = drain(b, 1s);
  time.advance(1s - 1ns);
  CHECK_FALSE(*left);
  time.advance(1ns);
  CHECK(*left == 5u);
  CHECK(answered.failed_with(errc::shut_down) == 5);
  CHECK(text(answered.errors.begin()->second).find("the drain timed out") != std::string::npos);
  request(b, 5, 6);
  CHECK(text(std::prev(answered.errors.end())->second).find("was drained") != std::string::npos);
}

TEST_CASE_METHOD(life_fixture, "drains of an idle batcher end at once") {
  auto b = spawn_held({});
  CHECK(*drain(b, 10s) == 0u);
  CHECK(*drain(b, 10s) == 0u);
}

TEST_CASE_METHOD(life_fixture, "a drain that a kill or a stop cuts short is answered") {
  auto kill = GENERATE(true, false);
  auto b = spawn_held(two_at_once);
  request(b, 0, 5);
  auto left = drain(b, 10s);
  if (kill)
    exit(b, caf::exit_reason::kill);
  else
    stop(b);
  CHECK(*left == 5u);
  CHECK(answered.failed_with(errc::shut_down) == 5);
}

TEST_CASE_METHOD(life_fixture, "a drain of a batcher that is closed already ends at once") {
  auto b = spawn_held({});
  auto how = GENERATE(0, 1);
  if (how == 0)
    stop(b);
  else
    exit(workers[0], caf::exit_reason::kill);
  CHECK(*drain(b, 10s) == 0u);
}

// -- workers --------------------------------------------------------------------------------------

TEST_CASE_METHOD(life_fixture, "a lost worker costs its own batch and no other") {
  auto b = spawn_held({.max_batch_items = 2, .max_delay = 1h, .workers = 2});
  request(b, 0, 6); // two batches in flight, one queued
  exit(workers[0], caf::exit_reason::kill);
  CHECK(answered.failed_with(errc::worker_lost) == 2);
  release(1);
  time.run();
  release(1);
  time.run();
  CHECK(answered.values.size() == 4);
}

TEST_CASE_METHOD(life_fixture,
                 "a job that reaches a dead worker costs its batch, not the next one") {
  auto b = spawn_held({.max_batch_items = 2, .max_delay = 1h, .workers = 2});
  // The death is on its way, unnoticed, when the requests come.
  caf::anon_send_exit(workers[0], caf::exit_reason::kill);
  send_requests(b, 0, 6);
  time.run();
  CHECK(answered.failed_with(errc::worker_lost) <= 2);
  for (int i = 0; i < 3; ++i) {
    release(1);
    time.run();
  }
  CHECK(answered.total() == 6);
}

TEST_CASE_METHOD(life_fixture, "without workers everybody is told so, now and later") {
  auto opts = two_at_once;
  opts.restart_delay = 0ns;
  auto b = spawn_held(opts);
  request(b, 0, 5);
  exit(workers[0], caf::exit_reason::kill);
  CHECK(answered.failed_with(errc::worker_lost) == 2);
  CHECK(answered.failed_with(errc::no_workers) == 3);
  request(b, 5, 6);
  CHECK(answered.failed_with(errc::no_workers) == 4);
  CHECK_FALSE(is_running(b));
}

TEST_CASE_METHOD(life_fixture, "workers go when their batcher goes") {
  auto b = spawn_held({.workers = 3});
  auto how = GENERATE(0, 1, 2, 3);
  if (how == 0) exit(b, caf::exit_reason::kill);
  if (how == 1) stop(b);
  if (how == 2) drain(b, 1s);
  if (how == 3) {
    b = nullptr;
    time.run();
  }
  for (auto& w : workers) {
    auto gone = std::make_shared<bool>(false);
    time.system().spawn([w, gone](caf::event_based_actor* self) {
      actors::compat::request(self, w, actors::start_atom_v)
        .then([] {}, [gone](const caf::error&) { *gone = true; });
    });
    time.run();
    CHECK(*gone);
  }
}
