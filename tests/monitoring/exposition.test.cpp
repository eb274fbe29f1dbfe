// SPDX-License-Identifier: BSD-3-Clause
//
// The endpoint over real HTTP on the loopback address.

#include "batcher/monitoring/exposition.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

using namespace batcher;
using namespace batcher::monitoring;

namespace {

/// Returns the whole answer to a GET, or nothing if nobody listens on that port.
std::optional<std::string> get(std::uint16_t port, const std::string& path) {
  auto socket_fd = socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(socket_fd >= 0);
  timeval patience{10, 0};
  REQUIRE(setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::optional<std::string> answer;
  if (connect(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    auto request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    CHECK(send(socket_fd, request.data(), request.size(), 0)
          == static_cast<ssize_t>(request.size()));
    answer.emplace();
    char part[4096];
    ssize_t length = 0;
    while ((length = recv(socket_fd, part, sizeof part, 0)) > 0)
      answer->append(part, static_cast<std::size_t>(length));
    CHECK(length == 0);
  } else {
    CHECK(errno == ECONNREFUSED);
  }
  close(socket_fd);
  return answer;
}

/// Returns the text of the error with which an exposition refuses those options.
std::string refusal(const exposition_options& opts) {
  try {
    exposition{std::make_shared<metrics>(), opts};
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  FAIL("it did not refuse");
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("the endpoint is for this machine only unless told otherwise") {
  exposition_options opts;
  CHECK(opts.bind == "127.0.0.1");
  CHECK(opts.port == 9464);
}

TEST_CASE("a scrape gets the metrics of its moment") {
  auto all = std::make_shared<metrics>();
  auto counters = std::make_shared<live_counters>();
  auto watcher = all->new_observer();
  watcher->on_start("b", 8, counters);
  exposition http{all, {.port = 0}};
  REQUIRE(http.port() != 0);
  CHECK(http.url() == "http://127.0.0.1:" + std::to_string(http.port()) + "/metrics");
  for (std::string requests : {"1", "2"}) {
    counters->on_request();
    auto answer = get(http.port(), "/metrics");
    REQUIRE(answer);
    CHECK(answer->starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(contains(*answer, "Content-Type: text/plain"));
    CHECK(contains(*answer, "\nbatcher_requests_total{batcher=\"b\"} " + requests + "\n"));
  }
  CHECK(get(http.port(), "/elsewhere").value().starts_with("HTTP/1.1 404"));
}

TEST_CASE("the endpoint keeps its metrics alive and is gone with its object") {
  std::uint16_t port = 0;
  {
    exposition http{std::make_shared<metrics>(), {.port = 0}};
    port = http.port();
    auto answer = get(port, "/metrics");
    REQUIRE(answer);
    CHECK(contains(*answer, "# TYPE batcher_queue_items gauge\n"));
  }
  CHECK_FALSE(get(port, "/metrics"));
}

TEST_CASE("a port in use is refused with address and cause and remedy") {
  exposition first{std::make_shared<metrics>(), {.port = 0}};
  auto text = refusal({.port = first.port()});
  CHECK(contains(text, "127.0.0.1:" + std::to_string(first.port())));
  CHECK(contains(text, "Address already in use"));
  CHECK(contains(text, "choose another exposition_options::port"));
}

TEST_CASE("an address of another machine is refused") {
  auto text = refusal({.bind = "192.0.2.1", .port = 0});
  CHECK(contains(text, "192.0.2.1:0"));
  CHECK(contains(text, "Cannot assign requested address"));
}

TEST_CASE("what is no numeric address is refused") {
  auto bind = GENERATE(as<std::string>{}, "", "localhost", "300.1.1.1", "127.0.0.1:80");
  CHECK(contains(refusal({.bind = bind, .port = 0}),
                 "exposition_options::bind must be a numeric address"));
}

TEST_CASE("an endpoint without threads is refused") {
  CHECK(
    contains(refusal({.port = 0, .threads = 0}), "exposition_options::threads must be at least 1"));
}
