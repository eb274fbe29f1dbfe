// SPDX-License-Identifier: BSD-3-Clause
//
// A message that carries a pointer was read as what it should carry: a request of another type as one
// of the batcher's, nothing as a request, and one that was sent twice as a request again, though it
// had been moved out of.

#include "../actors/actor_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;

namespace {

struct misread_fixture : actor_fixture {
  template <class T, class Message>
  void check_refused(const Message& msg) {
    auto answer = ask_as<T>(me, b, msg);
    REQUIRE(*answer);
    REQUIRE_FALSE(**answer);
    CHECK((**answer).error() == caf::make_error(errc::invalid_request));
    CHECK(text((**answer).error()).find("make a new message each time") != std::string::npos);
  }

  caf::actor me = spawn_client();
  handle b = spawn_doubler({.when_idle = when_idle::immediate});
};

} // namespace

TEST_CASE_METHOD(misread_fixture, "a request of another type is refused") {
  check_refused<int>(actors::message_of(actors::submit{.request = 3.0}));
  check_refused<actors::bulk_reply_message>(
    actors::message_of(actors::bulk<double>{.requests = {1, 2}}));
  CHECK(called.empty());
  CHECK(counted(b, outcome::invalid_request) == 2);
  CHECK(stats(b).counters.requests == 2);
}

TEST_CASE_METHOD(misread_fixture, "a message without a request is refused") {
  check_refused<int>(actors::submit_message{});
  check_refused<actors::bulk_reply_message>(actors::bulk_message{});
  tell(b, actors::external_message{});
  tell(b, actors::reconfigure_message{});
  request(b, 1, 2);
  CHECK(answered.values.size() == 1);
}

TEST_CASE_METHOD(misread_fixture, "a message that is sent twice is taken once") {
  auto one = actors::message_of(actors::submit<int>{.request = 3});
  CHECK(*ask_as<int>(me, b, one) == 6);
  check_refused<int>(one);
  auto many = actors::message_of(actors::bulk<int>{.requests = {1, 2}});
  CHECK(**ask_as<actors::bulk_reply_message>(me, b, many));
  check_refused<actors::bulk_reply_message>(many);
  CHECK(called == calls{{3}, {1, 2}});
}

TEST_CASE("results are not read as those of another type") {
  actors::bulk_reply_message reply{
    std::make_shared<actors::bulk_reply_payload<int>>(actors::bulk_results<int>{1, 2})};
  CHECK(actors::results_of<int>(reply).size() == 2);
  CHECK_THROWS_AS(actors::results_of<double>(reply), std::invalid_argument);
  reply.results = nullptr;
  CHECK_THROWS_AS(actors::results_of<int>(reply), std::invalid_argument);
}
