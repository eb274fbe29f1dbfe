// SPDX-License-Identifier: BSD-3-Clause
//
// Options: the defaults and the last good value of every range are good, the first bad one is named,
// and all that is wrong is told at once.

#include "batcher/options.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace batcher;
using namespace std::chrono_literals;

using texts = std::vector<std::string>;

namespace {

constexpr auto greatest = std::numeric_limits<std::size_t>::max();
constexpr auto not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr auto infinite = std::numeric_limits<double>::infinity();

/// Options, and what is wrong with them.
struct example {
  options opts;
  texts problems;
};

options with_retries(retry::idempotent policy) { return {.on_failure = policy}; }

} // namespace

TEST_CASE("the default options are valid") { CHECK(validate(options{}).empty()); }

TEST_CASE("the last good value of every range is valid") {
  auto opts = GENERATE(values<options>({
    {.name = "x"},
    {.max_batch_items = 1},
    {.max_batch_items = greatest, .max_queue_items = greatest},
    {.max_batch_items = 64, .preferred_batch_items = 1},
    {.max_batch_items = 64, .preferred_batch_items = 64},
    {.max_batch_items = 1, .allowed_batch_items = {1}},
    {.max_batch_items = 8, .allowed_batch_items = {1, 2, 7, 8}},
    {.max_batch_items = 8, .allowed_batch_items = {8}, .size_rounding = size_rounding::pad},
    {.max_batch_cost = 1},
    {.max_batch_cost = greatest},
    {.max_delay = 0ns},
    {.max_delay = 1h},
    {.when_idle = when_idle::fill},
    {.when_idle = when_idle::immediate},
    {.when_idle = when_idle::adaptive},
    {.batch_timeout = 1ns},
    {.batch_timeout = 24h},
    {.request_timeout = 1ns},
    {.request_timeout = 24h},
    {.max_batch_items = 1, .max_queue_items = 1},
    {.max_batch_items = 10, .max_queue_items = 10},
    {.max_batch_items = 10, .max_queue_items = 20, .max_lane_items = 10},
    {.max_batch_items = 10, .max_queue_items = 20, .max_lane_items = 20},
    {.max_batch_items = 10, .max_queue_items = 20, .max_tenant_items = 20},
    {.max_lanes = 1},
    {.max_lanes = greatest},
    {.max_lane_batches = greatest},
    {.overload = overload::refuse_newest},
    {.overload = overload::drop_oldest},
    {.overload = overload::wait_for_credit},
    {.credit_lease = 1ms},
    {.credit_lease = 1h},
    {.priority_head_start = 0ns},
    {.priority_head_start = 1h},
    {.tenant_weights = {{"", 1}, {"gold", 1'000}}},
    with_retries({.max_attempts = 1, .budget = 0}),
    with_retries({.max_attempts = 100, .budget = 10}),
    {.workers = 0},
    {.workers = 4'096},
    {.worker_credit = 1},
    {.worker_credit = 1'024},
    {.worker_execution = worker_execution::detached},
    {.worker_execution = worker_execution::cooperative},
    {.restart_delay = 0ns, .max_restart_delay = 0ns},
    {.restart_delay = 1ms, .max_restart_delay = 1ms},
    {.restart_delay = 1h, .max_restart_delay = 1h},
    {.max_outage = 0ns},
    {.max_outage = 1h},
    {.breaker_failures = 0},
    {.breaker_failures = greatest},
  }));
  CHECK(validate(opts) == texts{});
}

TEST_CASE("the first bad value of a number or a name is told") {
  auto x = GENERATE(values<example>({
    {{.name = ""}, {"name is empty, but must be a text of at least one character"}},
    {{.max_batch_items = 0}, {"max_batch_items is 0, but must be 1 or more"}},
    {{.preferred_batch_items = 65},
     {"preferred_batch_items is 65, but must be from 0 to max_batch_items (64)"}},
    {{.max_batch_items = 1, .max_queue_items = 0},
     {"max_queue_items is 0, but must be max_batch_items (1) or more"}},
    {{.max_batch_items = 10, .max_queue_items = 9},
     {"max_queue_items is 9, but must be max_batch_items (10) or more"}},
    {{.max_batch_items = 10, .max_queue_items = 20, .max_lane_items = 9},
     {"max_lane_items is 9, but must be 0 or from max_batch_items (10) to max_queue_items (20)"}},
    {{.max_batch_items = 10, .max_queue_items = 20, .max_lane_items = 21},
     {"max_lane_items is 21, but must be 0 or from max_batch_items (10) to max_queue_items (20)"}},
    {{.max_batch_items = 10, .max_queue_items = 20, .max_tenant_items = 21},
     {"max_tenant_items is 21, but must be 0 or from 1 to max_queue_items (20)"}},
    {{.max_lanes = 0}, {"max_lanes is 0, but must be 1 or more"}},
    {{.tenant_weights = {{"fine", 7}, {"gold", 0}}},
     {"tenant_weights[\"gold\"] is 0, but must be from 1 to 1000"}},
    {{.tenant_weights = {{"", 1'001}}},
     {"tenant_weights[\"\"] is 1001, but must be from 1 to 1000"}},
    {with_retries({.max_attempts = 0}),
     {"on_failure.max_attempts is 0, but must be from 1 to 100"}},
    {with_retries({.max_attempts = 101}),
     {"on_failure.max_attempts is 101, but must be from 1 to 100"}},
    {{.workers = 4'097}, {"workers is 4097, but must be from 0 to 4096"}},
    {{.worker_credit = 0}, {"worker_credit is 0, but must be from 1 to 1024"}},
    {{.worker_credit = 1'025}, {"worker_credit is 1025, but must be from 1 to 1024"}},
  }));
  CHECK(validate(x.opts) == x.problems);
}

TEST_CASE("the first bad value of a duration is told in units that one can read") {
  auto x = GENERATE(values<example>({
    {{.max_delay = -1ns}, {"max_delay is -1 ns, but must be from 0 to 1 h"}},
    {{.max_delay = 1h + 1ns}, {"max_delay is 1 h 1 ns, but must be from 0 to 1 h"}},
    {{.batch_timeout = -1ns}, {"batch_timeout is -1 ns, but must be from 0 to 24 h"}},
    {{.batch_timeout = 24h + 1us}, {"batch_timeout is 24 h 1 us, but must be from 0 to 24 h"}},
    {{.request_timeout = -1ns}, {"request_timeout is -1 ns, but must be from 0 to 24 h"}},
    {{.request_timeout = 24h + 1ns}, {"request_timeout is 24 h 1 ns, but must be from 0 to 24 h"}},
    {{.credit_lease = 0ns}, {"credit_lease is 0, but must be from 1 ms to 1 h"}},
    {{.credit_lease = 1ms - 1ns}, {"credit_lease is 999 us 999 ns, but must be from 1 ms to 1 h"}},
    {{.credit_lease = 1h + 1ns}, {"credit_lease is 1 h 1 ns, but must be from 1 ms to 1 h"}},
    {{.priority_head_start = -1ns}, {"priority_head_start is -1 ns, but must be from 0 to 1 h"}},
    {{.priority_head_start = 1h + 1min},
     {"priority_head_start is 1 h 1 min, but must be from 0 to 1 h"}},
    {{.restart_delay = -1s}, {"restart_delay is -1 s, but must be 0 or from 1 ms to 1 h"}},
    {{.restart_delay = 1ms - 1ns},
     {"restart_delay is 999 us 999 ns, but must be 0 or from 1 ms to 1 h"}},
    {{.restart_delay = 1h + 1ns}, {"restart_delay is 1 h 1 ns, but must be 0 or from 1 ms to 1 h"}},
    {{.restart_delay = 5s, .max_restart_delay = 5s - 1ns},
     {"max_restart_delay is 4 s 999 ms 999 us 999 ns, but must be from restart_delay (5 s) to 1 "
      "h"}},
    {{.restart_delay = 0ns, .max_restart_delay = -1ns},
     {"max_restart_delay is -1 ns, but must be from restart_delay (0) to 1 h"}},
    {{.max_restart_delay = 1h + 1ns},
     {"max_restart_delay is 1 h 1 ns, but must be from restart_delay (100 ms) to 1 h"}},
    {{.max_outage = -90s}, {"max_outage is -1 min 30 s, but must be from 0 to 1 h"}},
    {{.max_outage = 1h + 1ns}, {"max_outage is 1 h 1 ns, but must be from 0 to 1 h"}},
    {{.max_delay = duration::max()},
     {"max_delay is 2562047 h 47 min 16 s 854 ms 775 us 807 ns, but must be from 0 to 1 h"}},
    {{.max_delay = duration::min()},
     {"max_delay is -2562047 h 47 min 16 s 854 ms 775 us 808 ns, but must be from 0 to 1 h"}},
  }));
  CHECK(validate(x.opts) == x.problems);
}

TEST_CASE("a number that no enumerator has is told") {
  auto x = GENERATE(values<example>({
    {{.size_rounding = static_cast<size_rounding>(2)},
     {"size_rounding is 2, but must be down or pad"}},
    {{.when_idle = static_cast<when_idle>(3)},
     {"when_idle is 3, but must be fill, immediate or adaptive"}},
    {{.overload = static_cast<overload>(3)},
     {"overload is 3, but must be refuse_newest, drop_oldest or wait_for_credit"}},
    {{.worker_execution = static_cast<worker_execution>(255)},
     {"worker_execution is 255, but must be detached or cooperative"}},
  }));
  CHECK(validate(x.opts) == x.problems);
}

TEST_CASE("a retry budget out of its range is told, and so is one that is no number") {
  struct wrong {
    double budget;
    std::string told;
  };
  auto [budget, told] = GENERATE(values<wrong>({
    {-0.125, "-0.125"},
    {10.5, "10.5"},
    {std::numeric_limits<double>::lowest(), "-1.7976931348623157e+308"},
    {infinite, "inf"},
    {not_a_number, "nan"},
  }));
  CHECK(validate(with_retries({.budget = budget}))
        == texts{"on_failure.budget is " + told + ", but must be from 0 to 10"});
}

TEST_CASE("allowed sizes must be ascending and positive and end with the largest batch") {
  std::string no_zero = ", but must be a list without 0";
  std::string ascending = ", but must be an ascending list that names each size once";
  std::string ends = ", but must be a list that ends with max_batch_items (8)";
  struct wrong {
    std::vector<std::size_t> sizes;
    std::string shown;
    texts told;
  };
  auto [sizes, shown, told] = GENERATE_COPY(values<wrong>({
    {{0, 8}, "{0, 8}", {no_zero}},
    {{4, 2, 8}, "{4, 2, 8}", {ascending}},
    {{4, 8, 8}, "{4, 8, 8}", {ascending}},
    {{1, 7}, "{1, 7}", {ends}},
    {{8, 9}, "{8, 9}", {ends}},
    {{8, 0}, "{8, 0}", {no_zero, ascending, ends}},
  }));
  texts expected;
  for (auto& text : told) expected.push_back("allowed_batch_items is " + shown + text);
  CHECK(validate({.max_batch_items = 8, .allowed_batch_items = sizes}) == expected);
}

TEST_CASE("of a long list of allowed sizes only the beginning is shown") {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 1; size <= 100; ++size) sizes.push_back(size);
  auto problems = validate({.max_batch_items = 64, .allowed_batch_items = sizes});
  CHECK(problems
        == texts{"allowed_batch_items is {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, "
                 "... 100 in all}, but must be a list that ends with max_batch_items (64)"});
}

TEST_CASE("padding needs sizes to pad to") {
  CHECK(validate({.size_rounding = size_rounding::pad})
        == texts{"size_rounding is pad, but must be down while allowed_batch_items is empty"});
}

TEST_CASE("credit leases are checked even where nobody asks for credit") {
  auto way = GENERATE(overload::refuse_newest, overload::drop_oldest, overload::wait_for_credit);
  CHECK(validate({.overload = way, .credit_lease = 0ns}).size() == 1);
}

TEST_CASE("a limit that is wrong itself does not make others wrong that mending it mends") {
  auto x = GENERATE(values<example>({
    {{.max_batch_items = 10, .max_queue_items = 9, .max_lane_items = 10},
     {"max_queue_items is 9, but must be max_batch_items (10) or more"}},
    {{.restart_delay = 2h}, {"restart_delay is 2 h, but must be 0 or from 1 ms to 1 h"}},
  }));
  CHECK(validate(x.opts) == x.problems);
}

TEST_CASE("all that is wrong is told at once, in the order of the knobs") {
  options opts{.name = "",
               .max_batch_items = 0,
               .preferred_batch_items = 1,
               .allowed_batch_items = {2, 0, 1},
               .size_rounding = static_cast<size_rounding>(9),
               .max_delay = -1ns,
               .when_idle = static_cast<when_idle>(9),
               .batch_timeout = -1ns,
               .request_timeout = -1ns,
               .max_queue_items = 0,
               .max_lane_items = 2,
               .max_lanes = 0,
               .overload = static_cast<overload>(9),
               .credit_lease = 0ns,
               .priority_head_start = -1ns,
               .tenant_weights = {{"a", 0}, {"b", 1'001}},
               .on_failure = retry::idempotent{.max_attempts = 0, .budget = -1},
               .workers = 5'000,
               .worker_credit = 0,
               .worker_execution = static_cast<worker_execution>(9),
               .restart_delay = -1ns,
               .max_restart_delay = -1ns,
               .max_outage = -1ns};
  texts knobs;
  for (auto& text : validate(opts)) knobs.push_back(text.substr(0, text.find(" is ")));
  CHECK(knobs
        == texts{"name",
                 "max_batch_items",
                 "preferred_batch_items",
                 "allowed_batch_items",
                 "allowed_batch_items",
                 "allowed_batch_items",
                 "size_rounding",
                 "max_delay",
                 "when_idle",
                 "batch_timeout",
                 "request_timeout",
                 "max_queue_items",
                 "max_lane_items",
                 "max_lanes",
                 "overload",
                 "credit_lease",
                 "priority_head_start",
                 "tenant_weights[\"a\"]",
                 "tenant_weights[\"b\"]",
                 "on_failure.max_attempts",
                 "on_failure.budget",
                 "workers",
                 "worker_credit",
                 "worker_execution",
                 "restart_delay",
                 "max_restart_delay",
                 "max_outage"});
}
