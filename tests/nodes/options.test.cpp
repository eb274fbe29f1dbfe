// SPDX-License-Identifier: BSD-3-Clause
//
// Options of nodes: defaults are good, every problem is told, and a strange network is refused.

#include "batcher/actors/node/options.hpp"
#include "batcher/actors/node/pulse.hpp"

#include <catch2/catch.hpp>

using namespace batcher;
using namespace batcher::actors;
using namespace std::chrono_literals;

namespace {

using texts = std::vector<std::string>;

template <class Options>
texts knobs_of(const Options& opts) {
  texts knobs;
  for (auto& text : validate(opts)) knobs.push_back(text.substr(0, text.find(" is ")));
  return knobs;
}

} // namespace

TEST_CASE("the defaults of all node options are good") {
  CHECK(validate(publish_options{}).empty());
  CHECK(validate(connect_options{}).empty());
  CHECK(validate(join_options{}).empty());
}

TEST_CASE("validate finds every problem of the node options") {
  CHECK(knobs_of(
          publish_options{.bind = "", .max_message_bytes = 0, .max_nodes = 0, .max_silence = 0ns})
        == texts{"bind", "max_message_bytes", "max_nodes", "max_silence"});
  reconnect_options bad{
    .connect_timeout = 0ns, .retry_delay = 0ns, .max_retry_delay = 0ns, .max_silence = 0ns};
  texts of_reconnect{"reconnect.connect_timeout", "reconnect.retry_delay",
                     "reconnect.max_retry_delay", "reconnect.max_silence"};
  texts of_client{"name"};
  of_client.insert(of_client.end(), of_reconnect.begin(), of_reconnect.end());
  of_client.insert(of_client.end(), {"max_outage", "max_outstanding"});
  CHECK(knobs_of(
          connect_options{.name = "", .reconnect = bad, .max_outage = -1ns, .max_outstanding = 0})
        == of_client);
  texts of_node{"name", "workers", "credit", "restart_delay"};
  of_node.insert(of_node.end(), of_reconnect.begin(), of_reconnect.end());
  CHECK(knobs_of(join_options{
          .name = "", .workers = 0, .credit = 0, .restart_delay = 0ns, .reconnect = bad})
        == of_node);
}

TEST_CASE("a name fits into every message") {
  CHECK(validate(connect_options{.name = std::string(256, 'x')}).empty());
  CHECK(knobs_of(connect_options{.name = std::string(257, 'x')}) == texts{"name"});
  CHECK(knobs_of(join_options{.name = std::string(257, 'x')}) == texts{"name"});
}

TEST_CASE("an address that others can reach is refused unless that is wanted") {
  for (auto address :
       {"0.0.0.0", "192.168.1.7", "::", "example.org", "127.0.0.1.example.org", "127.1"}) {
    auto problems = validate(publish_options{.bind = address});
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().find("allow_untrusted_network") != std::string::npos);
    CHECK(validate(publish_options{.bind = address, .allow_untrusted_network = true}).empty());
  }
  for (auto address : {"127.0.0.1", "127.1.2.3", "localhost", "::1"})
    CHECK(validate(publish_options{.bind = address}).empty());
}

TEST_CASE("a peer is silent at max_silence, and not before") {
  time_point start{1h};
  node::pulse p{start, 4s, 8s};
  CHECK_FALSE(p.is_silent(start + 4s - 1ns));
  CHECK(p.is_silent(start + 4s));
  p.on_heard(start + 1s);
  CHECK_FALSE(p.is_silent(start + 5s - 1ns));
}

TEST_CASE("signs of life are due four times in the shorter silence of both sides") {
  time_point start{1h};
  node::pulse p{start, 8s, 4s};
  CHECK_FALSE(p.is_due(start + 1s - 1ns));
  CHECK(p.is_due(start + 1s));
  CHECK(p.next() == start + 1s);
  p.on_sent(start + 1s);
  CHECK(p.next() == start + 2s);
}
