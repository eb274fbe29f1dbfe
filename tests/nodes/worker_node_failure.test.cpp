// SPDX-License-Identifier: BSD-3-Clause
//
// Worker nodes that die, freeze and come back: what they held runs elsewhere or is answered, nothing
// is answered twice, and what comes too late is counted.

#include "node_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;
using event = actors::node_event::kind;

namespace {

options one_each(retry_policy again = retry::never{}) {
  return {.max_batch_items = 1, .when_idle = when_idle::immediate, .on_failure = again};
}

// A worker's mailbox: lets one job through, and keeps the others in `behind`, which pass when called.
caf::behavior in_front_of(caf::event_based_actor* self, const actors::worker_handle& worker,
                          std::vector<std::function<void()>>& behind) {
  auto has_one = std::make_shared<bool>(false);
  return {
    [worker](actors::start_atom) { actors::compat::anon_send(worker, actors::start_atom_v); },
    [](const actors::job_done_message&) {},
    [self, worker, has_one, &behind](const actors::job_message& msg) {
      auto pass = [worker, msg,
                   node = caf::actor_cast<caf::strong_actor_ptr>(self->current_sender())] {
        actors::compat::send(nullptr, node, caf::actor_cast<caf::abstract_actor*>(worker), msg);
      };
      if (std::exchange(*has_one, true))
        behind.push_back(pass);
      else
        pass();
    },
  };
}

} // namespace

TEST_CASE_METHOD(node_fixture,
                 "a node dies with a batch: its items are answered with worker_lost") {
  auto b = spawn_bare(one_each());
  publish(b);
  join(holder(), {.name = "gpu-3"});
  request(b, 0, 1);
  state = network::refuses;
  break_cable(0);
  REQUIRE(failed_with(errc::worker_lost) == 1);
  CHECK(text(errors.begin()->second).find("gpu-3") != std::string::npos);
  CHECK(count(event::lost) == 2); // both sides
}

TEST_CASE_METHOD(node_fixture,
                 "a node dies with a batch that may run again: another node runs it") {
  auto b = spawn_bare(one_each(retry::idempotent{}));
  publish(b);
  join(holder());
  request(b, 0, 1);
  CHECK(called.size() == 1);
  join(doubler());
  state = network::refuses;
  break_cable(0);
  CHECK(called.size() == 2);
  CHECK(values.size() == 1);
  CHECK(errors.empty());
}

TEST_CASE_METHOD(
  node_fixture,
  "a silent node is given up at max_silence, and what it answers later is counted and dropped") {
  auto b = spawn_bare(one_each(retry::idempotent{}));
  publish(b, {.max_silence = 2s});
  join(holder(), {.reconnect = {.max_silence = 1h}});
  time.advance(500ms); // its last sign of life
  request(b, 0, 1);
  cables[0]->holds = true;
  join(holder());
  finish_oldest(); // of the frozen node
  time.advance(2s - 1ns);
  CHECK(called.size() == 1);
  time.advance(1ns);
  CHECK(called.size() == 2);
  CHECK(count(event::lost) == 1);
  finish_oldest();
  CHECK(values.size() == 1);
  CHECK(stats(b).counters.late_answers == 0);
  release(0);
  CHECK(stats(b).counters.late_answers == 1);
  CHECK(values.size() == 1);
  CHECK(errors.empty());
}

TEST_CASE_METHOD(
  node_fixture,
  "a node that was given up and leaves hears that its work is lost, not that all is done") {
  auto b = spawn_bare(one_each());
  publish(b, {.max_silence = 2s});
  auto node = join(holder(), {.reconnect = {.max_silence = 1h}});
  time.advance(500ms); // its last sign of life
  request(b, 0, 1);
  cables[0]->is_cut = true;
  time.advance(2s);
  REQUIRE(count(event::lost) == 1);
  cables[0]->is_cut = false;
  auto left = leave(node, 1h); // the first that is heard of it again
  CHECK(*left == 1u);
  CHECK(count(event::left) == 0);
  CHECK(failed_with(errc::worker_lost) == 1);
}

TEST_CASE_METHOD(node_fixture,
                 "a batcher ends with its last handle, whatever became of its nodes") {
  auto b = spawn_bare(one_each());
  publish(b, {.max_silence = 2s});
  join(doubler(), {.reconnect = {.max_silence = 1h}});
  request(b, 0, 1);
  cables[0]->holds = true;
  time.advance(2s);
  REQUIRE(count(event::lost) == 1);
  state = network::refuses;
  break_cable(0);
  actors::compat::anon_send(gate, wire::close_atom_v);
  auto addr = caf::actor_cast<caf::actor_addr>(b);
  b = handle{};
  all_batchers.clear();
  time.advance(1s);
  bool is_there = caf::actor_cast<caf::strong_actor_ptr>(addr) != nullptr;
  CHECK_FALSE(is_there);
}

TEST_CASE_METHOD(node_fixture,
                 "a node that was given up is told so when it comes back, and serves again") {
  auto b = spawn_bare(one_each());
  publish(b, {.max_silence = 2s});
  join(doubler(), {.reconnect = {.retry_delay = 100ms, .max_silence = 1h}});
  cables[0]->holds = true;
  time.advance(3s);
  release(0);
  time.advance(100ms);
  CHECK(cables.size() == 2);
  request(b, 0, 1);
  CHECK(values.size() == 1);
}

TEST_CASE_METHOD(node_fixture,
                 "what a node has begun when it loses its batcher is told late, and counted once") {
  auto b = spawn_bare(one_each());
  publish(b);
  join(holder(), {.reconnect = {.retry_delay = 100ms}});
  request(b, 0, 1);
  break_cable(0);
  CHECK(failed_with(errc::worker_lost) == 1);
  finish_oldest(); // while it has no batcher
  time.advance(100ms);
  CHECK(stats(b).counters.late_answers == 1);
  CHECK(values.empty());
  request(b, 1, 2);
  finish_oldest();
  CHECK(values.size() == 1);
}

TEST_CASE_METHOD(node_fixture,
                 "what a node has not begun when it loses its batcher it does not begin") {
  auto b = spawn_bare(one_each());
  publish(b);
  std::vector<std::function<void()>> behind;
  auto start = [&](caf::event_based_actor* self, std::size_t number) {
    auto worker = actors::spawn_worker<int, int>(self, actors::maker_of<int, int>(holder()), number,
                                                 std::make_shared<const actors::hooks<int, int>>(),
                                                 worker_execution::cooperative);
    auto first = self->spawn(
      [&behind, worker](caf::event_based_actor* own) { return in_front_of(own, worker, behind); });
    return caf::actor_cast<actors::worker_handle>(first);
  };
  actors::join_options opts{.credit = 2, .has_threads = false, .on_event = keep_events()};
  all_nodes.push_back(time.system().spawn<wire::worker_node<int, int>>(
    std::move(opts), std::string{"host"}, std::uint16_t{1}, connector, start));
  time.run();
  request(b, 0, 2);
  REQUIRE(called.size() == 1);
  REQUIRE(behind.size() == 1);
  break_cable(0);
  CHECK(failed_with(errc::worker_lost) == 2);
  finish_oldest();
  behind.front()();
  time.run();
  CHECK(called.size() == 1);
  CHECK(promises.empty());
}

TEST_CASE_METHOD(node_fixture, "a node that dies before it was known to the batcher hurts nobody") {
  auto b = spawn_bare(one_each());
  publish(b);
  request(b, 0, 1);
  state = network::works;
  join(doubler());
  CHECK(values.size() == 1);
  for (int i = 0; i < 5; ++i) {
    break_cable(cables.size() - 1);
    time.advance(5s);
  }
  request(b, 1, 2);
  CHECK(values.size() == 2);
  CHECK(errors.empty());
}

TEST_CASE_METHOD(node_fixture, "a node waits for its batcher as long as it takes") {
  state = network::refuses;
  join(doubler(), {.reconnect = {.max_retry_delay = 1s}});
  time.advance(5s);
  for (int i = 0; i < 100; ++i) time.advance(1s);
  CHECK(attempts > 90);
  auto b = spawn_bare(one_each());
  appear(b, 1s);
  request(b, 0, 1);
  CHECK(values.size() == 1);
}

TEST_CASE_METHOD(node_fixture, "a node that may try only so often gives up") {
  state = network::refuses;
  auto node = join(doubler(), {.reconnect = {.retry_delay = 10ms, .max_attempts = 2}});
  time.advance(10ms);
  CHECK(count(event::given_up) == 1);
  CHECK(attempts == 2);
}

TEST_CASE_METHOD(node_fixture, "a node with other types is refused, and told so") {
  auto b = spawn_bare(one_each());
  publish(b);
  join_as<std::string, int>(
    [] { return [](std::span<const std::string> xs) { return std::vector<int>(xs.size()); }; });
  CHECK(count(event::refused) == 2); // both sides
  CHECK(events.back().why == caf::make_error(errc::incompatible));
}

TEST_CASE_METHOD(node_fixture,
                 "a factory that throws at first is tried again, then the node dials") {
  auto b = spawn_bare(one_each());
  publish(b);
  int made = 0;
  join(
    [this, &made] {
      if (++made < 3) throw std::runtime_error{"no device"};
      return doubler()();
    },
    {.restart_delay = 100ms});
  CHECK(attempts == 0);
  CHECK(text(events.back().why).find("no device") != std::string::npos);
  time.advance(100ms);
  time.advance(100ms);
  request(b, 0, 1);
  CHECK(values.size() == 1);
}

TEST_CASE_METHOD(
  node_fixture,
  "a batch that is larger than a message may be fails with a text, nothing else does") {
  auto b = actors::spawn_batcher<std::string, int>(
    time.system(),
    options{.max_batch_items = 4,
            .max_delay = 1h,
            .on_failure = retry::idempotent{},
            .workers = 0,
            .worker_execution = worker_execution::cooperative},
    [] { return [](std::span<const std::string> xs) { return std::vector<int>(xs.size(), 1); }; });
  all_batchers.push_back(caf::actor_cast<caf::actor>(b));
  gate = wire::spawn_gate(
    time.system(), wire::gate_for<std::string, int>(b, {.max_message_bytes = 4'096}, "texts"));
  all_gates.push_back(gate);
  join_as<std::string, int>(
    [] { return [](std::span<const std::string> xs) { return std::vector<int>(xs.size(), 1); }; });
  std::vector<caf::expected<int>> answers;
  for (auto bytes : {2'000, 2'000, 2'000, 5'000})
    actors::ask(b, std::string(static_cast<std::size_t>(bytes), 'x'),
                [&](caf::expected<int> y) { answers.push_back(std::move(y)); });
  time.run();
  // Halves fit, but for the one that is too large by itself.
  REQUIRE(answers.size() == 4);
  CHECK(std::count_if(answers.begin(), answers.end(), [](auto& y) { return y && *y == 1; }) == 3);
  auto bad = std::find_if(answers.begin(), answers.end(), [](auto& y) { return !y; });
  CHECK(actors::text_of(bad->error()).find("max_message_bytes") != std::string::npos);
}

TEST_CASE_METHOD(node_fixture, "a node that is told nonsense answers with an error and lives") {
  auto b = spawn_bare(one_each());
  publish(b);
  join(doubler());
  auto& to = *cables[0];
  auto damaged = frame_of(wire::frame_kind::job, wire::job_head{.id = 77});
  wire::byte_writer bytes{damaged.bytes};
  bytes.length(1);
  bytes.text("no number");
  to.send(to.near, damaged);
  damaged.bytes.resize(5);
  to.send(to.near, damaged);
  time.run();
  CHECK(to.count(wire::frame_kind::job_done) == 2);
  request(b, 0, 1);
  CHECK(values.size() == 1);
}

TEST_CASE_METHOD(node_fixture, "a batch that says to be larger than it is costs a node no memory") {
  gate = time.system().spawn(
    [](caf::event_based_actor*) -> caf::behavior { return {[](const wire::frame&) {}}; });
  join_as<wide, int>(
    [] { return [](std::span<const wide> xs) { return std::vector<int>(xs.size()); }; });
  auto& to = *cables[0];
  auto greeting = wire::content_of<wire::hello>(to.seen.at(0));
  REQUIRE(greeting);
  to.send(to.near, frame_of(wire::frame_kind::welcome, wire::welcome{.attempt = greeting->attempt,
                                                                     .max_message_bytes = 1u << 30u,
                                                                     .max_silence_ns = 1}));
  constexpr std::size_t items = 1u << 21u;
  auto forged = frame_of(wire::frame_kind::job, wire::job_head{.id = 77});
  wire::byte_writer{forged.bytes}.length(items);
  forged.bytes.resize(forged.bytes.size() + items);
  to.send(to.near, forged);
  time.run();
  CHECK(count(event::connected) == 1);
  CHECK(to.count(wire::frame_kind::job_done) == 1);
  caf::anon_send_exit(gate, caf::exit_reason::kill);
}

TEST_CASE_METHOD(node_fixture, "a node whose line is ended from outside ends, and says so") {
  publish(spawn_bare(one_each()));
  bool has_ended = false;
  join(doubler())->attach_functor([&has_ended] { has_ended = true; });
  caf::anon_send_exit(cables[0]->near, caf::exit_reason::user_shutdown);
  time.run();
  CHECK(has_ended);
  CHECK(count(event::given_up) == 1);
}

TEST_CASE_METHOD(node_fixture, "functions are told of batches that nobody waits for any more") {
  auto b =
    spawn_bare({.max_batch_items = 1, .when_idle = when_idle::immediate, .batch_timeout = 1s});
  publish(b, {.max_silence = 2s});
  std::optional<actors::batch_context> context;
  join([&] {
    return [&](batch xs, actors::batch_promise<int> answer) {
      context = answer.context();
      promises.emplace_back(std::vector<int>(xs.begin(), xs.end()), std::move(answer));
    };
  });
  request(b, 0, 1);
  REQUIRE(context);
  CHECK_FALSE(context->is_cancelled(0));
  time.advance(1s);
  CHECK(failed_with(errc::batch_timeout) == 1);
  time.advance(500ms);
  CHECK(context->is_cancelled(0));
  context.reset();
  finish_oldest();
}
