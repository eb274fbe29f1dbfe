// SPDX-License-Identifier: BSD-3-Clause
//
// A job that waited to be used again kept the requests of its last batch. One that held a handle of
// an actor that held the batcher's kept both, and with them the actor system, for ever.

#include "../actors/actor_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

TEST_CASE_METHOD(actor_fixture, "a request is gone once it is answered") {
  auto b = actors::spawn_batcher<task_message, int>(
    time.system(),
    {.when_idle = when_idle::immediate, .worker_execution = worker_execution::cooperative},
    [] { return [](std::span<const task_message> xs) { return std::vector<int>(xs.size(), 1); }; });
  time.run();
  auto inside = std::make_shared<int>(7);
  actors::ask(b, task_message{[inside](caf::event_based_actor*) {}}, keep(1));
  CHECK(inside.use_count() > 1);
  time.run();
  CHECK(answered.values.count(1) == 1);
  CHECK(inside.use_count() == 1);
}
