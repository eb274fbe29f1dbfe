// SPDX-License-Identifier: BSD-3-Clause
//
// Who is let in, who is refused, and what strangers can do: nothing.

#include "batcher/actors/mail.hpp"
#include "node_fixture.hpp"

#include <caf/actor_registry.hpp>

#include <random>

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;
using event = actors::node_event::kind;

namespace {

/// Somebody who says what the test wants, and keeps what he is told.
struct stranger_fixture : node_fixture {
  stranger_fixture() {
    stranger = time.system().spawn([this](caf::event_based_actor* self) -> caf::behavior {
      actors::compat::ignore_errors(self);
      return {[this, self](const wire::frame& msg) {
        told.push_back(msg);
        if (msg.kind == static_cast<std::uint8_t>(wire::frame_kind::welcome))
          session = caf::actor_cast<caf::strong_actor_ptr>(self->current_sender());
      }};
    });
  }
  ~stranger_fixture() { caf::anon_send_exit(stranger, caf::exit_reason::kill); }

  void say(const caf::strong_actor_ptr& to, wire::frame what) {
    actors::compat::send(nullptr, caf::actor_cast<caf::strong_actor_ptr>(stranger),
                         caf::actor_cast<caf::abstract_actor*>(to), std::move(what));
    time.run();
  }
  void say_to_gate(wire::frame what) {
    say(caf::actor_cast<caf::strong_actor_ptr>(gate), std::move(what));
  }

  static wire::hello good_hello(wire::role as = wire::role::client) {
    wire::hello x;
    x.as = as;
    x.attempt = 7;
    x.name = "stranger";
    x.request_type = actors::compat::name_of_type<int>();
    x.response_type = actors::compat::name_of_type<int>();
    x.workers = x.credit = 1;
    x.max_silence_ns = duration{1h}.count();
    x.process = wire::own_process();
    return x;
  }

  void say_hello(const wire::hello& x) { say_to_gate(frame_of(wire::frame_kind::hello, x)); }

  std::optional<caf::error> refusal() {
    if (told.empty()) return std::nullopt;
    auto content = wire::content_of<wire::refusal>(told.back());
    if (told.back().kind != static_cast<std::uint8_t>(wire::frame_kind::refusal) || !content)
      return std::nullopt;
    return wire::error_of_bytes(content->error);
  }

  caf::actor stranger;
  caf::strong_actor_ptr session; // that has let it in last
  std::vector<wire::frame> told;
};

} // namespace

TEST_CASE_METHOD(stranger_fixture, "a good hello is welcomed, and its attempt repeated") {
  publish(spawn_doubler());
  say_hello(good_hello());
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == static_cast<std::uint8_t>(wire::frame_kind::welcome));
  auto content = wire::content_of<wire::welcome>(told[0]);
  REQUIRE(content);
  CHECK(content->attempt == 7);
  CHECK(content->name == "sums");
  say(session, frame_of(wire::frame_kind::goodbye));
}

TEST_CASE_METHOD(stranger_fixture, "another version of the protocol is refused, both are named") {
  publish(spawn_doubler());
  auto x = good_hello();
  x.protocol = 99;
  say_hello(x);
  REQUIRE(refusal());
  CHECK(*refusal() == caf::make_error(errc::incompatible));
  CHECK(text(*refusal()).find("99") != std::string::npos);
  CHECK(text(*refusal()).find(std::to_string(wire::protocol_version)) != std::string::npos);
  CHECK(count(event::refused) == 1);
}

TEST_CASE_METHOD(stranger_fixture, "a worker node out of range is refused") {
  publish(spawn_doubler());
  for (auto [workers, credit] : {std::pair{0u, 1u}, {1u, 0u}, {5'000u, 1u}, {1u, 2'000u}}) {
    auto x = good_hello(wire::role::worker);
    x.workers = workers;
    x.credit = credit;
    say_hello(x);
    REQUIRE(refusal());
    CHECK(*refusal() == caf::make_error(errc::incompatible));
  }
}

TEST_CASE_METHOD(stranger_fixture, "no more than max_nodes are let in, and a place becomes free") {
  publish(spawn_doubler(), {.max_nodes = 1});
  auto b = connect();
  say_hello(good_hello());
  REQUIRE(refusal());
  CHECK(text(*refusal()).find("max_nodes") != std::string::npos);
  break_cable(0);
  say_hello(good_hello());
  CHECK_FALSE(refusal());
  say(session, frame_of(wire::frame_kind::goodbye));
}

TEST_CASE_METHOD(stranger_fixture, "who says anything but hello is not answered") {
  publish(spawn_doubler());
  say_to_gate(frame_of(wire::frame_kind::alive));
  say_to_gate(frame_of(wire::frame_kind::requests));
  CHECK(told.empty());
}

TEST_CASE_METHOD(stranger_fixture, "random bytes of every kind disturb nobody") {
  auto far = spawn_doubler({.when_idle = when_idle::immediate});
  publish(far);
  auto b = connect();
  std::mt19937 random{7};
  for (int i = 0; i < 3'000; ++i) {
    if (!session || i % 10 == 0)
      say_hello(good_hello(i % 20 == 0 ? wire::role::client : wire::role::worker));
    std::string bytes(random() % 64, '\0');
    for (auto& c : bytes) c = static_cast<char>(random() % 3 == 0 ? random() : random() % 4);
    wire::frame what{.kind = static_cast<std::uint8_t>(random() % 16), .bytes = std::move(bytes)};
    if (i % 3 == 0)
      say_to_gate(what);
    else if (session)
      say(session, what);
  }
  caf::anon_send_exit(stranger, caf::exit_reason::kill); // it has passed as a worker, too
  time.run();
  request(b, 0, 3);
  CHECK(values.size() == 3);
}

TEST_CASE_METHOD(stranger_fixture, "a damaged request is answered, the others with it run") {
  publish(spawn_doubler({.when_idle = when_idle::immediate}));
  say_hello(good_hello());
  auto msg = frame_of(wire::frame_kind::requests, wire::group_head{.first_id = 5});
  wire::byte_writer to{msg.bytes};
  std::string scratch;
  to.length(3);
  REQUIRE(wire::write_sized(to, 1, scratch));
  to.text("no number");
  REQUIRE(wire::write_sized(to, 3, scratch));
  say(session, msg);
  std::map<std::uint64_t, caf::expected<int>> answers;
  for (auto& frame : told) {
    if (frame.kind != static_cast<std::uint8_t>(wire::frame_kind::answers)) continue;
    wire::byte_reader from{frame.bytes};
    while (from.remaining() > 0) {
      auto id = from.number<std::uint64_t>();
      answers.emplace(id, wire::read_result<int>(from));
    }
  }
  REQUIRE(answers.size() == 3);
  CHECK(answers.at(5) == 2);
  CHECK(answers.at(6) == caf::make_error(errc::invalid_request));
  CHECK(answers.at(7) == 6);
  say(session, frame_of(wire::frame_kind::goodbye));
}

TEST_CASE_METHOD(stranger_fixture, "a peer that sends more than a message may hold is dropped") {
  publish(spawn_doubler(), {.max_message_bytes = 1'024});
  say_hello(good_hello());
  wire::frame what = frame_of(wire::frame_kind::requests);
  what.bytes.resize(1'025);
  say(session, what);
  CHECK(told.back().kind == static_cast<std::uint8_t>(wire::frame_kind::goodbye));
  CHECK(text(wire::error_of_bytes(told.back().bytes)).find("max_message_bytes")
        != std::string::npos);
  CHECK(count(event::left) == 1);
}

TEST_CASE_METHOD(stranger_fixture, "parts that are more than a message may hold drop the peer") {
  publish(spawn_doubler(), {.max_message_bytes = 1'024});
  say_hello(good_hello());
  auto part = frame_of(wire::frame_kind::part);
  part.bytes.resize(512);
  say(session, part);
  say(session, part);
  CHECK(count(event::left) == 0);
  part.bytes.resize(1);
  say(session, part);
  CHECK(count(event::left) == 1);
  CHECK(text(wire::error_of_bytes(told.back().bytes)).find("max_message_bytes")
        != std::string::npos);
}

TEST_CASE_METHOD(stranger_fixture, "a peer that sends too many requests in a message is dropped") {
  publish(spawn_doubler());
  say_hello(good_hello());
  auto damaged = [](std::size_t requests) {
    auto msg = frame_of(wire::frame_kind::requests, wire::group_head{.first_id = 1});
    wire::byte_writer{msg.bytes}.length(requests);
    msg.bytes.append(requests, '\0');
    return msg;
  };
  say(session, damaged(wire::most_requests));
  CHECK(count(event::left) == 0);
  say(session, damaged(wire::most_requests + 1));
  CHECK(count(event::left) == 1);
}

TEST_CASE_METHOD(stranger_fixture,
                 "a hello that is too long is refused, and says how long it may be") {
  publish(spawn_doubler());
  auto x = good_hello();
  x.name = std::string(4'096, 'x');
  say_hello(x);
  REQUIRE(refusal());
  CHECK(*refusal() == caf::make_error(errc::incompatible));
  CHECK(text(*refusal()).find("4096") != std::string::npos);
  CHECK(wire::content_of<wire::refusal>(told.back())->attempt == 7);
  CHECK(told.back().bytes.size() < 1'024);
}

TEST_CASE_METHOD(stranger_fixture, "a peer has one session, and the latest hello counts") {
  publish(spawn_doubler(), {.max_nodes = 1});
  auto before = time.system().registry().running();
  for (int i = 1; i <= 3; ++i) {
    say_hello(good_hello());
    CHECK_FALSE(refusal());
    CHECK(count(event::connected) == static_cast<std::size_t>(i));
    CHECK(count(event::lost) == static_cast<std::size_t>(i - 1));
  }
  CHECK(time.system().registry().running() == before + 1);
  auto goodbye = std::find_if(told.begin(), told.end(), [](auto& x) {
    return x.kind == static_cast<std::uint8_t>(wire::frame_kind::goodbye);
  });
  REQUIRE(goodbye != told.end());
  CHECK(wire::error_of_bytes(goodbye->bytes) == caf::make_error(errc::worker_lost));
  say(session, frame_of(wire::frame_kind::goodbye));
  CHECK(count(event::left) == 1);
}

TEST_CASE_METHOD(node_fixture, "an error of a category that nobody knows can be shown") {
  CHECK(actors::compat::render_foreign(time.system(), foreign_error()).find('7')
        != std::string::npos);
}

TEST_CASE_METHOD(stranger_fixture,
                 "no end that strangers tell of has a reason that cannot be shown") {
  publish(spawn_doubler());
  actors::compat::anon_send(gate, caf::down_msg{connector.address(), foreign_error()});
  time.run();
  say_hello(good_hello());
  REQUIRE(count(event::connected) == 1); // the gate is still there
  auto whom = caf::actor_cast<caf::actor>(session);
  std::optional<caf::error> reason;
  whom->attach_functor([&reason](const caf::error& why) { reason = why; });
  actors::compat::anon_send(whom, caf::exit_msg{connector.address(), foreign_error()});
  time.run();
  REQUIRE(reason);
  CHECK(actors::compat::can_render(*reason));
}

TEST_CASE_METHOD(stranger_fixture, "a batch that a peer makes up is no batch") {
  publish(spawn_doubler());
  say_hello(good_hello(wire::role::worker));
  actors::compat::send(nullptr, caf::actor_cast<caf::strong_actor_ptr>(stranger),
                       caf::actor_cast<caf::abstract_actor*>(session), actors::job_message{});
  time.run();
  CHECK(told.size() == 1);
  CHECK(count(event::lost) + count(event::left) == 0);
}

TEST_CASE_METHOD(stranger_fixture, "what a worker held that says hello again runs elsewhere") {
  auto b = spawn_bare({.when_idle = when_idle::immediate, .on_failure = retry::idempotent{}});
  publish(b);
  say_hello(good_hello(wire::role::worker));
  request(b, 0, 1);
  CHECK(told.back().kind == static_cast<std::uint8_t>(wire::frame_kind::job));
  join(doubler());
  say_hello(good_hello()); // as a client, so that no second worker is there to take it
  CHECK(values.size() == 1);
}

TEST_CASE_METHOD(stranger_fixture,
                 "another process of the same node id has to wait for the end of one") {
  publish(spawn_doubler(), {.max_silence = 2s});
  say_hello(good_hello());
  CHECK_FALSE(refusal());
  auto other = good_hello();
  ++other.process;
  time.advance(1s);
  say_hello(other);
  REQUIRE(refusal());
  CHECK(*refusal() == caf::make_error(errc::incompatible));
  for (auto part : {"stranger", "node id", "--pid=host"})
    CHECK(text(*refusal()).find(part) != std::string::npos);
  time.advance(1s); // the first one is silent
  CHECK(count(event::lost) == 1);
  say_hello(other);
  CHECK_FALSE(refusal());
  CHECK(count(event::connected) == 2);
}

TEST_CASE_METHOD(stranger_fixture,
                 "sessions of lost peers are no more than max_nodes, the oldest ends") {
  publish(spawn_doubler(), {.max_nodes = 1, .max_silence = 2s});
  auto before = time.system().registry().running();
  for (int i = 0; i < 3; ++i) {
    say_hello(good_hello(wire::role::worker));
    time.advance(2s);
  }
  CHECK(count(event::lost) == 3);
  CHECK(time.system().registry().running() == before + 1);
}

TEST_CASE_METHOD(stranger_fixture, "no timer keeps the session of a lost peer that has ended") {
  publish(spawn_doubler(), {.max_silence = 2s});
  say_hello(good_hello(wire::role::worker));
  auto addr = caf::actor_cast<caf::actor_addr>(session);
  time.advance(2s);
  REQUIRE(count(event::lost) == 1);
  actors::compat::anon_send(gate, wire::close_atom_v);
  time.run();
  session = nullptr; // known from its goodbye
  time.advance(2s);
  bool is_there = caf::actor_cast<caf::strong_actor_ptr>(addr) != nullptr;
  CHECK_FALSE(is_there);
}

TEST_CASE_METHOD(stranger_fixture, "the port is closed when the batcher ends") {
  std::vector<caf::actor_addr> closed;
  auto middleman = time.system().spawn([&](caf::event_based_actor*) -> caf::behavior {
    return {[&](caf::unpublish_atom, const caf::actor_addr& whom, std::uint16_t port) {
      CHECK(port == 0); // all of the gate's
      closed.push_back(whom);
    }};
  });
  auto b = spawn_doubler();
  auto settings = wire::gate_for<int, int>(b, {}, "sums");
  settings.network = middleman;
  gate = wire::spawn_gate(time.system(), std::move(settings));
  actors::compat::anon_send(gate, actors::start_atom_v);
  time.run();
  CHECK(closed.empty());
  caf::anon_send_exit(b, caf::exit_reason::kill);
  time.run();
  CHECK(closed == std::vector{gate.address()});
  caf::anon_send_exit(middleman, caf::exit_reason::kill);
}

TEST_CASE_METHOD(stranger_fixture, "a silent peer is given up at max_silence") {
  publish(spawn_doubler(), {.max_silence = 2s});
  say_hello(good_hello());
  time.advance(2s - 1ns);
  CHECK(count(event::lost) == 0);
  time.advance(1ns);
  CHECK(count(event::lost) == 1);
}
