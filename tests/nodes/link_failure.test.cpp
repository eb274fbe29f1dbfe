// SPDX-License-Identifier: BSD-3-Clause
//
// The ways to lose a batcher on another node: every request is answered, and the handle comes back.

#include "node_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;
using event = actors::node_event::kind;

TEST_CASE_METHOD(node_fixture, "when the connection breaks, what was sent is answered at once") {
  publish(spawn_doubler({.max_delay = 1h}));
  auto b = connect();
  request(b, 0, 3);
  CHECK(errors.empty());
  break_cable(0);
  CHECK(failed_with(errc::batcher_lost) == 3);
  CHECK(text(errors.begin()->second).find("host:1") != std::string::npos);
}

TEST_CASE_METHOD(node_fixture, "a handle reconnects by itself, and takes requests meanwhile") {
  publish(spawn_doubler());
  auto b = connect({.reconnect = {.retry_delay = 100ms}, .max_outage = 1s});
  break_cable(0);
  request(b, 0, 2);
  CHECK(values.empty());
  time.advance(100ms);
  CHECK(cables.size() == 2);
  CHECK(values.size() == 2);
  CHECK(errors.empty());
}

TEST_CASE_METHOD(node_fixture,
                 "a silent batcher is given up at max_silence, and its late answer dropped") {
  publish(spawn({.when_idle = when_idle::immediate}, holder()), {.max_silence = 10s});
  auto b = connect({.reconnect = {.max_silence = 2s}});
  request(b, 0, 1);
  time.advance(500ms); // the last sign of life
  cables[0]->holds = true;
  state = network::is_silent;
  finish_oldest();
  time.advance(2s - 1ns);
  CHECK(errors.empty());
  time.advance(1ns);
  CHECK(failed_with(errc::batcher_lost) == 1);
  CHECK(text(errors.begin()->second).find("silent") != std::string::npos);
  release(0);
  CHECK(values.empty());
  CHECK(errors.size() == 1);
}

TEST_CASE_METHOD(node_fixture, "a batcher that says nothing but lives is not given up") {
  publish(spawn_doubler({.max_delay = 1h}), {.max_silence = 2s});
  auto b = connect({.reconnect = {.max_silence = 1s}});
  request(b, 0, 1);
  for (int i = 0; i < 100; ++i) time.advance(100ms);
  CHECK(cables.size() == 1);
  CHECK(errors.empty());
  CHECK(count(event::lost) == 0);
}

TEST_CASE_METHOD(node_fixture, "requests wait max_outage for the first connection") {
  state = network::refuses;
  auto b = connect({.max_outage = 1s});
  request(b, 0, 2);
  time.advance(1s - 1ns);
  CHECK(errors.empty());
  time.advance(1ns);
  CHECK(failed_with(errc::batcher_lost) == 2);
  request(b, 2, 3); // no time to lose
  CHECK(failed_with(errc::batcher_lost) == 3);
  appear(spawn_doubler(), 5s);
  request(b, 3, 4);
  CHECK(values.size() == 1);
}

TEST_CASE_METHOD(node_fixture, "a request that waits for the connection expires in its own time") {
  state = network::refuses;
  auto b = connect({.max_outage = 1h});
  submit(b, {.request = 1, .timeout = 300ms});
  submit(b, {.request = 2});
  time.advance(300ms - 1ns);
  CHECK(errors.empty());
  time.advance(1ns);
  CHECK(failed_with(errc::expired) == 1);
  CHECK(errors.count(1) == 1);
}

TEST_CASE_METHOD(node_fixture, "a request whose time is over already expires, and no other") {
  auto far = spawn_doubler({.max_delay = 1h});
  publish(far);
  auto b = connect();
  request(b, 0, 3);
  submit(b, {.request = 7, .timeout = -1ms});
  std::optional<actors::bulk_results<int>> results;
  actors::ask_all(b, actors::bulk<int>{.requests = {8, 9}, .timeout = -1ns},
                  [&](actors::bulk_results<int> all) { results = std::move(all); });
  time.run();
  CHECK(failed_with(errc::expired) == 1);
  CHECK(errors.size() == 1);
  REQUIRE(results);
  for (auto& one : *results) CHECK(one == caf::make_error(errc::expired));
  CHECK(count(event::lost) == 0);
  CHECK(stats(far).counters.queue_items == 3);
}

TEST_CASE_METHOD(node_fixture, "time that was over before it waited for the link stays over") {
  publish(spawn_doubler());
  auto b = connect();
  state = network::is_silent;
  break_cable(0);
  submit(b, {.request = 7, .timeout = -1ms});
  time.advance(1ns);
  CHECK(failed_with(errc::expired) == 1);
}

TEST_CASE_METHOD(node_fixture, "an attempt that nobody answers is over after connect_timeout") {
  state = network::is_silent;
  auto b = connect({.reconnect = {.connect_timeout = 2s, .retry_delay = 100ms}});
  time.advance(2s - 1ns);
  CHECK(count(event::failed) == 0);
  time.advance(1ns);
  CHECK(count(event::failed) == 1);
  time.advance(100ms);
  CHECK(attempts == 2);
}

TEST_CASE_METHOD(node_fixture, "waits between attempts double up to a limit") {
  state = network::refuses;
  auto b = connect({.reconnect = {.retry_delay = 100ms, .max_retry_delay = 400ms}});
  std::vector<duration> waits;
  for (auto seen = attempts; waits.size() < 5; time.advance(1ms)) {
    if (waits.empty() || attempts != seen) waits.push_back(duration::zero());
    seen = attempts;
    waits.back() += 1ms;
  }
  waits.pop_back();
  for (std::size_t i = 0; i < waits.size(); ++i) {
    auto most = std::min<duration>(100ms * (1 << i), 400ms);
    CAPTURE(i, waits[i].count());
    CHECK(waits[i] >= most / 2 - 1ms);
    CHECK(waits[i] <= most + 2ms);
  }
}

TEST_CASE_METHOD(node_fixture, "after max_attempts a link gives up, and answers everything") {
  state = network::refuses;
  auto b = connect({.reconnect = {.retry_delay = 10ms, .max_attempts = 3}, .max_outage = 1h});
  request(b, 0, 1);
  time.advance(10ms);
  CHECK(errors.empty());
  time.advance(20ms);
  CHECK(count(event::given_up) == 1);
  CHECK(failed_with(errc::batcher_lost) == 1);
  time.advance(1h);
  CHECK(attempts == 3);
  request(b, 1, 2);
  CHECK(failed_with(errc::batcher_lost) == 2);
}

TEST_CASE_METHOD(node_fixture, "a client with other types is refused, and told so") {
  publish(spawn_doubler());
  auto b = connect_as<double, std::string>();
  std::optional<caf::error> why;
  actors::ask(b, 1.5, [&](caf::expected<std::string> y) { why = y.error(); });
  time.run();
  REQUIRE(why);
  CHECK(*why == caf::make_error(errc::incompatible));
  for (auto part : {"double", "string", "int32_t", "client", "sums"})
    CHECK(text(*why).find(part) != std::string::npos);
  CHECK(count(event::refused) == 2); // both sides
}

TEST_CASE_METHOD(node_fixture,
                 "a batcher's process with our node id is told from one that is empty") {
  state = network::takes_us_for_them;
  auto b = connect({.max_outage = 1h});
  request(b, 0, 1);
  REQUIRE(failed_with(errc::incompatible) == 1);
  auto why = text(errors.begin()->second);
  for (auto part : {"host:1", "node id", "--pid=host"}) CHECK(why.find(part) != std::string::npos);
  CHECK(count(event::refused) == 1);
}

TEST_CASE_METHOD(node_fixture, "the end of the batcher answers its clients on other nodes") {
  auto far = spawn_doubler({.max_delay = 1h});
  publish(far);
  auto b = connect();
  request(b, 0, 2);
  caf::anon_send_exit(far, caf::exit_reason::kill);
  time.run();
  CHECK(errors.size() == 2);
  CHECK(failed_with(errc::shut_down) + failed_with(errc::batcher_lost) == 2);
}

TEST_CASE_METHOD(node_fixture, "what is published no more is lost to its clients, and goes on") {
  auto far = spawn_doubler();
  auto first = publish(far);
  auto b = connect();
  actors::compat::anon_send(first, wire::close_atom_v);
  time.run();
  request(b, 0, 1);
  CHECK(values.empty());
  publish(far);
  time.advance(200ms);
  CHECK(values.size() == 1);
}

TEST_CASE_METHOD(node_fixture, "requests of a client that is lost are cancelled before they run") {
  auto far = spawn({.max_batch_items = 1, .when_idle = when_idle::immediate}, holder());
  publish(far);
  auto b = connect();
  request(b, 0, 3);
  state = network::refuses;
  break_cable(0);
  finish_oldest();
  time.advance(100ms);
  CHECK(called.size() == 1);
  CHECK(stats(far).counters.replies[static_cast<std::size_t>(outcome::cancelled)] == 2);
}

TEST_CASE_METHOD(node_fixture, "a link answers each of its requests once, whatever it is sent") {
  publish(spawn_doubler({.max_delay = 1h}));
  auto b = connect();
  request(b, 0, 2);
  auto& to = *cables[0];
  for (std::uint64_t id : {1, 1, 9'999}) {
    wire::frame forged = frame_of(wire::frame_kind::answers);
    wire::byte_writer bytes{forged.bytes};
    bytes.number(id);
    bytes.number(true);
    bytes.text("too many bytes for an int");
    to.send(to.near, forged);
  }
  time.run();
  CHECK(failed_with(errc::batch_failed) == 1);
  CHECK(errors.size() == 1);
}

TEST_CASE_METHOD(node_fixture,
                 "nothing is sent over a connection that its sender has not heard of yet") {
  publish(spawn_doubler());
  std::vector<wire::line_event> heard;
  auto owner = time.system().spawn([&heard](caf::event_based_actor*) -> caf::behavior {
    return {[&heard](const wire::line_event& what) { heard.push_back(what); }};
  });
  auto line =
    wire::spawn_line(time.system(), {.host = "host",
                                     .port = 1,
                                     .reconnect = {},
                                     .connector = connector,
                                     .owner = caf::actor_cast<caf::weak_actor_ptr>(owner)});
  wire::hello greeting;
  greeting.request_type = greeting.response_type = actors::compat::name_of_type<int>();
  greeting.max_silence_ns = duration{1h}.count();
  actors::compat::anon_send(line, wire::line_start{greeting});
  time.run();
  break_cable(0);
  time.advance(1s);
  REQUIRE(heard.size() == 3);
  auto say = [&](std::uint64_t attempt) {
    actors::compat::anon_send(line, wire::line_send{attempt, frame_of(wire::frame_kind::requests)});
    time.run();
    return cables.at(1)->count(wire::frame_kind::requests);
  };
  CHECK(say(heard[0].from.attempt) == 0);
  CHECK(say(heard[2].from.attempt) == 1);
  actors::compat::anon_send(line, wire::line_stop{});
  caf::anon_send_exit(owner, caf::exit_reason::kill);
  time.run();
}

TEST_CASE_METHOD(node_fixture, "a link whose line is ended from outside answers everything") {
  publish(spawn_doubler({.max_delay = 1h}));
  auto near = connect();
  request(near, 0, 1);
  caf::anon_send_exit(cables[0]->near, caf::exit_reason::user_shutdown);
  time.run();
  CHECK(failed_with(errc::batcher_lost) == 1);
  CHECK(count(event::given_up) == 1);
  request(near, 1, 2);
  CHECK(failed_with(errc::batcher_lost) == 2);
}
