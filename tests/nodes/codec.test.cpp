// SPDX-License-Identifier: BSD-3-Clause
//
// Values, errors and frames as bytes: what is written is read, and what is damaged costs nobody more
// than an error.

#include "batcher/actors/node/codec.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/node/wire.hpp"

#include <catch2/catch.hpp>
#include <rapidcheck.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

using namespace batcher;
using namespace batcher::actors;
using namespace batcher::actors::node;

namespace batcher::tests {

struct point {
  double x = 0;
  float y = 0;
};
BATCHER_INSPECT(point, x, y)

struct everything {
  bool flag = false;
  std::int8_t small = 0;
  std::uint64_t large = 0;
  std::string text;
  std::vector<point> points;
  std::map<std::string, std::int32_t> numbers;
  std::vector<bool> bits;
  std::vector<std::uint8_t> bytes;
};
BATCHER_INSPECT(everything, flag, small, large, text, points, numbers, bits, bytes)

struct opaque {};

} // namespace batcher::tests

using namespace batcher::tests;

namespace {

// 1.x looks up categories of errors among the types that are registered.
const type_registration<> types;

template <class T>
std::string bytes_of(const T& x) {
  std::string out;
  REQUIRE(compat::write_value(out, x));
  return out;
}

everything sample() {
  return {.flag = true,
          .small = -7,
          .large = std::numeric_limits<std::uint64_t>::max(),
          .text = std::string("a\0b", 3),
          .points = {{1.5, 2.5f}, {-0.0, 1e30f}},
          .numbers = {{"one", 1}, {"minus two", -2}},
          .bits = {true, false, true},
          .bytes = {0, 255}};
}

caf::error there_and_back(const caf::error& why) { return error_of_bytes(bytes_of_error(why)); }

} // namespace

TEST_CASE("a value of every kind arrives as it was") {
  auto x = sample();
  everything y;
  REQUIRE(compat::read_value(bytes_of(x), y));
  CHECK(y.flag);
  CHECK(y.small == -7);
  CHECK(y.large == x.large);
  CHECK(y.text == x.text);
  REQUIRE(y.points.size() == 2);
  CHECK(y.points[1].y == 1e30f);
  CHECK(std::signbit(y.points[1].x));
  CHECK(y.numbers == x.numbers);
  CHECK(y.bits == x.bits);
  CHECK(y.bytes == x.bytes);
}

TEST_CASE("NaN and infinity arrive as they were") {
  point x{.x = std::numeric_limits<double>::quiet_NaN(),
          .y = -std::numeric_limits<float>::infinity()};
  point y;
  REQUIRE(compat::read_value(bytes_of(x), y));
  CHECK(std::isnan(y.x));
  CHECK(y.y == x.y);
}

TEST_CASE("a value that was cut short anywhere, or has more behind it, is not read") {
  auto bytes = bytes_of(sample());
  everything y;
  for (std::size_t n = 0; n < bytes.size(); ++n)
    CHECK_FALSE(compat::read_value(std::string_view{bytes}.substr(0, n), y));
  CHECK_FALSE(compat::read_value(bytes + '\0', y));
}

TEST_CASE("a forged length is not believed") {
  std::string bytes;
  byte_writer{bytes}.length(std::uint64_t{1} << 60u);
  std::string text;
  CHECK_FALSE(compat::read_value(bytes, text));
  std::vector<std::uint8_t> small;
  CHECK_FALSE(compat::read_value(bytes, small));
  std::vector<bool> bits;
  CHECK_FALSE(compat::read_value(bytes, bits));
  std::vector<std::string> texts;
  CHECK_FALSE(compat::read_value(bytes, texts));
  CHECK(text.capacity() + small.capacity() + bits.capacity() + texts.capacity() < 10'000);
}

TEST_CASE("random bytes are read to an end, whatever they are taken for") {
  CHECK(rc::check("random bytes", [](const std::string& bytes) {
    everything x;
    static_cast<void>(compat::read_value(bytes, x));
    byte_reader from{bytes};
    static_cast<void>(read_result<everything>(from));
    static_cast<void>(error_of_bytes(bytes));
    static_cast<void>(stats_of_bytes(bytes));
    frame msg{.kind = 0, .bytes = bytes};
    static_cast<void>(content_of<hello>(msg));
    static_cast<void>(content_of<welcome>(msg));
    static_cast<void>(content_of<command>(msg));
    static_cast<void>(content_of<job_head>(msg));
  }));
}

TEST_CASE("types say whether they can travel") {
  STATIC_REQUIRE(compat::is_inspectable<everything>());
  STATIC_REQUIRE(compat::is_inspectable<std::vector<double>>());
  STATIC_REQUIRE(travels<everything>);
  STATIC_REQUIRE_FALSE(compat::is_inspectable<std::unique_ptr<std::ostream>>());
}

TEST_CASE("what is no error has no text and no hint") {
  caf::error none;
  CHECK(text_of(none).empty());
  CHECK_FALSE(hint_of(none));
}

TEST_CASE("every error of ours arrives with its text") {
  for (auto code : all_errcs) {
    if (code == errc::none) continue;
    auto why = there_and_back(caf::make_error(code, "because of " + std::string{to_string(code)}));
    CHECK(why == caf::make_error(code));
    CHECK(text_of(why) == "because of " + std::string{to_string(code)});
  }
}

TEST_CASE("the hint of a full queue arrives with it") {
  auto why = there_and_back(
    caf::make_error(errc::queue_full, "the queue is full", std::uint64_t{7}, caf::timespan{5'000}));
  auto hint = hint_of(why);
  REQUIRE(hint);
  CHECK(hint->queue_items == 7);
  CHECK(hint->retry_after == duration{5'000});
  CHECK(text_of(why) == "the queue is full");
}

TEST_CASE("an error of another category arrives as what it was, if the category is known here") {
  compat::allow_category<caf::sec>();
  auto why = there_and_back(caf::make_error(caf::sec::runtime_error, "model is on fire"));
  CHECK(why == caf::make_error(caf::sec::runtime_error));
  CHECK(text_of(why) == "model is on fire");
}

TEST_CASE("an error whose category is none becomes a failed batch that names it") {
  std::string bytes;
  byte_writer to{bytes};
  to.number(std::uint8_t{3}); // foreign
  to.number(std::uint8_t{9});
  to.text("no_such_category_at_all");
  to.text("the text");
  auto why = error_of_bytes(bytes);
  CHECK(why == caf::make_error(errc::batch_failed));
  CHECK(text_of(why).find("no_such_category_at_all") != std::string::npos);
  CHECK(text_of(why).find("the text") != std::string::npos);
}

TEST_CASE("statistics arrive as they were") {
  batcher_stats x;
  x.counters.requests = 1;
  x.counters.replies.back() = 2;
  x.counters.late_answers = 3;
  x.counters.workers.front() = 4;
  x.oldest_age = duration{5};
  x.in_flight_batches = 6;
  x.is_paused = true;
  auto y = stats_of_bytes(bytes_of_stats(x));
  REQUIRE(y);
  CHECK(y->counters.requests == 1);
  CHECK(y->counters.replies.back() == 2);
  CHECK(y->counters.late_answers == 3);
  CHECK(y->counters.workers.front() == 4);
  CHECK(y->oldest_age == duration{5});
  CHECK(y->in_flight_batches == 6);
  CHECK(y->is_paused);
  CHECK_FALSE(y->is_closed);
}

TEST_CASE("of a hello of another version the version is read") {
  hello x;
  x.protocol = protocol_version + 1;
  x.name = "from the future";
  auto msg = frame_of(frame_kind::hello, x);
  msg.bytes += "what this version does not know";
  auto y = content_of<hello>(msg);
  REQUIRE(y);
  CHECK(y->protocol == protocol_version + 1);
}
