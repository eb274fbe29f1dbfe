// SPDX-License-Identifier: BSD-3-Clause
//
// What the simulator is made of: values, traces, histogram, timeline, and the checks of a scenario.

#include "batcher_sim/histogram.hpp"
#include "batcher_sim/random.hpp"
#include "batcher_sim/scenario.hpp"
#include "batcher_sim/timeline.hpp"
#include "batcher_sim/trace_file.hpp"
#include "command_line/values.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace command_line;
using namespace sim;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

std::vector<batcher::duration> read(const std::string& text) {
  std::istringstream in{text};
  return read_trace(in);
}

} // namespace

// -- values ---------------------------------------------------------------------------------------

TEST_CASE("durations are read with their unit") {
  CHECK(parse_duration("250us") == 250us);
  CHECK(parse_duration("1.5s") == 1'500ms);
  CHECK(parse_duration("3min") == 3min);
  CHECK(parse_duration("24h") == 24h);
  CHECK(parse_duration("0") == 0s);
  CHECK(parse_duration("7ns") == 7ns);
}

TEST_CASE("what is no duration is refused with what to write") {
  CHECK_THROWS_WITH(parse_duration("5"), Contains("write 5ms"));
  for (auto text : {"", "ms", "-1ms", "5 ms", "5m", "nan", "inf", "1e30s", "1msx"})
    CHECK_THROWS_AS(parse_duration(text), std::invalid_argument);
}

TEST_CASE("durations are written as they are read") {
  for (auto d : std::vector<batcher::duration>{0ns, 1ns, 1'500us, 2s, 90min, 24h, 1h + 1ns})
    CHECK(parse_duration(text_of(d)) == d);
  CHECK(text_of(1'500us) == "1500us");
}

TEST_CASE("numbers, lists and jumps are read") {
  CHECK(parse_number("1.5M") == 1.5e6);
  CHECK(parse_number("20k") == 20'000);
  CHECK(parse_count("1e6") == 1'000'000);
  CHECK(parse_list("1k,5") == std::vector{1'000.0, 5.0});
  auto loads = parse_list("0.05:0.95:0.05");
  REQUIRE(loads.size() == 19);
  CHECK(loads.back() == Approx(0.95));
  CHECK(parse_jump("10s:2").at == 10s);
  CHECK(parse_jump("10s:2").factor == 2);
}

TEST_CASE("what is no number, list or jump is refused") {
  for (auto text : {"", "x", "-3", "1kk", "1 k"})
    CHECK_THROWS_AS(parse_number(text), std::invalid_argument);
  CHECK_THROWS_WITH(parse_count("1.5"), Contains("whole"));
  for (auto text : {"", "1,,2", "1:2", "2:1:1", "1:2:0", "0:1:0.000001"})
    CHECK_THROWS_AS(parse_list(text), std::invalid_argument);
  for (auto text : {"", "10s", "10s:", ":2", "10:2"})
    CHECK_THROWS_AS(parse_jump(text), std::invalid_argument);
}

TEST_CASE("large numbers are grouped by thousands") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1'000) == "1,000");
  CHECK(grouped(1'234'567.891, 2) == "1,234,567.89");
  CHECK(grouped(-123) == "-123");
  CHECK(grouped(-1'234) == "-1,234");
}

// -- traces ---------------------------------------------------------------------------------------

TEST_CASE("a trace counts from its first instant") {
  CHECK(read("# seconds\n100.5\n\n 101\t\r\n101\n102.25")
        == std::vector<batcher::duration>{0s, 500ms, 500ms, 1'750ms});
}

TEST_CASE("a bad trace is refused with its line and what to do") {
  CHECK_THROWS_WITH(read("1\n2 3\n"), Contains("line 2") && Contains("one number"));
  CHECK_THROWS_WITH(read("1\n2\n1.5\n"), Contains("line 3") && Contains("sort"));
  CHECK_THROWS_WITH(read("1\nnan\n"), Contains("line 2"));
  CHECK_THROWS_WITH(read("# nothing\n"), Contains("no line"));
  CHECK_THROWS_WITH(read_trace_file("/no/such/file"), Contains("cannot read /no/such/file"));
}

// -- histogram and timeline -----------------------------------------------------------------------

TEST_CASE("quantiles are off by less than one part in 4,000") {
  random_stream random{3, 0};
  latency_histogram h;
  std::vector<batcher::duration> values;
  for (int i = 0; i < 20'000; ++i) {
    values.emplace_back(static_cast<std::int64_t>(std::exp(40 * random.uniform())));
    h.add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (int i = 0; i <= 1'000; ++i) {
    auto q = i / 1e3;
    auto rank = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(q * 20'000)));
    auto exact = static_cast<double>(values[rank - 1].count());
    CHECK(static_cast<double>(h.quantile(q).count())
          == Approx(exact).epsilon(1.0 / 4'000).margin(0.6));
  }
  CHECK(h.largest() == values.back());
  CHECK(h.values() == 20'000);
}

TEST_CASE("the quantiles of few values are values themselves") {
  latency_histogram h;
  CHECK(h.quantile(0.5) == 0ns);
  CHECK(h.mean() == 0ns);
  for (auto x : {10ns, 20ns, 30ns, 40ns}) h.add(x);
  CHECK(h.quantile(0) == 10ns);
  CHECK(h.quantile(0.25) == 10ns);
  CHECK(h.quantile(0.26) == 20ns);
  CHECK(h.quantile(1) == 40ns);
  CHECK(h.mean() == 25ns);
}

TEST_CASE("a timeline keeps the area and the peaks however long it gets") {
  random_stream random{4, 0};
  timeline line;
  batcher::duration now{};
  double area = 0;
  std::uint64_t level = 0;
  std::uint64_t peak = 0;
  for (int i = 0; i < 10'000; ++i) {
    auto next = now + batcher::duration{static_cast<std::int64_t>(random.below(1'000'000))};
    area += static_cast<double>(level) * static_cast<double>((next - now).count());
    now = next;
    level = i == 1'000 ? 1'000 : random.below(100);
    peak = std::max(peak, level);
    line.set(now, level);
  }
  auto steps = line.steps(now);
  CHECK(steps.size() <= 512);
  CHECK(steps.size() > 256);
  double seen = 0;
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    auto begin = line.step_length() * static_cast<std::int64_t>(i);
    auto took = std::min(line.step_length(), now - begin);
    seen += steps[i].mean * static_cast<double>(took.count());
    highest = std::max(highest, steps[i].largest);
  }
  CHECK(seen == Approx(area).epsilon(1e-9));
  CHECK(highest == peak);
}

// -- scenario -------------------------------------------------------------------------------------

TEST_CASE("an ordinary scenario is good") { CHECK(validate({}).empty()); }

TEST_CASE("every problem of a scenario is listed, those of the options, too") {
  scenario s{.arrivals = {.rate = 0},
             .cost = {.per_batch = 0ms, .per_item = 0ms, .noise = -1},
             .workers = 2,
             .requests = 0,
             .warm_up = 1};
  s.opts.max_batch_items = 0;
  s.opts.shards = 3;
  CHECK(validate(s).size() >= 7);
  s.arrivals.rate = std::numeric_limits<double>::quiet_NaN();
  CHECK(validate(s).size() >= 7);
}

TEST_CASE("bursts that would need a negative rate between them are refused") {
  scenario s{.arrivals = {.kind = arrival_kind::bursts, .burst_factor = 5, .burst_share = 0.2}};
  CHECK(validate(s).empty());
  s.arrivals.burst_factor = 5.1;
  CHECK(validate(s).size() == 1);
}

TEST_CASE("shards by key need as many keys") {
  scenario s{.opts = {.shards = 4, .shard_by = batcher::shard_by::key}, .workers = 4, .keys = 3};
  CHECK(validate(s).size() == 1);
  s.keys = 4;
  CHECK(validate(s).empty());
}

TEST_CASE("workers are shared out, and more of them than options take come by themselves") {
  scenario s{.opts = {.shards = 2}, .workers = 10'001};
  CHECK(workers_of(s, 0) == 5'001);
  CHECK(workers_of(s, 1) == 5'000);
  CHECK(options_of(s, 0).workers == 4'096);
  CHECK(batcher::validate(options_of(s, 0)).empty());
}

TEST_CASE("capacity is that of full batches on all workers") {
  CHECK(capacity({.per_batch = 9ms, .per_item = 1ms}, 3, 1) == Approx(300));
  CHECK(capacity({.per_batch = 9ms, .per_item = 1ms}, 3, 91) == Approx(2'730));
}
