// SPDX-License-Identifier: BSD-3-Clause
//
// What virtual time cannot show: detached workers, blocking clients and the blocking control
// functions, on the real scheduler. Latches order the threads; nothing waits for a clock.

#include "batcher/actors/ask.hpp"
#include "batcher/actors/control.hpp"
#include "batcher/actors/spawn.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <future>
#include <latch>
#include <stdexcept>
#include <thread>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

using batch = std::span<const int>;

struct real_fixture {
  static std::vector<int> doubled(batch xs) {
    std::vector<int> results;
    for (auto x : xs) results.push_back(2 * x);
    return results;
  }

  /// A batcher of single requests whose worker, once inside its function, waits for `go_on`.
  auto spawn_waiting() {
    return actors::spawn_batcher<int, int>(system, {.max_batch_items = 1}, [this] {
      return [this](batch xs) {
        inside.count_down();
        go_on.wait();
        return doubled(xs);
      };
    });
  }

  /// A value whose last copy, in a worker's function, tells that the worker is gone.
  std::shared_ptr<void> at_end() {
    return {nullptr, [this](void*) { worker_gone.count_down(); }};
  }

  // Declared before the system: a worker may still hold them when a test returns.
  static constexpr std::size_t workers = 3;
  std::latch all_inside{workers};
  std::latch inside{1};
  std::latch go_on{1};
  std::latch worker_gone{1};
  std::atomic<int> calls = 0;
  actors::system_config<> config;
  caf::actor_system system{config};
};

} // namespace

TEST_CASE_METHOD(real_fixture, "a blocking client is answered like any other") {
  auto b = actors::spawn_batcher<int, int>(system, {.when_idle = when_idle::immediate},
                                           [] { return &real_fixture::doubled; });
  caf::scoped_actor self{system};
  int answer = 0;
  actors::compat::request(self.ptr(), b, 21)
    .receive([&](int y) { answer = y; }, [](const caf::error&) { FAIL("no answer"); });
  CHECK(answer == 42);
}

TEST_CASE_METHOD(real_fixture, "detached workers run their batches at the same time") {
  auto b =
    actors::spawn_batcher<int, int>(system, {.max_batch_items = 1, .workers = workers}, [this] {
      return [this](batch xs) {
        all_inside.arrive_and_wait(); // would hang if the batches came one after the other
        return real_fixture::doubled(xs);
      };
    });
  std::vector<std::future<caf::expected<int>>> answers;
  for (int i = 0; i < static_cast<int>(workers); ++i) answers.push_back(actors::ask(b, i));
  for (int i = 0; i < static_cast<int>(workers); ++i)
    CHECK(answers[static_cast<std::size_t>(i)].get() == 2 * i);
}

TEST_CASE_METHOD(real_fixture, "a kill answers everybody while the batch function still runs") {
  auto b = spawn_waiting();
  auto in_flight = actors::ask(b, 1);
  inside.wait();
  auto queued = actors::ask(b, 2);
  caf::anon_send_exit(b, caf::exit_reason::kill);
  CHECK(in_flight.get().error() == caf::make_error(errc::shut_down));
  CHECK(queued.get().error() == caf::make_error(errc::shut_down));
  go_on.count_down();
}

TEST_CASE_METHOD(real_fixture, "a drain returns only when the batches that run are answered") {
  auto b = spawn_waiting();
  auto answer = actors::ask(b, 1);
  inside.wait();
  bool answered_first = false;
  std::thread drainer{[&] {
    CHECK(actors::drain(b, 1h) == 0);
    answered_first = answer.wait_for(0s) == std::future_status::ready;
  }};
  go_on.count_down();
  drainer.join();
  CHECK(answered_first);
  CHECK(answer.get() == 2);
  CHECK_FALSE(actors::is_running(b));
}

TEST_CASE_METHOD(real_fixture, "a stop answers what is queued and what runs") {
  auto b = spawn_waiting();
  auto in_flight = actors::ask(b, 1);
  inside.wait();
  CHECK(actors::is_running(b));
  actors::stop(b);
  CHECK(in_flight.get().error() == caf::make_error(errc::shut_down));
  CHECK(actors::ask(b, 2).get().error() == caf::make_error(errc::shut_down));
  go_on.count_down();
}

TEST_CASE_METHOD(real_fixture, "a worker leaves the batches of a stopped batcher alone") {
  auto b =
    actors::spawn_batcher<int, int>(system, {.max_batch_items = 1, .worker_credit = 3}, [this] {
      return [this, end = at_end()](batch xs) {
        ++calls;
        inside.count_down();
        go_on.wait();
        return doubled(xs);
      };
    });
  std::vector<std::future<caf::expected<int>>> answers;
  for (int i = 0; i < 3; ++i) answers.push_back(actors::ask(b, i));
  inside.wait();
  if (GENERATE(true, false))
    actors::stop(b);
  else
    CHECK(actors::drain(b, 0s) == 3);
  for (auto& answer : answers) CHECK(answer.get().error() == caf::make_error(errc::shut_down));
  go_on.count_down();
  worker_gone.wait();
  CHECK(calls == 1);
}

TEST_CASE_METHOD(real_fixture, "the control functions take an empty handle for an ended batcher") {
  actors::batcher_handle<int, int> b;
  CHECK_FALSE(actors::is_running(b));
  CHECK(actors::drain(b, 1s) == 0);
  actors::stop(b);
}

TEST_CASE_METHOD(real_fixture,
                 "the control functions take a batcher that has ended for a drained one") {
  auto b = actors::spawn_batcher<int, int>(system, {}, [] { return &real_fixture::doubled; });
  {
    caf::scoped_actor self{system};
    self->monitor(b);
    caf::anon_send_exit(b, caf::exit_reason::kill);
    self->receive([](const caf::down_msg&) {});
  }
  CHECK_FALSE(actors::is_running(b));
  CHECK(actors::drain(b, 1s) == 0);
  actors::stop(b);
}

TEST_CASE_METHOD(real_fixture, "many threads ask at once and everybody gets the own answer") {
  auto b = actors::spawn_batcher<int, int>(
    system, {.max_batch_items = 16, .when_idle = when_idle::immediate, .workers = 2},
    [] { return &real_fixture::doubled; });
  constexpr int per_thread = 500;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < per_thread; ++i) {
        auto x = t * per_thread + i;
        right += actors::ask(b, x).get() == 2 * x;
      }
    });
  for (auto& t : threads) t.join();
  CHECK(right == 4 * per_thread);
}

// -- promises -------------------------------------------------------------------------------------

TEST_CASE_METHOD(real_fixture, "a promise may be answered from any thread") {
  std::vector<std::thread> threads;
  std::latch all_begun{workers};
  std::vector<std::future<caf::expected<int>>> answers;
  {
    auto b = actors::spawn_batcher<int, int>(
      system, {.max_batch_items = 1, .worker_credit = workers}, [&, this] {
        return [&, this](batch xs, actors::batch_promise<int> answer) {
          threads.emplace_back([this, xs, answer = std::move(answer)]() mutable {
            all_inside.arrive_and_wait();
            if (xs[0] == 0)
              answer.fail(caf::make_error(errc::too_costly));
            else if (xs[0] == 1)
              answer.deliver(doubled(xs));
          });
          all_begun.count_down();
        };
      });
    for (int i = 0; i < static_cast<int>(workers); ++i) answers.push_back(actors::ask(b, i));
    all_begun.wait();
    for (auto& answer : answers) answer.wait();
  }
  for (auto& t : threads) t.join();
  CHECK(answers[0].get().error() == caf::make_error(errc::too_costly));
  CHECK(answers[1].get() == 2);
  CHECK(answers[2].get().error() == caf::make_error(errc::batch_failed)); // dropped
}

TEST_CASE("a system ends although a promise is still held, which then answers nobody") {
  std::optional<actors::batch_promise<int>> held;
  std::latch is_held{1};
  {
    actors::system_config<> config;
    caf::actor_system system{config};
    auto b = actors::spawn_batcher<int, int>(system, {.max_batch_items = 1}, [&] {
      return [&](batch, actors::batch_promise<int> answer) {
        held.emplace(std::move(answer));
        is_held.count_down();
      };
    });
    auto answer = actors::ask(b, 1);
    is_held.wait();
    actors::stop(b);
    CHECK(answer.get().error() == caf::make_error(errc::shut_down));
  }
  held->deliver(std::vector<int>{2});
}

// -- control --------------------------------------------------------------------------------------

TEST_CASE_METHOD(real_fixture, "a batcher is held up, changed and asked from outside") {
  auto b = actors::spawn_batcher<int, int>(system, {.max_batch_items = 2, .max_delay = 1h},
                                           [] { return &real_fixture::doubled; });
  actors::pause(b);
  CHECK(actors::stats(b).is_paused);
  auto answer = actors::ask(b, 21);
  CHECK_THROWS_AS(actors::reconfigure(b, {.max_batch_items = 0}), actors::invalid_options);
  actors::reconfigure(b, {.max_batch_items = 1});
  CHECK(answer.wait_for(0s) != std::future_status::ready);
  actors::resume(b);
  CHECK(answer.get() == 42);
  actors::stop(b);
  CHECK(actors::stats(b).is_closed);
  CHECK(actors::stats(b).counters.requests == 1);
}

TEST_CASE("new workers run as the new options say") {
  std::array<std::thread::id, 2> made_in;
  std::thread::id scheduler;
  std::latch made{3};
  actors::system_config<> config;
  actors::compat::set_threads(config, 1);
  caf::actor_system system{config};
  auto b = actors::spawn_batcher<int, int>(
    system, {.when_idle = when_idle::immediate, .worker_execution = worker_execution::cooperative},
    [&](std::size_t number) {
      made_in.at(number) = std::this_thread::get_id();
      made.count_down();
      return &real_fixture::doubled;
    });
  system.spawn([&] {
    scheduler = std::this_thread::get_id();
    made.count_down();
  });
  CHECK(actors::ask(b, 1).get() == 2);
  actors::reconfigure(b, {.workers = 2, .worker_execution = worker_execution::detached});
  made.wait();
  CHECK(made_in[0] == scheduler);
  CHECK(made_in[1] != scheduler);
}

// -- the end --------------------------------------------------------------------------------------

TEST_CASE("a system ends although a batcher without handles has workers that die at every start") {
  std::promise<caf::error> end;
  auto ended = end.get_future();
  std::thread life{[&end] {
    caf::error why;
    {
      actors::system_config<> config;
      caf::actor_system system{config};
      auto b = actors::spawn_batcher<int, int>(
        system, {.restart_delay = 1ms, .max_restart_delay = 5ms, .max_outage = 20ms},
        []() -> std::vector<int> (*)(batch) { throw std::runtime_error{"no such model file"}; });
      why = actors::ask(b, 1).get().error();
    }
    end.set_value(std::move(why));
  }};
  bool is_in_time = ended.wait_for(30s) == std::future_status::ready;
  if (is_in_time)
    life.join();
  else
    life.detach();
  REQUIRE(is_in_time);
  CHECK(ended.get() == caf::make_error(errc::no_workers));
}
