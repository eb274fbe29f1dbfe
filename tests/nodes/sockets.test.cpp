// SPDX-License-Identifier: BSD-3-Clause
//
// The same over real sockets on loopback: two actor systems in one process, real threads and time.
// Only what CAF's networking has a part in.

#include "batcher/actors/ask.hpp"
#include "batcher/actors/control.hpp"
#include "batcher/actors/node.hpp"
#include "batcher/actors/spawn.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <iterator>
#include <memory>
#include <thread>
#include <vector>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

/// One node of a cluster.
struct process {
  actors::network_config<> cfg;
  caf::actor_system system{cfg};
};

std::vector<int> doubled(std::span<const int> xs) {
  std::vector<int> results;
  for (auto x : xs) results.push_back(2 * x);
  return results;
}

auto make_doubler = [] { return doubled; };

auto spawn(process& at, std::size_t workers, retry_policy again = retry::never{}) {
  return actors::spawn_batcher<int, int>(at.system,
                                         {.max_batch_items = 16,
                                          .when_idle = when_idle::immediate,
                                          .on_failure = again,
                                          .workers = workers,
                                          .max_outage = 10s},
                                         make_doubler);
}

template <class Handle>
caf::expected<int> answer(const Handle& b, int x) {
  auto future = actors::ask(b, x);
  REQUIRE(future.wait_for(20s) == std::future_status::ready);
  return future.get();
}

template <class Handle>
void stop_and_forget(Handle& b) {
  actors::stop(b);
  b = Handle{};
}

/// A TCP connection that says `bytes` and goes.
void say(std::uint16_t port, const std::string& bytes) {
  auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0)
    static_cast<void>(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  ::close(fd);
}

} // namespace

TEST_CASE("a published batcher answers over a socket") {
  process here;
  auto b = spawn(here, 1);
  {
    auto published = actors::publish(b);
    CHECK(published.port() != 0);
    process there;
    auto far =
      actors::connect<int, int>(there.system, "127.0.0.1", published.port(), {.max_outage = 10s});
    CHECK(answer(far, 21) == 42);
    std::vector<std::future<caf::expected<int>>> all;
    for (int i = 0; i < 1'000; ++i) all.push_back(actors::ask(far, i));
    for (int i = 0; i < 1'000; ++i) CHECK(all[static_cast<std::size_t>(i)].get() == 2 * i);
    CHECK(actors::is_running(far));
    CHECK(actors::stats(far).counters.requests == 1'001);
  }
  stop_and_forget(b);
}

TEST_CASE("a worker node serves over a socket, leaves, and another takes its place") {
  process here;
  auto b = spawn(here, 0);
  {
    auto published = actors::publish(b);
    process there;
    auto node = actors::join<int, int>(there.system, "127.0.0.1", published.port(), make_doubler,
                                       {.workers = 2});
    CHECK(answer(b, 21) == 42);
    CHECK(node.leave(10s) == 0);
    auto next = actors::join<int, int>(there.system, "127.0.0.1", published.port(), make_doubler);
    CHECK(answer(b, 22) == 44);
  }
  stop_and_forget(b);
}

TEST_CASE("a worker node that vanishes with a batch is noticed, and another runs it") {
  process here;
  auto b = spawn(here, 0, retry::idempotent{});
  {
    auto published = actors::publish(b);
    std::promise<void> begun;
    std::promise<void> may_end;
    auto stuck = [&begun, end = may_end.get_future().share()] {
      return [&begun, end](std::span<const int> xs) {
        begun.set_value();
        end.wait();
        return doubled(xs);
      };
    };
    auto there = std::make_unique<process>();
    auto node = std::make_unique<actors::joined_node>(
      actors::join<int, int>(there->system, "127.0.0.1", published.port(), stuck));
    auto future = actors::ask(b, 21);
    begun.get_future().wait();
    node.reset();
    process other;
    auto second = actors::join<int, int>(other.system, "127.0.0.1", published.port(), make_doubler);
    REQUIRE(future.wait_for(20s) == std::future_status::ready);
    CHECK(future.get() == 42);
    may_end.set_value();
  }
  stop_and_forget(b);
}

TEST_CASE("a client's requests are answered when the batcher's process is gone") {
  process there;
  auto here = std::make_unique<process>();
  auto b = actors::spawn_batcher<int, int>(here->system, {.max_delay = 1h}, make_doubler);
  auto published = std::make_unique<actors::publication>(actors::publish(b));
  auto far = actors::connect<int, int>(there.system, "127.0.0.1", published->port(),
                                       {.reconnect = {.max_silence = 1s}, .max_outage = 100ms});
  CHECK(actors::is_running(far));
  auto future = actors::ask(far, 1);
  published.reset();
  stop_and_forget(b);
  here.reset();
  REQUIRE(future.wait_for(20s) == std::future_status::ready);
  CHECK_FALSE(future.get());
  CHECK(answer(far, 2) == caf::make_error(errc::batcher_lost));
}

TEST_CASE("a port that is in use is refused with a text, and one that is closed is free again") {
  process here;
  auto b = spawn(here, 1);
  {
    auto published = actors::publish(b);
    CHECK_THROWS_WITH(actors::publish(b, {.port = published.port()}),
                      Catch::Contains(std::to_string(published.port())));
    auto port = published.port();
    published.close();
    CHECK(published.port() == 0);
    CHECK(actors::publish(b, {.port = port}).port() == port);
  }
  stop_and_forget(b);
}

TEST_CASE("a batcher that has ended is not published") {
  process here;
  auto b = spawn(here, 1);
  caf::scoped_actor self{here.system};
  caf::anon_send_exit(b, caf::exit_reason::kill);
  self->wait_for(b);
  CHECK_THROWS_AS(actors::publish(b), std::runtime_error);
}

TEST_CASE("publishing to strangers is refused, and a system without networking says so") {
  process here;
  auto b = spawn(here, 1);
  CHECK_THROWS_WITH(actors::publish(b, {.bind = "0.0.0.0"}),
                    Catch::Contains("allow_untrusted_network"));
  stop_and_forget(b);
  actors::system_config<caf::id_block::batcher_nodes> cfg;
  caf::actor_system system{cfg};
  CHECK_THROWS_WITH((actors::connect<int, int>(system, "127.0.0.1", 1)),
                    Catch::Contains("network_config"));
}

TEST_CASE("bytes that are no CAF at all disturb nobody") {
  process here;
  auto b = spawn(here, 1);
  {
    auto published = actors::publish(b);
    process there;
    auto far =
      actors::connect<int, int>(there.system, "127.0.0.1", published.port(), {.max_outage = 10s});
    CHECK(answer(far, 1) == 2);
    for (int i = 0; i < 50; ++i) {
      say(published.port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      say(published.port(), std::string(static_cast<std::size_t>(i), static_cast<char>(i * 37)));
    }
    CHECK(answer(far, 2) == 4);
  }
  stop_and_forget(b);
}

TEST_CASE("a port that is closed as soon as it is open is closed") {
  process here;
  auto b = spawn(here, 1);
  auto open_files = [] {
    namespace fs = std::filesystem;
    return std::distance(fs::directory_iterator{"/proc/self/fd"}, fs::directory_iterator{});
  };
  auto& loop = here.system.middleman().backend();
  auto wait_for_turn = [&loop] {
    auto begun = std::make_shared<std::promise<void>>();
    auto has_begun = begun->get_future();
    loop.post([begun] { begun->set_value(); });
    has_begun.wait();
  };
  { auto first = actors::publish(b); }
  wait_for_turn();
  auto before = open_files();
  for (int i = 0; i < 50; ++i) {
    std::promise<void> may_turn;
    loop.post([&may_turn] { may_turn.get_future().wait(); }); // let all that is asked come at once
    auto closed = std::async(std::launch::async, [&b] { actors::publish(b).close(); });
    while (open_files() == before) std::this_thread::yield();
    may_turn.set_value();
    closed.get();
    wait_for_turn();
  }
  CHECK(open_files() == before);
  stop_and_forget(b);
}

TEST_CASE("a message that comes when CAF's broker has ended does not keep it") {
  caf::actor_addr gone;
  {
    process here;
    auto broker =
      here.system.middleman().named_broker<caf::io::basp_broker>(actors::compat::name_of_basp());
    gone = broker.address();
    broker->attach_functor([gone](const caf::error&) {
      auto self = caf::actor_cast<caf::actor>(gone);
      actors::compat::anon_send(self, actors::tick_atom_v, self);
    });
  }
  CHECK_FALSE(caf::actor_cast<caf::actor>(gone));
}
