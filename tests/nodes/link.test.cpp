// SPDX-License-Identifier: BSD-3-Clause
//
// A batcher used from another node as if it were here: requests of every kind, errors, control.

#include "node_fixture.hpp"

#include <caf/actor_registry.hpp>

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

TEST_CASE_METHOD(node_fixture, "requests through a link are answered") {
  publish(spawn_doubler());
  auto b = connect();
  request(b, 0, 3);
  CHECK(values == std::multimap<int, int>{{0, 0}, {1, 2}, {2, 4}});
  CHECK(errors.empty());
}

TEST_CASE_METHOD(node_fixture, "requests that arrive together travel together, and so do answers") {
  publish(spawn_doubler({.max_batch_items = 64, .max_delay = 1ms}));
  auto b = connect();
  request(b, 0, 64);
  CHECK(values.size() == 64);
  CHECK(called.size() == 1);
  REQUIRE(cables.size() == 1);
  CHECK(cables[0]->count(wire::frame_kind::requests) == 1);
  CHECK(cables[0]->count(wire::frame_kind::answers) == 1);
}

TEST_CASE_METHOD(node_fixture, "wishes of a request reach the batcher") {
  std::vector<std::string> keys;
  publish(spawn({.when_idle = when_idle::immediate}, [&keys] {
    return [&keys](batch xs, const actors::batch_context& of) {
      keys.push_back(of.key());
      return doubled(xs);
    };
  }));
  auto b = connect();
  submit(b, {.request = 1, .key = "blue", .tenant = "me"});
  submit(b, {.request = 2, .priority = 9});
  CHECK(keys == std::vector<std::string>{"blue"});
  CHECK(values.count(1) == 1);
  CHECK(failed_with(errc::invalid_request) == 1);
}

TEST_CASE_METHOD(node_fixture, "a request's timeout counts at the batcher") {
  publish(spawn({.when_idle = when_idle::immediate}, holder()));
  auto b = connect();
  submit(b, {.request = 1, .timeout = 50ms});
  time.advance(50ms - 1ns);
  CHECK(errors.empty());
  time.advance(1ns);
  CHECK(failed_with(errc::expired) == 1);
  finish_oldest();
  CHECK(values.empty());
}

TEST_CASE_METHOD(node_fixture, "a bulk is answered in one message, in order") {
  publish(spawn_doubler({.max_batch_items = 2, .max_delay = 1h}));
  auto b = connect();
  std::optional<actors::bulk_results<int>> results;
  actors::ask_all(b, actors::bulk<int>{.requests = {5, 6, 7, 8}},
                  [&](actors::bulk_results<int> all) { results = std::move(all); });
  time.run();
  REQUIRE(results);
  REQUIRE(results->size() == 4);
  for (int i = 0; i < 4; ++i) CHECK((*results)[static_cast<std::size_t>(i)] == 2 * (i + 5));
  CHECK(cables[0]->count(wire::frame_kind::requests) == 1);
  auto reply = ask_for<actors::bulk_reply_message>(
    b, actors::message_of(actors::bulk<int>{.requests = {1, 2}}));
  REQUIRE(reply);
  CHECK(actors::results_of<int>(*reply)[1] == 4);
}

TEST_CASE_METHOD(node_fixture, "a local batcher can have the one on the other node as its worker") {
  publish(spawn_doubler({.max_batch_items = 4, .max_delay = 1h}));
  auto outer = spawn({.max_batch_items = 4, .max_delay = 1h}, actors::forward_to(connect()));
  time.run();
  request(outer, 0, 4);
  CHECK(values == std::multimap<int, int>{{0, 0}, {1, 2}, {2, 4}, {3, 6}});
  CHECK(cables[0]->count(wire::frame_kind::requests) == 1);
  caf::anon_send_exit(outer, caf::exit_reason::kill); // its function holds the link
}

TEST_CASE_METHOD(node_fixture, "errors arrive as they were") {
  publish(
    spawn({.max_batch_items = 1, .when_idle = when_idle::immediate, .max_queue_items = 1}, [] {
      return [](batch xs) {
        if (xs[0] == 1) throw std::runtime_error{"model is on fire"};
        actors::bulk_results<int> results;
        results.emplace_back(caf::make_error(caf::sec::invalid_argument, "not that one"));
        return results;
      };
    }));
  auto b = connect();
  request(b, 1, 3);
  REQUIRE(errors.size() == 2);
  auto& thrown = errors.find(1)->second;
  CHECK(thrown == caf::make_error(errc::batch_failed));
  CHECK(actors::text_of(thrown) == "model is on fire");
  auto& own = errors.find(2)->second;
  CHECK(own == caf::make_error(caf::sec::invalid_argument));
  CHECK(actors::text_of(own) == "not that one");
}

TEST_CASE_METHOD(node_fixture, "a full queue's hint arrives") {
  auto far = spawn({.max_batch_items = 1, .when_idle = when_idle::immediate, .max_queue_items = 1},
                   holder());
  publish(far);
  auto b = connect();
  request(b, 0, 3);
  REQUIRE(failed_with(errc::queue_full) == 1);
  REQUIRE(actors::hint_of(errors.begin()->second));
  CHECK(actors::hint_of(errors.begin()->second)->queue_items == 1);
}

TEST_CASE_METHOD(node_fixture, "a request is cancelled by its tag, sent or not") {
  auto far = spawn({.max_batch_items = 1, .when_idle = when_idle::immediate}, holder());
  publish(far);
  auto b = connect();
  submit(b, {.request = 1, .tag = 7});
  submit(b, {.request = 2, .tag = 8});
  submit(b, {.request = 3, .tag = 8}); // in use
  CHECK(failed_with(errc::invalid_request) == 1);
  actors::cancel(b, 8);
  time.run();
  CHECK(failed_with(errc::cancelled) == 1);
  CHECK(stats(far).counters.queue_items == 0);
  submit(b, {.request = 4, .tag = 8}); // free again
  CHECK(errors.size() == 2);
  finish_oldest();
  finish_oldest();
  CHECK(values == std::multimap<int, int>{{1, 2}, {4, 8}});
}

TEST_CASE_METHOD(node_fixture, "control goes through a link") {
  auto far = spawn_doubler();
  publish(far);
  auto b = connect();
  CHECK(ask_for<bool>(b, actors::is_running_atom_v) == true);
  actors::compat::anon_send(b, actors::pause_atom_v);
  time.run();
  CHECK(stats(b).is_paused);
  request(b, 0, 2);
  CHECK(values.empty());
  CHECK(stats(b).counters.queue_items == 2);
  actors::compat::anon_send(b, actors::resume_atom_v);
  time.run();
  CHECK(values.size() == 2);
  CHECK(ask_for<std::uint64_t>(b, actors::drain_atom_v, caf::timespan{1s}) == std::uint64_t{0});
  CHECK(ask_for<bool>(b, actors::is_running_atom_v) == false);
  request(b, 2, 3);
  CHECK(failed_with(errc::shut_down) == 1);
}

TEST_CASE_METHOD(node_fixture, "stop answers what waits at a batcher on another node") {
  publish(spawn_doubler({.max_delay = 1h}));
  auto b = connect();
  request(b, 0, 2);
  actors::compat::anon_send(b, actors::stop_atom_v);
  time.run();
  CHECK(failed_with(errc::shut_down) == 2);
}

TEST_CASE_METHOD(node_fixture, "credit is asked for and used through a link") {
  publish(spawn({.max_batch_items = 1,
                 .when_idle = when_idle::immediate,
                 .max_queue_items = 1,
                 .overload = overload::wait_for_credit},
                doubler()));
  auto b = connect();
  auto granted = ask_for<std::uint32_t>(b, actors::credit_atom_v, std::uint32_t{1});
  CHECK(granted == 1u);
  submit(b, {.request = 1, .on_credit = true});
  CHECK(values.size() == 1);
}

TEST_CASE_METHOD(node_fixture, "new options are refused from afar, with a text") {
  publish(spawn_doubler());
  auto b = connect();
  std::optional<caf::error> refused;
  time.system().spawn([&refused, b](caf::event_based_actor* self) {
    actors::reconfigure_message msg{std::make_shared<const options>(options{.workers = 2})};
    actors::compat::request(self, b, msg)
      .then([] {}, [&refused](const caf::error& why) { refused = why; });
  });
  time.run();
  REQUIRE(refused);
  CHECK(*refused == caf::make_error(errc::incompatible));
}

TEST_CASE_METHOD(node_fixture, "a request that is larger than a message may be is refused") {
  auto far = spawn_doubler();
  using texts = actors::batcher_handle<std::string, std::string>;
  texts big = actors::spawn_batcher<std::string, std::string>(
    time.system(),
    options{.when_idle = when_idle::immediate, .worker_execution = worker_execution::cooperative},
    [] {
      return [](std::span<const std::string> xs) {
        return std::vector<std::string>(xs.size(), std::string(5'000, 'y'));
      };
    });
  time.run();
  all_batchers.push_back(caf::actor_cast<caf::actor>(big));
  gate = wire::spawn_gate(time.system(),
                          wire::gate_for<std::string, std::string>(
                            big, actors::publish_options{.max_message_bytes = 4'096}, "texts"));
  all_gates.push_back(gate);
  auto b = connect_as<std::string, std::string>();
  std::vector<caf::error> refused;
  for (auto bytes : {4'000, 5'000})
    actors::ask(b, std::string(static_cast<std::size_t>(bytes), 'x'),
                [&](caf::expected<std::string> y) { refused.push_back(y.error()); });
  time.run();
  REQUIRE(refused.size() == 2);
  CHECK(refused[0] == caf::make_error(errc::too_costly));
  CHECK(actors::text_of(refused[0]).find("max_message_bytes") != std::string::npos);
  CHECK(refused[1] == caf::make_error(errc::batch_failed)); // its answer was too large
  CHECK(actors::text_of(refused[1]).find("max_message_bytes") != std::string::npos);
}

TEST_CASE_METHOD(node_fixture, "many requests are divided into messages that are not too large") {
  publish(spawn_doubler({.when_idle = when_idle::immediate}), {.max_message_bytes = 1'024});
  auto b = connect();
  request(b, 0, 2'000);
  CHECK(values.size() == 2'000);
  CHECK(cables[0]->count(wire::frame_kind::requests) >= 10);
  for (auto& frame : cables[0]->seen) CHECK(frame.bytes.size() <= 1'024);
}

TEST_CASE_METHOD(node_fixture, "a link ends with its last handle, and its session with it") {
  publish(spawn_doubler());
  {
    auto b = connect();
    CHECK(count(actors::node_event::kind::connected) == 2); // both sides
  }
  time.run();
  CHECK(count(actors::node_event::kind::left) == 1);
}

TEST_CASE_METHOD(node_fixture, "a link whose batcher is away ends with its last handle, too") {
  state = network::refuses;
  auto before = time.system().registry().running();
  {
    auto b = connect({.max_outage = 1h});
    request(b, 0, 1);
  }
  time.run();
  CHECK(failed_with(errc::shut_down) == 1);
  CHECK(time.system().registry().running() == before);
}
