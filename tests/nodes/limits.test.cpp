// SPDX-License-Identifier: BSD-3-Clause
//
// Requests, responses and errors that cannot travel as they are: they cost themselves, not the
// connection.

#include "batcher/actors/control.hpp"
#include "node_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;
using event = actors::node_event::kind;

namespace {

struct limits_fixture : node_fixture {
  /// A batcher of other types than numbers, published.
  template <class Request, class Response, class Function>
  actors::batcher_handle<Request, Response> publish_function(options opts, Function f,
                                                             actors::publish_options how = {}) {
    opts.worker_execution = worker_execution::cooperative;
    auto b = actors::spawn_batcher<Request, Response>(time.system(), opts, [f] { return f; });
    all_batchers.push_back(caf::actor_cast<caf::actor>(b));
    how.on_event = keep_events();
    gate = wire::spawn_gate(time.system(), wire::gate_for<Request, Response>(b, how, "sums"));
    all_gates.push_back(gate);
    time.run();
    return b;
  }

  template <class Response, class Handle, class Request>
  caf::expected<Response> answer(const Handle& b, Request x) {
    std::optional<caf::expected<Response>> out;
    actors::ask(b, std::move(x), [&](caf::expected<Response> y) { out.emplace(std::move(y)); });
    time.run();
    REQUIRE(out);
    return std::move(*out);
  }
};

std::vector<int> values_of(std::span<const shy> xs) {
  std::vector<int> out;
  for (auto& x : xs) out.push_back(x.value);
  return out;
}

const options at_once{.when_idle = when_idle::immediate};

} // namespace

TEST_CASE_METHOD(limits_fixture, "a request whose inspect throws is refused, and no other") {
  publish_function<shy, int>(at_once, values_of);
  auto b = connect_as<shy, int>();
  CHECK(answer<int>(b, shy{13}) == caf::make_error(errc::invalid_request));
  CHECK(answer<int>(b, shy{14}) == 14);
  CHECK(count(event::lost) == 0);
}

TEST_CASE_METHOD(limits_fixture, "a response whose inspect throws fails, and no other") {
  publish_function<int, shy>(at_once, [](batch xs) {
    std::vector<shy> out;
    for (auto x : xs) out.push_back({x});
    return out;
  });
  auto b = connect_as<int, shy>();
  CHECK(answer<shy>(b, 13) == caf::make_error(errc::batch_failed));
  auto good = answer<shy>(b, 14);
  REQUIRE(good);
  CHECK(good->value == 14);
  CHECK(count(event::lost) == 0);
}

TEST_CASE_METHOD(limits_fixture, "a batch whose inspect throws fails, and its node stays") {
  auto opts = at_once;
  opts.workers = 0;
  opts.on_failure = retry::idempotent{};
  auto b = publish_function<shy, int>(opts, values_of);
  join_as<shy, int>([] { return values_of; });
  CHECK(answer<int>(b, shy{13}) == caf::make_error(errc::batch_failed));
  CHECK(answer<int>(b, shy{14}) == 14);
  CHECK(count(event::lost) == 0);
}

TEST_CASE_METHOD(limits_fixture, "a text of an error that is too long for a message is cut") {
  auto b = spawn_bare({.max_batch_items = 1, .when_idle = when_idle::immediate});
  publish(b, {.max_message_bytes = 1'024});
  join([] {
    return [](batch) -> std::vector<int> {
      throw std::runtime_error{"the model is on fire: " + std::string(5'000, 'x')};
    };
  });
  for (auto& whom : {b, connect()}) {
    auto why = answer<int>(whom, 1);
    REQUIRE(why == caf::make_error(errc::batch_failed));
    CHECK(actors::text_of(why.error()).starts_with("the model is on fire: xxx"));
    CHECK(actors::text_of(why.error()).ends_with("..."));
  }
  CHECK(count(event::lost) == 0);
  CHECK(count(event::left) == 0);
}

TEST_CASE_METHOD(limits_fixture, "an error of a result that is too long for a message is cut") {
  publish_function<int, int>(
    at_once,
    [](batch) {
      actors::bulk_results<int> out;
      out.emplace_back(caf::make_error(caf::sec::invalid_argument, std::string(5'000, 'x')));
      return out;
    },
    {.max_message_bytes = 1'024});
  auto why = answer<int>(connect(), 1);
  CHECK(why == caf::make_error(caf::sec::invalid_argument));
  CHECK(count(event::lost) == 0);
}

TEST_CASE_METHOD(limits_fixture,
                 "a large message crosses a slow connection in parts, as signs of life") {
  auto b = publish_function<std::string, std::string>(
    at_once, [](std::span<const std::string> xs) { return std::vector(xs.begin(), xs.end()); },
    {.max_silence = 2s});
  auto far = connect_as<std::string, std::string>({.reconnect = {.max_silence = 2s}});
  cables[0]->holds = true;
  std::string large;
  for (int i = 0; i < 2'000'000; ++i) large.push_back(static_cast<char>(i % 251));
  std::optional<caf::expected<std::string>> out;
  actors::ask(far, large, [&](caf::expected<std::string> y) { out.emplace(std::move(y)); });
  for (int i = 0; i < 100 && !out; ++i) {
    time.advance(500ms);
    cables[0]->release(128u << 10u); // 4 MB would need 16 s
  }
  time.run();
  REQUIRE(out);
  CHECK(*out == large);
  CHECK(count(event::lost) == 0);
  for (auto& what : cables[0]->seen) CHECK(what.bytes.size() <= wire::most_part_bytes);
}

TEST_CASE_METHOD(limits_fixture, "a batch that is large is run, and its results come back") {
  auto opts = at_once;
  opts.workers = 0;
  auto echo = [](std::span<const std::string> xs) { return std::vector(xs.begin(), xs.end()); };
  auto b = publish_function<std::string, std::string>(opts, echo);
  join_as<std::string, std::string>([echo] { return echo; });
  for (auto bytes :
       {wire::most_part_bytes - 64, wire::most_part_bytes, 3 * wire::most_part_bytes}) {
    std::string large(bytes, 'x');
    large.back() = 'y';
    CHECK(answer<std::string>(b, large) == large);
  }
}

TEST_CASE_METHOD(limits_fixture,
                 "parts from a batcher that are more than a message may hold end it") {
  publish(spawn_doubler(), {.max_message_bytes = 1'024});
  auto b = connect();
  auto part = frame_of(wire::frame_kind::part);
  part.bytes.resize(600);
  auto& from = *cables[0];
  from.send(from.near, part);
  time.run();
  CHECK(count(event::lost) == 0);
  from.send(from.near, part);
  time.run();
  CHECK(count(event::lost) == 2); // both sides
}

TEST_CASE("no frame holds more than most_requests, and all of them travel") {
  std::vector<wire::unsent_request<int>> all;
  for (std::uint64_t id = 1; id <= 200'000; ++id)
    all.push_back({.id = id, .what = {.request = 1}, .since = {}});
  auto out = wire::pack<int>(all, time_point{}, 64u << 20u);
  CHECK(out.refused.empty());
  std::uint64_t next = 1;
  for (auto& what : out.frames) {
    wire::byte_reader from{what.bytes};
    std::size_t requests = 0;
    while (from.remaining() > 0) {
      wire::group_head head;
      wire::read(from, head);
      CHECK(head.first_id == next);
      auto n = from.count();
      for (std::size_t i = 0; i < n; ++i) REQUIRE(wire::read_sized<int>(from));
      requests += n;
      next += n;
    }
    CHECK(requests <= wire::most_requests);
  }
  CHECK(next == 200'001);
}

TEST_CASE_METHOD(limits_fixture, "how many results a node returned too many is told") {
  auto b = spawn_bare(at_once);
  publish(b);
  join([] { return [](batch) { return std::vector<int>(7); }; });
  auto why = answer<int>(b, 1);
  REQUIRE(why == caf::make_error(errc::result_count_mismatch));
  CHECK(actors::text_of(why.error()).find("7 results for 1 items") != std::string::npos);
}

TEST_CASE("a max_silence that is longer than CAF's own patience is refused") {
  actors::network_config<> cfg;
  CHECK(actors::compat::watched_silence(cfg) == 5s);
  cfg.watch_connections(1s);
  caf::actor_system system{cfg};
  auto refused =
    Catch::Contains("max_silence is 2.000000 s, but CAF closes a connection after 1.0");
  auto make = [] { return [](batch xs) { return std::vector<int>(xs.begin(), xs.end()); }; };
  actors::reconnect_options patient{.max_silence = 2s};
  CHECK_THROWS_WITH((actors::connect<int, int>(system, "127.0.0.1", 1, {.reconnect = patient})),
                    refused);
  CHECK_THROWS_WITH((actors::join<int, int>(system, "127.0.0.1", 1, make, {.reconnect = patient})),
                    refused);
  auto b = actors::spawn_batcher<int, int>(system, {.workers = 0}, make);
  CHECK_THROWS_WITH(actors::publish(b, {.max_silence = 2s}), refused);
  { auto published = actors::publish(b, {.max_silence = 1s}); }
  actors::stop(b);
}
