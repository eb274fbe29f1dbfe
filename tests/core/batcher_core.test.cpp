// SPDX-License-Identifier: BSD-3-Clause
//
// The core by example: each feature, the corners of each command, and what the origin of this
// library gets wrong. After every call the books are checked: requests = replied + queued + in
// flight + following. The general case is in batcher_core_properties.test.cpp.

#include "batcher/batcher_core.hpp"
#include "batcher/observer.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

// Movable only, as the core promises to manage.
struct item {
  explicit item(int value) : number{std::make_unique<int>(value)} {}
  std::unique_ptr<int> number;
};

// One whose sender can end.
struct watched_item {
  explicit watched_item(int value) : number{std::make_unique<int>(value)} {}
  [[nodiscard]] bool is_abandoned() const { return *is_gone; }
  std::unique_ptr<int> number;
  std::shared_ptr<bool> is_gone = std::make_shared<bool>(false);
};

struct recorder : observer {
  void on_start(std::string_view batcher_name, std::size_t,
                std::shared_ptr<const live_counters>) noexcept override {
    name = batcher_name;
  }
  void on_batch(const batch_record& r) noexcept override {
    last = r;
    arrivals.assign(r.arrivals.begin(), r.arrivals.end());
    ++batches;
  }
  std::string name;
  batch_record last;
  std::vector<time_point> arrivals;
  int batches = 0;
};

// The numbers of several batches.
using batches = std::vector<std::vector<int>>;

std::vector<int> range(int from, int to) {
  std::vector<int> out(static_cast<std::size_t>(to - from));
  std::iota(out.begin(), out.end(), from);
  return out;
}

// Who departed, and how.
using departed = std::vector<std::pair<int, errc>>;

departed all(errc outcome, const std::vector<int>& numbers) {
  departed out;
  for (auto n : numbers) out.emplace_back(n, outcome);
  return out;
}

template <class Enum, class Values>
auto of(Enum x, const Values& values) {
  return values[static_cast<std::size_t>(x)];
}

// A batch as a test remembers it.
struct dispatched {
  batch_id id = 0;
  worker_id worker = 0;
  std::size_t attempt = 0;
  std::size_t padding_items = 0;
  std::string key;
  std::vector<int> numbers;
};

template <class Item>
struct basic_rig {
  explicit basic_rig(options opts, coalescing<Item> same = {})
    : core{std::move(opts), 1, std::move(same)} {}

  // Workers 1, 2, ... come by themselves.
  basic_rig& with_workers(std::size_t workers, std::size_t credit = 1) {
    for (worker_id id = 1; id <= workers; ++id) core.worker_up(start, id, credit);
    return *this;
  }

  // Starts the workers that the options ask for; returns how many there were to start.
  int start_workers(time_point now) {
    int started = 0;
    for (; auto id = core.next_start(now); ++started) core.worker_up(now, *id, 1);
    return started;
  }

  item_id admit(time_point now, int number, const placement& where = {}) {
    auto [refused, id] = core.admit(now, Item{number}, where);
    REQUIRE(refused == errc::none);
    check_books();
    return id;
  }

  void admit(time_point now, const std::vector<int>& numbers, const placement& where = {}) {
    for (auto n : numbers) admit(now, n, where);
  }

  // What a request is refused with; it stays with the caller.
  errc refusal(time_point now, const placement& where = {}) {
    Item x{-1};
    auto refused = core.admit(now, std::move(x), where).refused;
    if (refused != errc::none) CHECK(x.number);
    check_books();
    return refused;
  }

  std::optional<dispatched> next(time_point now) {
    auto b = core.next_batch(now);
    check_books();
    if (!b) return std::nullopt;
    dispatched out{b->id, b->worker, b->attempt, b->padding_items, std::string{b->key}, {}};
    for (auto* x : b->items) out.numbers.push_back(*x->number);
    return out;
  }

  // The next batch, which must be there.
  dispatched take(time_point now) {
    auto b = next(now);
    REQUIRE(b);
    return *b;
  }

  // The numbers of all batches there are.
  batches take_all(time_point now) {
    batches out;
    while (auto b = next(now)) out.push_back(b->numbers);
    return out;
  }

  bool complete(time_point now, const dispatched& b, std::vector<std::uint32_t> failed = {}) {
    auto is_in_time = core.complete(
      now, b.id, {.results = b.numbers.size(), .failed = std::move(failed), .executed = 1ms});
    check_books();
    return is_in_time;
  }

  bool fail(time_point now, const dispatched& b, errc why = errc::batch_failed) {
    auto is_in_time = core.fail(now, b.id, why);
    check_books();
    return is_in_time;
  }

  bool cancel(time_point now, item_id id) {
    auto found = core.cancel(now, id);
    check_books();
    return found;
  }

  void expire(time_point now) {
    core.expire(now);
    check_books();
  }

  void down(time_point now, worker_id id) {
    core.worker_down(now, id);
    check_books();
  }

  // Who has departed since the last call.
  departed left() {
    departed out;
    for (auto& x : core.departures()) out.emplace_back(*x.item.number, x.outcome);
    core.clear_departures();
    return out;
  }

  counter_values counters() { return core.stats(start).counters; }

  void check_books() {
    auto values = core.counters()->read();
    CHECK(values.requests
          == values.replied() + core.queue_items() + core.in_flight_items()
               + core.following_items());
    CHECK(values.queue_items == core.queue_items());
    CHECK(values.in_flight_items == core.in_flight_items());
    bool is_empty = core.queue_items() + core.in_flight_items() + core.following_items() == 0;
    CHECK(core.is_idle() == is_empty);
  }

  batcher_core<Item> core;
};

using rig = basic_rig<item>;
using watched_rig = basic_rig<watched_item>;

// Items are identical if they differ in the last digit only.
coalescing<item> by_tens() {
  return {[](const item& x) { return static_cast<std::size_t>(*x.number / 10); },
          [](const item& a, const item& b) { return *a.number / 10 == *b.number / 10; }};
}

const retry_policy halving = retry::idempotent{};
const retry_policy repeating = retry::idempotent{.bisect = false};

} // namespace

// -- when a batch closes --------------------------------------------------------------------------

TEST_CASE("ten requests inside the window make one batch of ten, in order") {
  rig r{{.max_batch_items = 64, .max_delay = 10ms}};
  r.with_workers(1);
  for (int i = 0; i < 10; ++i) r.admit(start + i * 1ms, i);
  CHECK_FALSE(r.next(start + 10ms - 1ns));
  CHECK(r.core.next_deadline() == start + 10ms);
  auto b = r.take(start + 10ms);
  CHECK(b.numbers == range(0, 10));
  CHECK(b.attempt == 1);
  CHECK(b.padding_items == 0);
  CHECK_FALSE(r.core.next_deadline());
  CHECK(of(close_reason::deadline, r.counters().batches) == 1);
}

TEST_CASE("25 requests with a cap of 10 make batches of 10, 10 and 5") {
  rig r{{.max_batch_items = 10, .max_delay = 10ms}};
  r.with_workers(1, 8).admit(start, range(0, 25));
  CHECK(r.take_all(start) == batches{range(0, 10), range(10, 20)});
  CHECK(r.take_all(start + 10ms) == batches{range(20, 25)});
  CHECK(of(close_reason::size, r.counters().batches) == 2);
}

TEST_CASE("what is left at the cap waits for the next batch together with newcomers") {
  rig r{{.max_batch_items = 10, .max_delay = 10ms}};
  r.with_workers(1, 8).admit(start, range(0, 12));
  CHECK(r.take_all(start) == batches{range(0, 10)});
  r.admit(start + 4ms, range(12, 15));
  CHECK(r.take(start + 10ms).numbers == range(10, 15));
}

TEST_CASE("the first item never waits longer than the window, whenever the others come") {
  rig r{{.max_batch_items = 64, .max_delay = 10ms}};
  r.with_workers(1).admit(start, 0);
  r.admit(start + 9ms, 1);
  CHECK(r.core.next_deadline() == start + 10ms);
  CHECK(r.next(start + 10ms));
}

TEST_CASE("with immediate an idle worker never waits and a busy one gathers a batch") {
  rig r{{.max_batch_items = 8, .max_delay = 1h, .when_idle = when_idle::immediate}};
  r.with_workers(1).admit(start, 0);
  auto first = r.take(start);
  CHECK(first.numbers == range(0, 1));
  r.admit(start, range(1, 4));
  CHECK_FALSE(r.next(start));
  r.complete(start + 1ms, first);
  CHECK(r.take(start + 1ms).numbers == range(1, 4));
  CHECK(of(close_reason::idle, r.counters().batches) == 2);
}

TEST_CASE("batches overlap as far as workers allow") {
  auto workers = GENERATE(1u, 2u, 3u, 1'000u);
  rig r{{.max_batch_items = 10, .max_delay = 10ms}};
  r.with_workers(workers).admit(start, range(0, 50));
  CHECK(r.take_all(start).size() == std::min(workers, 5u));
}

TEST_CASE("a batch whose window is over keeps growing until a worker is free") {
  rig r{{.max_batch_items = 10, .max_delay = 10ms}};
  r.with_workers(1).admit(start, range(0, 10));
  auto running = r.take(start);
  r.admit(start + 1ms, range(10, 12));
  CHECK_FALSE(r.next(start + 50ms));
  CHECK_FALSE(r.core.next_deadline());
  r.admit(start + 60ms, range(12, 15));
  CHECK(r.complete(start + 70ms, running));
  CHECK(r.core.next_deadline() == start + 70ms);
  CHECK(r.take(start + 70ms).numbers == range(10, 15));
}

TEST_CASE("preferred_batch_items close a batch while a worker is free, later it grows to the cap") {
  rig r{{.max_batch_items = 8, .preferred_batch_items = 3, .max_delay = 1h}};
  r.with_workers(1).admit(start, range(0, 2));
  CHECK_FALSE(r.next(start));
  r.admit(start, 2);
  auto first = r.take(start);
  CHECK(first.numbers == range(0, 3));
  r.admit(start, range(3, 13));
  r.complete(start + 1ms, first);
  CHECK(r.take(start + 1ms).numbers == range(3, 11));
}

TEST_CASE("an item that would overflow the cost waits in front for the next batch") {
  rig r{{.max_batch_items = 8, .max_batch_cost = 10, .max_delay = 10ms}};
  r.with_workers(1, 8).admit(start, 0, {.cost = 4});
  r.admit(start, 1, {.cost = 3});
  CHECK_FALSE(r.next(start));
  r.admit(start, 2, {.cost = 5});
  r.admit(start, 3, {.cost = 1});
  CHECK(r.take(start).numbers == range(0, 2));
  CHECK_FALSE(r.next(start));
  CHECK(r.counters().queue_cost == 6);
  CHECK(r.take(start + 10ms).numbers == range(2, 4));
  auto values = r.counters();
  CHECK(of(close_reason::cost, values.batches) == 1);
  CHECK(of(close_reason::deadline, values.batches) == 1);
  CHECK(values.queue_cost == 0);
}

TEST_CASE("enough items whose cost does not fit leave for the cost, not for their number") {
  rig r{{.max_batch_items = 3, .max_batch_cost = 10}};
  r.admit(start, range(0, 3), {.cost = 6});
  r.with_workers(1);
  CHECK(r.take(start).numbers == range(0, 1));
  auto values = r.counters();
  CHECK(of(close_reason::cost, values.batches) == 1);
  CHECK(of(close_reason::size, values.batches) == 0);
}

TEST_CASE("an item that alone costs too much is refused, one that just fits is not") {
  rig r{{.max_batch_cost = 10}};
  CHECK(r.refusal(start, {.cost = 11}) == errc::too_costly);
  CHECK(r.refusal(start, {.cost = 10}) == errc::none);
  CHECK(of(outcome::too_costly, r.counters().replies) == 1);
}

TEST_CASE("rounded down a batch has an allowed size and the rest waits") {
  rig r{{.max_batch_items = 8, .allowed_batch_items = {2, 4, 8}, .max_delay = 10ms}};
  r.with_workers(1, 8).admit(start, range(0, 6));
  r.admit(start + 5ms, 6);
  auto b = r.take(start + 10ms);
  CHECK(b.numbers == range(0, 4));
  CHECK(b.padding_items == 0);
  CHECK(r.take(start + 10ms).numbers == range(4, 6));
  CHECK_FALSE(r.next(start + 15ms - 1ns));
  auto last = r.take(start + 15ms);
  CHECK(last.numbers == range(6, 7));
  CHECK(last.padding_items == 1);
  CHECK(r.counters().padding_items == 1);
}

TEST_CASE("padded a batch takes everything and says what it lacks") {
  rig r{{.max_batch_items = 8,
         .allowed_batch_items = {2, 8},
         .size_rounding = size_rounding::pad,
         .max_delay = 10ms}};
  r.with_workers(1).admit(start, range(0, 3));
  auto b = r.take(start + 10ms);
  CHECK(b.numbers == range(0, 3));
  CHECK(b.padding_items == 5);
  CHECK(r.counters().padding_items == 5);
}

TEST_CASE("a clock that runs backwards is held at the latest instant seen") {
  rig r{{.max_delay = 10ms}};
  r.with_workers(1).admit(start + 5ms, 0);
  r.admit(start, 1);
  CHECK_FALSE(r.next(start + 14ms));
  CHECK_FALSE(r.next(start));
  CHECK(r.next(start + 15ms));
}

// -- lanes ----------------------------------------------------------------------------------------

TEST_CASE("items of different keys never share a batch") {
  rig r{{.max_batch_items = 4, .max_delay = 10ms}};
  r.with_workers(1, 8);
  for (int i = 0; i < 4; ++i) r.admit(start, i, {.key = i % 2 == 0 ? "even" : "odd"});
  CHECK_FALSE(r.next(start));
  auto first = r.take(start + 10ms);
  CHECK(first.key == "even");
  CHECK(first.numbers == std::vector{0, 2});
  CHECK(r.take(start + 10ms).numbers == std::vector{1, 3});
}

TEST_CASE("a lane that is never empty lets every other lane have its turn") {
  rig r{{.max_batch_items = 2}};
  r.admit(start, range(0, 8), {.key = "busy"});
  r.admit(start, range(8, 10), {.key = "calm"});
  r.with_workers(1, 3);
  CHECK(r.take_all(start) == batches{range(0, 2), range(8, 10), range(2, 4)});
}

TEST_CASE("one lane more than max_lanes is refused, until one is idle and goes by itself") {
  rig r{{.max_batch_items = 1, .max_lanes = 2}};
  r.with_workers(1).admit(start, 0, {.key = "a"});
  r.admit(start, 1, {.key = "b"});
  CHECK(r.refusal(start, {.key = "c"}) == errc::too_many_lanes);
  CHECK(r.refusal(start, {.key = "b"}) == errc::none);
  auto b = r.take(start);
  CHECK(b.key == "a");
  CHECK(r.refusal(start, {.key = "c"}) == errc::too_many_lanes); // a still runs
  r.complete(start, b);
  CHECK(r.counters().lanes == 1);
  CHECK(r.refusal(start, {.key = "c"}) == errc::none);
  CHECK(of(outcome::too_many_lanes, r.counters().replies) == 2);
}

TEST_CASE("max_lane_items keeps one key from filling the queue") {
  rig r{{.max_batch_items = 2, .max_queue_items = 10, .max_lane_items = 2}};
  r.admit(start, range(0, 2), {.key = "a"});
  CHECK(r.refusal(start, {.key = "a"}) == errc::queue_full);
  CHECK(r.refusal(start, {.key = "b"}) == errc::none);
}

TEST_CASE("max_tenant_items keeps one tenant from filling its lane") {
  rig r{{.max_batch_items = 2, .max_queue_items = 10, .max_tenant_items = 2}};
  r.admit(start, range(0, 2), {.tenant = "noisy"});
  CHECK(r.refusal(start, {.tenant = "noisy"}) == errc::queue_full);
  CHECK(r.refusal(start, {.tenant = "polite"}) == errc::none);
  CHECK(r.refusal(start, {.key = "other", .tenant = "noisy"}) == errc::none);
}

TEST_CASE("with drop_oldest a full tenant gives way itself") {
  rig r{{.max_batch_items = 2,
         .max_queue_items = 10,
         .max_tenant_items = 2,
         .overload = overload::drop_oldest}};
  r.admit(start, range(0, 2), {.tenant = "polite"});
  r.admit(start, range(2, 4), {.tenant = "noisy"});
  r.admit(start, 4, {.tenant = "noisy"});
  CHECK(r.left() == all(errc::dropped, {2}));
}

TEST_CASE("with drop_oldest the tenant that holds most by its weight gives way") {
  rig r{{.max_batch_items = 4,
         .max_queue_items = 6,
         .overload = overload::drop_oldest,
         .tenant_weights = {{"heavy", 3}}}};
  r.admit(start, 0, {.tenant = "polite"});
  r.admit(start, range(1, 4), {.tenant = "heavy"}); // 1 by its weight
  r.admit(start, range(4, 6), {.tenant = "noisy"});
  r.admit(start, 6, {.tenant = "polite"});
  CHECK(r.left() == all(errc::dropped, {4}));
}

TEST_CASE("max_lane_batches leaves workers for the other keys") {
  rig r{{.max_batch_items = 1, .max_lane_batches = 2, .worker_credit = 1}};
  r.with_workers(4).admit(start, range(0, 4), {.key = "slow"});
  auto first = r.take(start);
  r.take(start);
  CHECK_FALSE(r.next(start));
  r.admit(start, 4, {.key = "fast"});
  CHECK(r.take(start).key == "fast");
  r.complete(start, first);
  CHECK(r.take(start).numbers == range(2, 3));
  CHECK_FALSE(r.next(start));
}

// -- priorities and tenants -----------------------------------------------------------------------

TEST_CASE("a higher priority overtakes until its head start is over, and not at that instant") {
  rig r{{.max_batch_items = 3, .priority_head_start = 100ms}};
  r.admit(start, 0);
  r.admit(start + 100ms - 1ns, 1, {.priority = 1});
  r.admit(start + 100ms, 2, {.priority = 1});
  r.with_workers(1);
  CHECK(r.take(start + 100ms).numbers == std::vector{1, 0, 2});
}

TEST_CASE("priorities that keep coming hold up a low one for their head start and no longer") {
  rig r{{.max_batch_items = 1, .priority_head_start = 10ms}};
  r.with_workers(1).admit(start, -1);
  for (int i = 0;; ++i) {
    auto now = start + i * 1ms;
    r.admit(now, i, {.priority = 3});
    auto b = r.take(now);
    r.complete(now, b);
    if (b.numbers != std::vector{-1}) continue;
    CHECK(i == 30);
    break;
  }
}

TEST_CASE("a priority beyond the last is the caller's bug") {
  rig r{{}};
  CHECK(r.refusal(start, {.priority = 8}) == errc::invalid_request);
  CHECK(r.refusal(start, {.priority = 7}) == errc::none);
}

TEST_CASE("tenants share a lane by weight, whoever came first") {
  rig r{{.max_batch_items = 8, .tenant_weights = {{"gold", 3}}}};
  r.admit(start, range(0, 20), {.tenant = "plain"});
  r.admit(start, range(20, 40), {.tenant = "gold"});
  r.with_workers(1);
  auto b = r.take(start);
  auto gold = std::count_if(b.numbers.begin(), b.numbers.end(), [](int n) { return n >= 20; });
  CHECK(gold == 6);
}

// -- deadlines of items ---------------------------------------------------------------------------

TEST_CASE("a queued item expires at its deadline and not an instant before") {
  rig r{{.max_delay = 1h}};
  r.with_workers(1).admit(start, 0, {.timeout = 20ms});
  r.admit(start, 1);
  CHECK(r.core.next_deadline() == start + 20ms);
  r.expire(start + 20ms - 1ns);
  CHECK(r.left().empty());
  r.expire(start + 20ms);
  CHECK(r.left() == all(errc::expired, {0}));
  CHECK(r.core.next_deadline() == start + 1h);
  CHECK(of(outcome::expired, r.counters().replies) == 1);
}

TEST_CASE("an item that expires in flight tells its batch and its place in it") {
  rig r{{.max_batch_items = 3}};
  r.with_workers(1).admit(start, 0);
  r.admit(start, 1, {.timeout = 20ms});
  r.admit(start, 2);
  auto b = r.take(start);
  r.expire(start + 20ms);
  REQUIRE(r.core.departures().size() == 1);
  CHECK(r.core.departures()[0].outcome == errc::expired);
  CHECK(r.core.departures()[0].batch == b.id);
  CHECK(r.core.departures()[0].position == 1);
  r.core.clear_departures();
  CHECK(r.core.in_flight_items() == 2);
  CHECK(r.complete(start + 30ms, b));
  REQUIRE(r.core.departures().size() == 2);
  CHECK(r.core.departures()[1].position == 2);
  CHECK(r.left() == all(errc::none, {0, 2}));
  auto values = r.counters();
  CHECK(values.wasted_items == 1);
  CHECK(of(outcome::ok, values.replies) == 2);
}

TEST_CASE("an item whose deadline has come is not dispatched, even if nobody called expire") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}};
  r.admit(start, 0, {.timeout = 10ms});
  r.admit(start, 1, {.timeout = 10ms + 1ns});
  r.admit(start, 2);
  r.with_workers(1);
  CHECK(r.take(start + 10ms).numbers == range(1, 3));
  CHECK(r.left() == all(errc::expired, {0}));
}

TEST_CASE("when all of a due batch have expired nothing is dispatched and the worker stays free") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}};
  r.with_workers(1).admit(start, range(0, 2), {.timeout = 5ms});
  CHECK_FALSE(r.next(start + 10ms));
  CHECK(r.left() == all(errc::expired, {0, 1}));
  CHECK(r.core.workers().credit_in_use() == 0);
  CHECK(of(close_reason::size, r.counters().batches) == 0);
}

TEST_CASE("a request can only shorten request_timeout") {
  rig r{{.request_timeout = 50ms}};
  r.admit(start, 0);
  r.admit(start, 1, {.timeout = 20ms});
  r.admit(start, 2, {.timeout = 1h});
  r.expire(start + 20ms);
  CHECK(r.left() == all(errc::expired, {1}));
  r.expire(start + 50ms - 1ns);
  CHECK(r.left().empty());
  r.expire(start + 50ms);
  CHECK(r.left().size() == 2);
}

TEST_CASE("a request that has expired already is refused") {
  rig r{{}};
  CHECK(r.refusal(start, {.timeout = -1ns}) == errc::expired);
  CHECK(r.core.is_idle());
}

TEST_CASE("a timeout beyond the clock's range is none") {
  rig r{{.max_delay = 10ms}};
  r.admit(start, 0, {.timeout = duration::max()});
  CHECK_FALSE(r.core.next_deadline());
  r.expire(start + 100'000h);
  CHECK(r.left().empty());
}

// -- cancellation ---------------------------------------------------------------------------------

TEST_CASE("a queued item can be cancelled, once, and its lane waits for the next one's window") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}};
  auto a = r.with_workers(1).admit(start, 0);
  r.admit(start + 5ms, 1);
  CHECK(r.cancel(start + 6ms, a));
  CHECK(r.left() == all(errc::cancelled, {0}));
  CHECK_FALSE(r.cancel(start + 6ms, a));
  CHECK_FALSE(r.next(start + 10ms));
  CHECK(r.core.next_deadline() == start + 15ms);
}

TEST_CASE("an item cancelled in flight leaves at once and its result is dropped") {
  rig r{{.max_batch_items = 2}};
  auto a = r.with_workers(1).admit(start, 0);
  auto b = r.admit(start, 1);
  auto batch = r.take(start);
  CHECK(r.cancel(start, b));
  CHECK(r.core.departures()[0].batch == batch.id);
  CHECK(r.core.departures()[0].position == 1);
  CHECK(r.cancel(start, a));
  CHECK(r.core.is_idle());
  r.core.clear_departures();
  CHECK(r.complete(start, batch));
  CHECK(r.left().empty());
  CHECK(r.counters().wasted_items == 2);
  CHECK(r.core.workers().credit_in_use() == 0);
}

TEST_CASE("an item cancelled while it waits to run again is not executed again") {
  rig r{{.max_batch_items = 2, .on_failure = repeating}};
  auto a = r.with_workers(1).admit(start, 0);
  auto b = r.admit(start, 1);
  r.fail(start, r.take(start));
  CHECK(r.core.queue_items() == 2);
  CHECK(r.counters().queue_cost == 2);
  CHECK(r.cancel(start, a));
  CHECK(r.core.departures()[0].batch == 0);
  CHECK(r.counters().queue_cost == 1);
  auto again = r.take(start);
  CHECK(again.numbers == range(1, 2));
  r.fail(start, again);
  CHECK(r.cancel(start, b));
  CHECK(r.counters().lanes == 0);
  CHECK(r.counters().queue_cost == 0);
  CHECK_FALSE(r.next(start));
  CHECK(r.left() == all(errc::cancelled, {0, 1}));
}

TEST_CASE("a name whose item has left finds nobody, though its slot is used again") {
  rig r{{}};
  auto old = r.admit(start, 0);
  r.cancel(start, old);
  auto fresh = r.admit(start, 1);
  CHECK(old != fresh);
  CHECK_FALSE(r.cancel(start, old));
  CHECK_FALSE(r.cancel(start, 0));
  CHECK(r.core.queue_items() == 1);
}

// -- senders that have ended ----------------------------------------------------------------------

TEST_CASE("an item whose sender has ended is refused, or leaves instead of being dispatched") {
  watched_rig r{{.max_batch_items = 3}};
  watched_item gone{0};
  *gone.is_gone = true;
  CHECK(r.core.admit(start, std::move(gone)).refused == errc::cancelled);
  r.check_books();
  watched_item leaving{1};
  auto is_gone = leaving.is_gone;
  REQUIRE(r.core.admit(start, std::move(leaving)).refused == errc::none);
  r.admit(start, range(2, 4));
  *is_gone = true;
  r.with_workers(1);
  CHECK(r.take(start).numbers == range(2, 4));
  CHECK(r.left() == all(errc::cancelled, {1}));
  CHECK(of(outcome::cancelled, r.counters().replies) == 2);
}

TEST_CASE("an item whose sender ends while it runs does not run again") {
  watched_rig r{{.max_batch_items = 2, .on_failure = repeating}};
  watched_item leaving{0};
  auto is_gone = leaving.is_gone;
  REQUIRE(r.core.admit(start, std::move(leaving)).refused == errc::none);
  r.with_workers(1).admit(start, 1);
  auto b = r.take(start);
  *is_gone = true;
  r.fail(start, b);
  CHECK(r.take(start).numbers == range(1, 2));
  CHECK(r.left() == all(errc::cancelled, {0}));
}

// -- overload -------------------------------------------------------------------------------------

TEST_CASE("a full queue refuses by name and hurts nobody else") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms, .max_queue_items = 2}};
  r.admit(start, range(0, 2));
  CHECK(r.refusal(start) == errc::queue_full);
  r.with_workers(1);
  CHECK(r.take(start).numbers == range(0, 2));
  CHECK(r.refusal(start) == errc::none);
  CHECK(of(outcome::queue_full, r.counters().replies) == 1);
}

TEST_CASE("items that wait to run again count as queued") {
  rig r{{.max_batch_items = 2, .max_queue_items = 2, .on_failure = repeating}};
  r.with_workers(1).admit(start, range(0, 2));
  r.fail(start, r.take(start));
  CHECK(r.refusal(start) == errc::queue_full);
}

TEST_CASE("with drop_oldest a newcomer takes the place of the oldest of the longest lane") {
  rig r{{.max_batch_items = 2, .max_queue_items = 5, .overload = overload::drop_oldest}};
  r.admit(start, range(0, 2), {.key = "short"});
  r.admit(start, range(2, 5), {.key = "long"});
  r.admit(start, 5, {.key = "new"});
  CHECK(r.left() == all(errc::dropped, {2}));
  CHECK(r.core.queue_items() == 5);
  CHECK(of(outcome::dropped, r.counters().replies) == 1);
}

TEST_CASE("with drop_oldest a full lane gives way itself, and no second lane with it") {
  rig r{{.max_batch_items = 2,
         .max_queue_items = 5,
         .max_lane_items = 4,
         .overload = overload::drop_oldest}};
  r.admit(start, range(0, 4), {.key = "a"});
  r.admit(start, 4, {.key = "a"});
  CHECK(r.left() == all(errc::dropped, {0}));
  r.admit(start, 5, {.key = "b"});
  r.admit(start, 6, {.key = "a"});
  CHECK(r.left() == all(errc::dropped, {1}));
  CHECK(r.core.queue_items() == 5);
  auto smaller = r.core.opts();
  smaller.max_lane_items = 2;
  r.admit(start, 7, {.key = "b"}); // drops the oldest of a
  CHECK(r.left() == all(errc::dropped, {2}));
  r.core.reconfigure(start, smaller);
  r.admit(start, 8, {.key = "b"}); // b and the queue are full
  CHECK(r.left() == all(errc::dropped, {5}));
  CHECK(r.core.queue_items() == 5);
}

TEST_CASE("nobody is dropped for a newcomer that is refused all the same") {
  rig r{{.max_batch_items = 1,
         .max_queue_items = 2,
         .max_lanes = 1,
         .overload = overload::drop_oldest}};
  r.admit(start, range(0, 2), {.key = "a"});
  CHECK(r.refusal(start, {.key = "b"}) == errc::too_many_lanes);
  CHECK(r.left().empty());
}

TEST_CASE("drop_oldest refuses when everything that waits has run before") {
  rig r{{.max_batch_items = 2,
         .max_queue_items = 2,
         .overload = overload::drop_oldest,
         .on_failure = repeating}};
  r.with_workers(1).admit(start, range(0, 2));
  r.fail(start, r.take(start));
  CHECK(r.refusal(start) == errc::queue_full);
  CHECK(r.refusal(start, {.key = "other"}) == errc::queue_full);
  CHECK(r.core.queue_items() == 2);
  CHECK(r.counters().lanes == 1);
}

TEST_CASE("credit is granted in the order of asking, as room comes up, and keeps that room") {
  rig r{{.max_batch_items = 1, .max_queue_items = 2, .overload = overload::wait_for_credit}};
  r.admit(start, range(0, 2));
  r.core.ask_credit(start, 7, 3);
  r.core.ask_credit(start, 8, 1);
  CHECK_FALSE(r.core.next_grant(start));
  r.with_workers(1, 2).take(start);
  auto first = r.core.next_grant(start);
  REQUIRE(first);
  CHECK(first->ticket == 7);
  CHECK(first->items == 1); // less than it asked for: that is all there is
  CHECK_FALSE(r.core.next_grant(start));
  CHECK(r.refusal(start) == errc::queue_full);
  CHECK(r.refusal(start, {.on_credit = true}) == errc::none);
  CHECK(r.refusal(start, {.on_credit = true}) == errc::queue_full); // used up
  r.take(start);
  auto second = r.core.next_grant(start);
  REQUIRE(second);
  CHECK(second->ticket == 8);
}

TEST_CASE("a lease that ends gives its room to the next one") {
  rig r{{.max_batch_items = 1,
         .max_queue_items = 1,
         .overload = overload::wait_for_credit,
         .credit_lease = 100ms}};
  r.core.ask_credit(start, 1, 1);
  r.core.ask_credit(start, 2, 1);
  REQUIRE(r.core.next_grant(start));
  CHECK(r.core.next_deadline() == start + 100ms);
  r.expire(start + 100ms - 1ns);
  CHECK_FALSE(r.core.next_grant(start + 100ms - 1ns));
  r.expire(start + 100ms);
  auto second = r.core.next_grant(start + 100ms);
  REQUIRE(second);
  CHECK(second->ticket == 2);
  CHECK(r.refusal(start + 100ms) == errc::queue_full);
}

TEST_CASE("who waits for credit is turned away when requests are refused") {
  rig r{{.max_batch_items = 1, .max_queue_items = 1, .overload = overload::wait_for_credit}};
  r.admit(start, 0);
  r.core.ask_credit(start, 5, 1);
  r.core.drain(start, 1s);
  auto none = r.core.next_grant(start);
  REQUIRE(none);
  CHECK(none->ticket == 5);
  CHECK(none->items == 0);
  CHECK_FALSE(r.core.next_grant(start));
}

// -- outcomes of batches --------------------------------------------------------------------------

TEST_CASE("an error of one item is that item's alone") {
  rig r{{.max_batch_items = 3}};
  r.with_workers(1).admit(start, range(0, 3));
  CHECK(r.complete(start, r.take(start), {1}));
  CHECK(r.left() == all(errc::none, {0, 1, 2}));
  auto values = r.counters();
  CHECK(of(outcome::ok, values.replies) == 2);
  CHECK(of(outcome::item_error, values.replies) == 1);
}

TEST_CASE("one result too few or too many is the worker's defect, for the whole batch") {
  auto results = GENERATE(0u, 2u, 4u);
  rig r{{.max_batch_items = 3}};
  r.with_workers(1).admit(start, range(0, 3));
  auto b = r.take(start);
  CHECK(r.core.complete(start, b.id, {.results = results}));
  CHECK(r.left() == all(errc::result_count_mismatch, range(0, 3)));
  auto values = r.counters();
  CHECK(of(outcome::result_count_mismatch, values.replies) == 3);
  CHECK(of(failure::result_count_mismatch, values.failures) == 1);
}

TEST_CASE("a batch is settled once") {
  rig r{{.max_batch_items = 1}};
  r.with_workers(1).admit(start, 0);
  auto b = r.take(start);
  CHECK(r.complete(start, b));
  CHECK_FALSE(r.complete(start, b));
  CHECK_FALSE(r.fail(start, b));
  CHECK(r.left().size() == 1);
}

TEST_CASE("with never a failed batch is answered with the failure and does not run again") {
  rig r{{.max_batch_items = 2}};
  r.with_workers(2).admit(start, range(0, 2));
  CHECK(r.fail(start, r.take(start)));
  CHECK(r.left() == all(errc::batch_failed, {0, 1}));
  CHECK_FALSE(r.next(start + 1h));
  CHECK(of(failure::batch_failed, r.counters().failures) == 1);
}

// -- retries --------------------------------------------------------------------------------------

TEST_CASE("an idempotent batch runs again, elsewhere and before fresh ones, up to max_attempts") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms, .on_failure = repeating}};
  r.with_workers(2).admit(start, range(0, 2));
  auto first = r.take(start);
  r.admit(start, range(2, 4));
  r.fail(start, first);
  CHECK(r.core.queue_items() == 4);
  auto second = r.take(start);
  CHECK(second.numbers == range(0, 2));
  CHECK(second.attempt == 2);
  CHECK(second.worker != first.worker);
  r.fail(start, second);
  auto third = r.take(start);
  CHECK(third.attempt == 3);
  CHECK(third.worker != second.worker);
  r.fail(start, third);
  CHECK(r.left() == all(errc::batch_failed, {0, 1}));
  CHECK(r.take(start).numbers == range(2, 4));
  auto values = r.counters();
  CHECK(of(close_reason::retry, values.batches) == 2);
  CHECK(of(failure::batch_failed, values.failures) == 3);
}

TEST_CASE("of several batches that run again the one with the oldest item is first") {
  rig r{{.max_batch_items = 1, .on_failure = repeating}};
  r.with_workers(2).admit(start, 0);
  r.admit(start + 1ms, 1);
  auto a = r.take(start + 1ms);
  auto b = r.take(start + 1ms);
  r.fail(start + 2ms, b);
  r.fail(start + 3ms, a);
  CHECK(r.take(start + 3ms).numbers == range(0, 1));
  CHECK(r.take(start + 3ms).numbers == range(1, 2));
}

TEST_CASE("a batch that runs again counts for max_lane_batches") {
  rig r{{.max_batch_items = 1, .max_lane_batches = 1, .on_failure = repeating}};
  r.with_workers(2).admit(start, range(0, 2));
  r.fail(start, r.take(start));
  auto again = r.take(start);
  CHECK(again.numbers == range(0, 1));
  CHECK_FALSE(r.next(start));
  r.complete(start, again);
  CHECK(r.take(start).numbers == range(1, 2));
}

TEST_CASE("of two halves only one runs where max_lane_batches is 1") {
  rig r{{.max_batch_items = 2, .max_lane_batches = 1, .on_failure = halving}};
  r.with_workers(2).admit(start, range(0, 2));
  r.fail(start, r.take(start));
  auto first = r.take(start);
  CHECK(first.numbers == range(0, 1));
  CHECK_FALSE(r.next(start));
  r.complete(start, first);
  CHECK(r.take(start).numbers == range(1, 2));
}

TEST_CASE("one poison item among 256 costs 1 + 2 * 8 calls and 255 succeed") {
  auto poison = GENERATE(0, 100, 255);
  rig r{{.max_batch_items = 256, .on_failure = halving}};
  r.with_workers(1).admit(start, range(0, 256));
  int calls = 0;
  for (; auto b = r.next(start); ++calls) {
    bool fails = std::count(b->numbers.begin(), b->numbers.end(), poison) > 0;
    CHECK((fails ? r.fail(start, *b) : r.complete(start, *b)));
  }
  CHECK(calls == 17);
  auto left = r.left();
  CHECK(left.size() == 256);
  CHECK(std::count(left.begin(), left.end(), std::pair{poison, errc::batch_failed}) == 1);
  auto values = r.counters();
  CHECK(of(outcome::ok, values.replies) == 255);
  CHECK(of(outcome::batch_failed, values.replies) == 1);
  CHECK(values.bisections == 8);
}

TEST_CASE("an item that fails alone from the start runs max_attempts times") {
  rig r{{.max_batch_items = 1, .on_failure = halving}};
  r.with_workers(1).admit(start, 0);
  std::size_t calls = 0;
  while (auto b = r.next(start)) {
    CHECK(b->attempt == ++calls);
    r.fail(start, *b);
  }
  CHECK(calls == 3);
}

TEST_CASE("with its budget used up a failed batch is given up at once") {
  rig r{{.max_batch_items = 1, .on_failure = retry::idempotent{.bisect = false, .budget = 0.5}}};
  r.with_workers(1);
  auto run = [&] { // a batch that never succeeds; returns how often it was tried
    r.admit(start, 0);
    int calls = 0;
    for (; auto b = r.next(start); ++calls) r.fail(start, *b);
    return calls;
  };
  // The first one earns nothing, the bucket is full: 32 - 2, and each later one earns 0.5 of its 2.
  for (int i = 0; i < 21; ++i) CHECK(run() == 3);
  CHECK(r.counters().retries_denied == 0);
  CHECK(run() == 1);
  CHECK(r.counters().retries_denied == 1);
  CHECK(run() == 2);
}

TEST_CASE("an item can expire while it waits to run again") {
  rig r{{.max_batch_items = 2, .on_failure = repeating}};
  r.with_workers(1).admit(start, 0, {.timeout = 20ms});
  r.admit(start, 1);
  r.fail(start + 10ms, r.take(start));
  CHECK(r.core.next_deadline() == start + 20ms);
  CHECK(r.take(start + 20ms).numbers == range(1, 2));
  CHECK(r.left() == all(errc::expired, {0}));
}

TEST_CASE("a batch of which everything has expired does not run again, and its lane goes") {
  rig r{{.max_batch_items = 2, .on_failure = repeating}};
  r.with_workers(1).admit(start, range(0, 2), {.timeout = 20ms});
  r.fail(start + 10ms, r.take(start));
  CHECK_FALSE(r.next(start + 20ms));
  CHECK(r.left() == all(errc::expired, {0, 1}));
  CHECK(r.counters().lanes == 0);
  CHECK(of(close_reason::retry, r.counters().batches) == 0);
}

// -- batches that take too long -------------------------------------------------------------------

TEST_CASE("a batch past batch_timeout is given up, and its worker keeps its credit in use") {
  rig r{{.max_batch_items = 2, .batch_timeout = 50ms}};
  r.with_workers(1).admit(start, range(0, 4));
  auto b = r.take(start);
  CHECK(r.core.next_deadline() == start + 50ms);
  r.expire(start + 50ms - 1ns);
  CHECK(r.left().empty());
  CHECK_FALSE(r.core.take_given_up());
  r.expire(start + 50ms);
  CHECK(r.left() == all(errc::batch_timeout, {0, 1}));
  CHECK(r.core.take_given_up() == b.id);
  CHECK_FALSE(r.core.take_given_up());
  CHECK(r.core.workers().credit_in_use() == 1);
  CHECK_FALSE(r.next(start + 60ms));

  CHECK_FALSE(r.complete(start + 70ms, b)); // late: dropped and counted
  CHECK(r.left().empty());
  CHECK(r.take(start + 70ms).numbers == range(2, 4));
  auto values = r.counters();
  CHECK(values.late_answers == 1);
  CHECK(values.wasted_items == 2);
  CHECK(of(failure::batch_timeout, values.failures) == 1);
}

TEST_CASE("an idempotent batch past its timeout runs elsewhere while the first run goes on") {
  rig r{{.max_batch_items = 2, .batch_timeout = 50ms, .on_failure = repeating}};
  r.with_workers(2).admit(start, range(0, 2));
  auto slow = r.take(start);
  r.expire(start + 50ms);
  auto again = r.take(start + 50ms);
  CHECK(again.worker != slow.worker);
  CHECK(again.attempt == 2);
  CHECK(r.core.next_deadline() == start + 100ms);
  CHECK_FALSE(r.complete(start + 60ms, slow));
  CHECK(r.left().empty());
  CHECK(r.complete(start + 70ms, again));
  CHECK(r.left() == all(errc::none, {0, 1}));
}

TEST_CASE("a worker that dies with a batch that was given up costs nobody a second answer") {
  rig r{{.max_batch_items = 2, .batch_timeout = 50ms}};
  r.with_workers(1).admit(start, range(0, 2));
  auto b = r.take(start);
  r.expire(start + 50ms);
  r.core.clear_departures();
  r.down(start + 60ms, b.worker);
  CHECK(r.left().empty());
  CHECK(of(failure::worker_lost, r.counters().failures) == 0);
  CHECK(r.counters().lanes == 0);
}

TEST_CASE("a timed-out batch counts for max_lane_batches until its worker returns") {
  rig r{{.max_batch_items = 1, .batch_timeout = 50ms, .max_lane_batches = 1}};
  r.with_workers(2).admit(start, range(0, 2));
  auto b = r.take(start);
  r.expire(start + 50ms);
  CHECK_FALSE(r.next(start + 50ms));
  r.complete(start + 60ms, b);
  CHECK(r.next(start + 60ms));
}

// -- workers --------------------------------------------------------------------------------------

TEST_CASE("a lost worker's batches come back and the others go on") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}};
  r.core.worker_up(start, 1, 2);
  r.core.worker_up(start, 2, 1);
  r.admit(start, range(0, 6));
  departed expected;
  std::optional<dispatched> of_second;
  while (auto b = r.next(start)) {
    if (b->worker == 2)
      of_second = b;
    else
      for (auto n : b->numbers) expected.emplace_back(n, errc::worker_lost);
  }
  REQUIRE(of_second);
  r.down(start, 1);
  CHECK(r.left() == expected);
  CHECK(r.complete(start, *of_second));
  CHECK(r.left().size() == 2);
  r.down(start, 1);
  CHECK(r.left().empty());
}

TEST_CASE("workers are started once each, and a dead one again after a wait within its bounds") {
  rig r{{.workers = 2, .restart_delay = 100ms}};
  CHECK(r.core.next_start(start));
  auto id = r.core.next_start(start);
  REQUIRE(id);
  CHECK_FALSE(r.core.next_start(start));
  r.core.worker_up(start, *id, 1);
  r.down(start, *id);
  auto due = r.core.next_deadline();
  REQUIRE(due);
  CHECK(*due >= start + 50ms);
  CHECK(*due <= start + 100ms);
  CHECK_FALSE(r.core.next_start(*due - 1ns));
  CHECK(r.counters().restarts == 0);
  CHECK(r.core.next_start(*due) == id);
  CHECK(r.counters().restarts == 1);
}

TEST_CASE("a worker that dies again and again is waited for only while there is work") {
  rig r{{.restart_delay = 100ms, .max_outage = 1h}};
  r.start_workers(start);
  r.down(start, 0);
  auto now = *r.core.next_deadline();
  REQUIRE(r.core.next_start(now) == 0u);
  r.down(now, 0);
  CHECK_FALSE(r.core.next_deadline());
  r.admit(now, 0);
  auto due = r.core.next_deadline();
  REQUIRE(due);
  CHECK(r.core.next_start(*due) == 0u);
}

TEST_CASE("the counters tell what the workers do") {
  rig r{{.workers = 3, .breaker_failures = 0}};
  auto a = r.core.next_start(start);
  auto b = r.core.next_start(start);
  REQUIRE(r.core.next_start(start));
  r.core.worker_up(start, *a, 1);
  r.down(start, *b);
  auto workers = r.counters().workers;
  CHECK(of(worker_stage::serving, workers) == 1);
  CHECK(of(worker_stage::down, workers) == 1);
  CHECK(of(worker_stage::starting, workers) == 1);
}

TEST_CASE("a worker that fails breaker_failures batches in a row is put aside, not the last one") {
  rig r{{.max_batch_items = 1, .restart_delay = 100ms, .breaker_failures = 2}};
  r.with_workers(2).admit(start, range(0, 6));
  auto busy = r.take(start);
  r.fail(start, r.take(start));
  CHECK(of(worker_stage::aside, r.counters().workers) == 0);
  r.fail(start, r.take(start));
  CHECK(of(worker_stage::aside, r.counters().workers) == 1);
  CHECK_FALSE(r.next(start));
  for (int i = 0; i < 3; ++i, busy = r.take(start)) r.fail(start, busy);
  CHECK(of(worker_stage::aside, r.counters().workers) == 1);
}

TEST_CASE("a worker on probation gets a single batch") {
  rig r{{.max_batch_items = 1, .restart_delay = 100ms, .breaker_failures = 1}};
  r.with_workers(2, 3).admit(start, range(0, 1));
  auto b = r.take(start);
  r.fail(start, b);
  r.admit(start, range(0, 10));
  CHECK(r.take_all(start).size() == 3);
  auto due = r.core.next_deadline();
  REQUIRE(due);
  CHECK(*due >= start + 50ms);
  CHECK(*due <= start + 100ms);
  CHECK_FALSE(r.next(*due - 1ns));
  auto trial = r.take(*due);
  CHECK(trial.worker == b.worker);
  CHECK_FALSE(r.next(*due));
  CHECK(of(worker_stage::probation, r.counters().workers) == 1);
  r.complete(*due, trial);
  CHECK(r.take_all(*due).size() == 3);
}

TEST_CASE("news of workers that are not known changes nothing") {
  rig r{{.max_outage = 0ms}};
  r.down(start, 99);
  CHECK(r.refusal(start) == errc::none);
}

TEST_CASE("while no worker is up requests wait for max_outage and are then answered") {
  rig r{{.restart_delay = 10s, .max_outage = 1s}};
  CHECK(r.start_workers(start) == 1);
  r.admit(start, 0);
  r.down(start, 0);
  CHECK(r.core.next_deadline() == start + 1s);
  r.expire(start + 1s - 1ns);
  CHECK(r.left().empty());
  CHECK(r.refusal(start + 1s - 1ns) == errc::none);
  CHECK(r.refusal(start + 1s) == errc::no_workers);
  r.expire(start + 1s);
  CHECK(r.left() == all(errc::no_workers, {0, -1}));
  CHECK(r.core.is_idle());

  auto restart = r.core.next_deadline();
  REQUIRE(restart);
  CHECK(*restart >= start + 5s);
  CHECK(r.refusal(*restart) == errc::no_workers);
  auto id = r.core.next_start(*restart);
  REQUIRE(id);
  CHECK(r.core.refusal() == errc::none); // it starts: there is hope
  r.admit(*restart, 1);
  r.core.worker_up(*restart, *id, 1);
  CHECK(r.take(*restart + 2ms).numbers == range(1, 2));

  r.down(*restart + 1min, *id); // the next outage has its own time
  CHECK(r.refusal(*restart + 1min + 1s - 1ns) == errc::none);
  CHECK(r.refusal(*restart + 1min + 1s) == errc::no_workers);
}

TEST_CASE("an outage goes on while restarts fail") {
  rig r{{.restart_delay = 1s, .max_restart_delay = 1s, .max_outage = 3s}};
  CHECK(r.start_workers(start) == 1);
  r.admit(start, 0);
  r.down(start, 0);
  auto now = start;
  while (r.core.refusal() == errc::none) {
    auto next = r.core.next_deadline();
    REQUIRE(next);
    REQUIRE(*next > now);
    now = *next;
    static_cast<void>(r.core.next_start(now));
    r.down(now, 0);
    r.expire(now);
  }
  CHECK(now >= start + 3s);
  CHECK(now <= start + 4s);
  CHECK(r.left() == all(errc::no_workers, {0}));
}

TEST_CASE("what waits to run again is answered as well when the last worker is out") {
  rig r{{.max_batch_items = 2, .on_failure = repeating, .max_outage = 0ms}};
  CHECK(r.start_workers(start) == 1);
  r.admit(start, range(0, 2));
  r.take(start);
  r.down(start, 0);
  CHECK(r.core.queue_items() == 2);
  CHECK(r.core.next_deadline() == start);
  r.expire(start);
  CHECK(r.left() == all(errc::no_workers, {0, 1}));
}

TEST_CASE("who waits for credit is turned away when the last worker is out") {
  rig r{{.max_batch_items = 1,
         .max_queue_items = 1,
         .overload = overload::wait_for_credit,
         .credit_lease = 1h,
         .restart_delay = 10s,
         .max_outage = 1s}};
  r.start_workers(start);
  r.core.ask_credit(start, 1, 1);
  REQUIRE(r.core.next_grant(start));
  r.core.ask_credit(start, 2, 1);
  r.down(start, 0);
  CHECK_FALSE(r.core.next_grant(start + 1s - 1ns));
  CHECK(r.core.next_deadline() == start + 1s);
  auto none = r.core.next_grant(start + 1s);
  REQUIRE(none);
  CHECK(none->ticket == 2);
  CHECK(none->items == 0);
}

TEST_CASE("when dead workers are not replaced nobody waits for them") {
  rig r{{.restart_delay = 0ms, .max_outage = 1h}};
  CHECK(r.start_workers(start) == 1);
  r.admit(start, 0);
  r.down(start + 1ms, 0);
  CHECK(r.core.next_deadline() == start + 1ms);
  r.expire(start + 1ms);
  CHECK(r.left() == all(errc::no_workers, {0}));
  CHECK(r.refusal(start + 1ms) == errc::no_workers);
  CHECK_FALSE(r.core.next_start(start + 1h));
  r.core.worker_up(start + 2ms, 0, 1); // a late answer
  CHECK(r.core.refusal() == errc::no_workers);
}

// -- pause ----------------------------------------------------------------------------------------

TEST_CASE("a paused batcher dispatches nothing, but admits, expires and takes results") {
  rig r{{.max_batch_items = 1, .max_queue_items = 2}};
  r.with_workers(2).admit(start, 0);
  auto b = r.take(start);
  r.core.pause();
  CHECK(r.core.is_paused());
  r.admit(start, 1, {.timeout = 10ms});
  r.admit(start, 2);
  CHECK_FALSE(r.next(start));
  CHECK(r.core.next_deadline() == start + 10ms);
  CHECK(r.refusal(start) == errc::queue_full);
  CHECK(r.complete(start, b));
  r.expire(start + 10ms);
  CHECK(r.left() == departed{{0, errc::none}, {1, errc::expired}});
  CHECK_FALSE(r.core.next_deadline());
  r.core.resume();
  CHECK(r.take(start + 10ms).numbers == range(2, 3));
}

TEST_CASE("a drain ends a pause") {
  rig r{{}};
  r.with_workers(1).admit(start, 0);
  r.core.pause();
  r.core.drain(start, 1s);
  CHECK_FALSE(r.core.is_paused());
  CHECK(r.next(start));
}

// -- reconfiguration ------------------------------------------------------------------------------

TEST_CASE("what is queued stays beyond a new limit, and leaves within the new batches") {
  rig r{{.max_batch_items = 8, .max_delay = 1h, .max_queue_items = 8}};
  r.admit(start, range(0, 6));
  auto opts = r.core.opts();
  opts.max_batch_items = opts.max_queue_items = 4;
  r.core.reconfigure(start, opts);
  CHECK(r.refusal(start) == errc::queue_full);
  r.with_workers(1, 8);
  CHECK(r.take(start).numbers == range(0, 4));
  CHECK_FALSE(r.next(start));
  CHECK(r.refusal(start) == errc::none);
}

TEST_CASE("an item that costs more than a new limit leaves alone") {
  rig r{{.max_batch_items = 8, .max_batch_cost = 100, .max_delay = 1h}};
  r.admit(start, 0, {.cost = 80});
  r.admit(start, 1, {.cost = 3});
  auto opts = r.core.opts();
  opts.max_batch_cost = 10;
  r.core.reconfigure(start, opts);
  r.with_workers(2);
  CHECK(r.take(start).numbers == range(0, 1));
  CHECK_FALSE(r.next(start));
}

TEST_CASE("a new window counts for what is queued already") {
  rig r{{.max_delay = 1h}};
  r.with_workers(1).admit(start, 0);
  auto opts = r.core.opts();
  opts.max_delay = 10ms;
  r.core.reconfigure(start + 1ms, opts);
  CHECK(r.core.next_deadline() == start + 10ms);
  CHECK_FALSE(r.next(start + 10ms - 1ns));
  CHECK(r.next(start + 10ms));
}

TEST_CASE("new weights and a new head start count for what is queued already") {
  rig r{{.max_batch_items = 5, .max_delay = 1h, .priority_head_start = 1ms}};
  r.admit(start, range(0, 4), {.key = "t", .tenant = "a"});
  r.admit(start, range(10, 14), {.key = "t", .tenant = "b"});
  r.admit(start, 20, {.key = "p"});
  r.admit(start + 5ms, range(21, 25), {.key = "p", .priority = 1});
  auto opts = r.core.opts();
  opts.tenant_weights = {{"b", 4}};
  opts.priority_head_start = 10ms;
  r.core.reconfigure(start + 5ms, opts);
  r.with_workers(2);
  CHECK(r.take(start + 5ms).numbers == std::vector{0, 10, 11, 12, 13});
  CHECK(r.take(start + 5ms).numbers == std::vector{21, 22, 23, 24, 20});
}

TEST_CASE("new rules for workers count from now on") {
  rig r{{.max_batch_items = 1, .restart_delay = 100ms}};
  r.start_workers(start);
  auto opts = r.core.opts();
  opts.restart_delay = 0ms;
  r.core.reconfigure(start, opts);
  r.down(start, 0);
  CHECK(r.refusal(start) == errc::no_workers);
}

TEST_CASE("name and observer stay what they were") {
  auto seen = std::make_shared<recorder>();
  rig r{{.name = "old", .max_batch_items = 1, .observer = seen}};
  CHECK(seen->name == "old");
  r.core.reconfigure(start, {.name = "new", .max_batch_items = 1});
  CHECK(r.core.opts().name == "old");
  r.with_workers(1).admit(start, 0);
  r.complete(start, r.take(start));
  CHECK(seen->batches == 1);
}

TEST_CASE("workers grow and shrink, and the surplus ends with its last batch") {
  rig r{{.max_batch_items = 1, .workers = 1}};
  CHECK(r.start_workers(start) == 1);
  auto opts = r.core.opts();
  opts.workers = 3;
  r.core.reconfigure(start, opts);
  CHECK(r.start_workers(start) == 2);
  r.admit(start, range(0, 3));
  std::vector<dispatched> running{r.take(start), r.take(start), r.take(start)};
  opts.workers = 1;
  r.core.reconfigure(start, opts);
  CHECK_FALSE(r.core.take_retired());
  for (auto& b : running) CHECK(r.complete(start, b));
  std::vector<worker_id> retired;
  while (auto id = r.core.take_retired()) retired.push_back(*id);
  CHECK(retired.size() == 2);
  CHECK(r.core.workers().workers() == 1);
  for (auto id : retired) r.down(start, id);
  CHECK_FALSE(r.core.next_start(start + 1h));
  CHECK(r.refusal(start) == errc::none);
}

TEST_CASE("a worker that retires while it starts does not come up") {
  rig r{{.workers = 2}};
  auto first = r.core.next_start(start);
  auto second = r.core.next_start(start);
  REQUIRE(second);
  auto opts = r.core.opts();
  opts.workers = 1;
  r.core.reconfigure(start, opts);
  CHECK(r.core.take_retired() == second);
  r.core.worker_up(start, *second, 1);
  CHECK(r.core.workers().count(worker_stage::serving) == 0);
  r.core.worker_up(start, *first, 1);
  CHECK(r.core.workers().count(worker_stage::serving) == 1);
}

TEST_CASE("an outage begins when the only worker that is up retires") {
  bool is_busy = GENERATE(false, true);
  rig r{{.max_batch_items = 1, .workers = 2, .restart_delay = 1h, .max_restart_delay = 1h}};
  r.start_workers(start);
  r.down(start, 0);
  r.admit(start, 0);
  auto b = r.take(start);
  if (!is_busy) r.complete(start, b);
  auto opts = r.core.opts();
  opts.workers = 1;
  r.core.reconfigure(start, opts);
  if (is_busy) r.complete(start, b);
  CHECK(r.core.take_retired() == 1u);
  CHECK(r.refusal(start + 1s - 1ns) == errc::none);
  CHECK(r.refusal(start + 1s) == errc::no_workers);
}

TEST_CASE("once dead workers are replaced, those that were not before are as well") {
  rig r{{.workers = 2, .restart_delay = 0ms}};
  CHECK(r.start_workers(start) == 2);
  r.down(start, 0);
  r.down(start, 1);
  CHECK(r.start_workers(start) == 0);
  auto opts = r.core.opts();
  opts.restart_delay = 100ms;
  r.core.reconfigure(start, opts);
  CHECK(r.start_workers(start) == 2);
  CHECK(r.refusal(start) == errc::none);
}

TEST_CASE("a new credit counts for the workers that are up") {
  rig r{{.max_batch_items = 1}};
  r.start_workers(start);
  r.admit(start, range(0, 5));
  CHECK(r.take_all(start).size() == 1);
  auto opts = r.core.opts();
  opts.worker_credit = 3;
  r.core.reconfigure(start, opts);
  CHECK(r.take_all(start).size() == 2);
}

// -- drain ----------------------------------------------------------------------------------------

TEST_CASE("a drain refuses newcomers, waits for no window and answers the rest at its timeout") {
  rig r{{.max_batch_items = 2, .max_delay = 1s}};
  r.with_workers(1).admit(start, 0);
  CHECK_FALSE(r.next(start));
  r.core.drain(start, 100ms);
  CHECK(r.refusal(start) == errc::draining);
  r.take(start);
  CHECK(of(close_reason::drain, r.counters().batches) == 1);
  CHECK(r.core.next_deadline() == start + 100ms);
  r.expire(start + 100ms - 1ns);
  CHECK(r.left().empty());
  r.expire(start + 100ms);
  CHECK(r.left() == all(errc::shut_down, {0}));
  CHECK(r.core.is_closed());
  CHECK(r.refusal(start + 100ms) == errc::shut_down);
  CHECK_FALSE(r.core.next_deadline());
}

TEST_CASE("a drain is not over while a batch still runs") {
  rig r{{.max_batch_items = 10, .max_delay = 10ms}};
  r.with_workers(1).admit(start, range(0, 3));
  CHECK_FALSE(r.core.is_drained());
  r.core.drain(start, 1s);
  auto b = r.take(start);
  CHECK(r.core.queue_items() == 0);
  CHECK_FALSE(r.core.is_drained());
  CHECK(r.complete(start + 500ms, b));
  CHECK(r.left().size() == 3);
  CHECK(r.core.is_drained());
  CHECK_FALSE(r.core.next_deadline());
}

TEST_CASE("a drain lets failed batches run again") {
  rig r{{.max_batch_items = 2, .on_failure = repeating}};
  r.with_workers(1).admit(start, range(0, 2));
  r.core.drain(start, 1s);
  r.fail(start, r.take(start));
  CHECK_FALSE(r.core.is_drained());
  CHECK(r.complete(start, r.take(start)));
  CHECK(r.left() == all(errc::none, {0, 1}));
  CHECK(r.core.is_drained());
}

TEST_CASE("a second drain shortens the timeout and never lengthens it") {
  rig r{{.max_delay = 1s}};
  r.admit(start, 0);
  r.core.drain(start, 100ms);
  r.core.drain(start, 1h);
  CHECK(r.core.next_deadline() == start + 100ms);
  r.core.drain(start, 50ms);
  CHECK(r.core.next_deadline() == start + 50ms);
}

TEST_CASE("a drain without a limit never expires") {
  rig r{{}};
  r.admit(start, 0);
  r.core.drain(start, duration::max());
  CHECK_FALSE(r.core.next_deadline());
  r.expire(start + 100'000h);
  CHECK(r.left().empty());
}

// -- abandon --------------------------------------------------------------------------------------

TEST_CASE("a forced stop hands back every item, wherever it is, once") {
  rig r{{.max_batch_items = 10, .on_failure = repeating}, by_tens()};
  r.with_workers(2);
  std::vector<int> numbers;
  for (int i = 0; i < 25; ++i) numbers.push_back(i * 10);
  r.admit(start, numbers);
  auto running = r.take(start);
  r.fail(start, r.take(start));
  r.admit(start, {1, 101, 201}); // follow one in flight, one to run again and one queued
  CHECK(r.core.following_items() == 3);
  r.core.abandon(start, errc::shut_down);
  r.check_books();
  auto left = r.left();
  std::sort(left.begin(), left.end());
  numbers.insert(numbers.end(), {1, 101, 201});
  std::sort(numbers.begin(), numbers.end());
  CHECK(left == all(errc::shut_down, numbers));
  CHECK(r.core.is_idle());
  CHECK(r.core.is_drained());
  CHECK_FALSE(r.complete(start, running));
  r.core.abandon(start, errc::no_workers); // only the first counts
  CHECK(r.left().empty());
  CHECK(r.refusal(start) == errc::shut_down);
  CHECK_FALSE(r.next(start));
  CHECK_FALSE(r.core.next_start(start));
  auto values = r.counters();
  CHECK(values.late_answers == 0);
  CHECK(values.lanes == 0);
  CHECK(values.queue_cost == 0);
  CHECK(r.core.workers().credit_in_use() == 0);
}

TEST_CASE("after a stop a request is refused with its reason") {
  rig r{{}};
  r.core.abandon(start, errc::worker_lost);
  CHECK(r.left().empty());
  CHECK(r.refusal(start) == errc::worker_lost);
}

// -- identical items ------------------------------------------------------------------------------

TEST_CASE("identical items share one place and each gets its departure with the one result") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}, by_tens()};
  r.with_workers(1).admit(start, {10, 20});
  r.admit(start, {11, 12, 21});
  CHECK(r.core.queue_items() == 2);
  CHECK(r.core.following_items() == 3);
  auto b = r.take(start);
  CHECK(b.numbers == std::vector{10, 20});
  CHECK(r.complete(start, b, {1}));
  auto& out = r.core.departures();
  REQUIRE(out.size() == 5);
  std::array<std::uint32_t, 5> positions{0, 0, 0, 1, 1};
  std::array<bool, 5> shares{true, true, false, true, false};
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(out[i].outcome == errc::none);
    CHECK(out[i].position == positions[i]);
    CHECK(out[i].shares_result == shares[i]);
    CHECK(*out[i].item.number / 10 == static_cast<int>(positions[i]) + 1);
  }
  auto values = r.counters();
  CHECK(values.coalesced == 3);
  CHECK(of(outcome::ok, values.replies) == 3);
  CHECK(of(outcome::item_error, values.replies) == 2);
}

TEST_CASE("items of different keys, or that only hash the same, do not share a place") {
  auto same = by_tens();
  same.hash = [](const item&) { return std::size_t{0}; };
  rig r{{}, same};
  r.admit(start, 10, {.key = "a"});
  r.admit(start, 11, {.key = "b"});
  r.admit(start, 20, {.key = "a"});
  CHECK(r.core.following_items() == 0);
  r.admit(start, 21, {.key = "a"});
  CHECK(r.core.following_items() == 1);
}

TEST_CASE("an item can share the place of one in flight, but not of one that has left") {
  rig r{{.max_batch_items = 1}, by_tens()};
  r.with_workers(1).admit(start, 10);
  auto b = r.take(start);
  r.admit(start, 11);
  CHECK(r.core.following_items() == 1);
  CHECK(r.complete(start, b));
  CHECK(r.left() == all(errc::none, {10, 11}));
  r.admit(start, 12);
  CHECK(r.core.following_items() == 0);
  CHECK(r.take(start).numbers == std::vector{12});
}

TEST_CASE("when the one in front expires in the queue another takes its place in time") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms}, by_tens()};
  r.with_workers(1).admit(start, 10, {.timeout = 5ms});
  r.admit(start + 1ms, 11);
  r.admit(start + 2ms, 12);
  r.expire(start + 5ms);
  CHECK(r.left() == all(errc::expired, {10}));
  CHECK(r.core.queue_items() == 1);
  CHECK(r.core.following_items() == 1);
  CHECK(r.core.stats(start + 5ms).oldest_age == 5ms);
  r.admit(start + 6ms, 13); // finds the heir
  CHECK(r.core.following_items() == 2);
  CHECK(r.core.next_deadline() == start + 10ms);
  auto b = r.take(start + 10ms);
  REQUIRE(b.numbers.size() == 1);
  CHECK(b.numbers[0] != 10);
  CHECK(r.complete(start + 10ms, b));
  auto left = r.left();
  std::sort(left.begin(), left.end());
  CHECK(left == all(errc::none, {11, 12, 13}));
}

TEST_CASE("when the one in front expires in flight the others still get the result") {
  rig r{{.max_batch_items = 1}, by_tens()};
  r.with_workers(1).admit(start, 10, {.timeout = 5ms});
  auto b = r.take(start);
  r.admit(start, 11, {.timeout = 7ms});
  r.expire(start + 5ms);
  REQUIRE(r.core.departures().size() == 1);
  CHECK(r.core.departures()[0].batch == 0); // the worker must go on
  CHECK(r.left() == all(errc::expired, {10}));
  CHECK(r.core.in_flight_items() == 1);
  r.admit(start + 6ms, 12);
  r.expire(start + 7ms);
  CHECK(r.left() == all(errc::expired, {11}));
  CHECK(r.complete(start + 8ms, b));
  CHECK(r.left() == all(errc::none, {12}));
  CHECK(r.counters().wasted_items == 0);
}

TEST_CASE("the last of those that share a place in flight tells the batch") {
  rig r{{.max_batch_items = 2}, by_tens()};
  r.with_workers(1).admit(start, 0);
  auto first = r.admit(start, 10);
  auto second = r.admit(start, 11);
  auto b = r.take(start);
  r.cancel(start, first);
  r.cancel(start, second);
  REQUIRE(r.core.departures().size() == 2);
  CHECK(r.core.departures()[0].batch == 0);
  CHECK(r.core.departures()[1].batch == b.id);
  CHECK(r.core.departures()[1].position == 1);
  CHECK(r.core.in_flight_items() == 1);
}

TEST_CASE("one that follows can be cancelled, from any place behind the leader") {
  auto cancelled = GENERATE(1u, 2u, 3u);
  rig r{{.max_batch_items = 1}, by_tens()};
  std::vector<item_id> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(r.admit(start, 10 + i));
  CHECK(r.cancel(start, ids[cancelled]));
  CHECK(r.left() == all(errc::cancelled, {10 + static_cast<int>(cancelled)}));
  CHECK(r.core.following_items() == 2);
  CHECK(r.core.queue_items() == 1);
  CHECK(r.cancel(start, ids[0])); // the rest move up
  CHECK(r.core.following_items() == 1);
  for (auto id : ids) r.cancel(start, id);
  CHECK(r.left().size() == 3);
  CHECK(r.core.is_idle());
}

TEST_CASE("those that share a place run again with it, and one takes over there as well") {
  rig r{{.max_batch_items = 2, .on_failure = repeating}, by_tens()};
  auto leader = r.with_workers(1).admit(start, 10);
  r.admit(start, {11, 20});
  r.fail(start, r.take(start));
  r.cancel(start, leader);
  CHECK(r.left() == all(errc::cancelled, {10}));
  auto again = r.take(start);
  CHECK(again.numbers == std::vector{11, 20});
  CHECK(r.complete(start, again));
  CHECK(r.left() == all(errc::none, {11, 20}));
}

TEST_CASE("a failure is that of all who share the place") {
  rig r{{.max_batch_items = 1}, by_tens()};
  r.with_workers(1).admit(start, {10, 11});
  r.fail(start, r.take(start));
  CHECK(r.left() == all(errc::batch_failed, {10, 11}));
  CHECK(of(outcome::batch_failed, r.counters().replies) == 2);
}

TEST_CASE("at dispatch the place goes to one who still wants the result") {
  rig r{{.max_batch_items = 1}, by_tens()};
  r.admit(start, 10, {.timeout = 1ms});
  r.admit(start, 11);
  r.admit(start, 12, {.timeout = 1ms});
  r.with_workers(1);
  CHECK(r.take(start + 1ms).numbers == std::vector{11});
  CHECK(r.left() == all(errc::expired, {10, 12}));
  r.admit(start + 1ms, 13);
  CHECK(r.core.following_items() == 1);
}

TEST_CASE("no more may follow than may be queued, and a drop takes all who share the place") {
  rig r{{.max_batch_items = 1, .max_queue_items = 2, .overload = overload::drop_oldest}, by_tens()};
  r.admit(start, {10, 11, 12});
  CHECK(r.core.admit(start, item{13}).refused == errc::queue_full);
  r.check_books();
  r.admit(start, {20, 30});
  auto left = r.left();
  std::sort(left.begin(), left.end());
  CHECK(left == all(errc::dropped, {10, 11, 12}));
  CHECK(r.core.following_items() == 0);
  r.admit(start, 14); // nobody there to follow: it drops 20
  CHECK(r.left() == all(errc::dropped, {20}));
}

TEST_CASE("a request that follows gives back the room that was granted for it") {
  rig r{{.max_batch_items = 1, .max_queue_items = 2, .overload = overload::wait_for_credit},
        by_tens()};
  r.admit(start, 10);
  r.core.ask_credit(start, 1, 1);
  REQUIRE(r.core.next_grant(start));
  CHECK(r.core.admit(start, item{20}).refused == errc::queue_full);
  r.admit(start, 11, {.on_credit = true});
  CHECK(r.core.admit(start, item{20}).refused == errc::none);
}

// -- what the core tells of itself ----------------------------------------------------------------

TEST_CASE("the parts of a batch's latency are those of its record") {
  auto seen = std::make_shared<recorder>();
  rig r{{.max_batch_items = 4, .max_delay = 10ms, .observer = seen}};
  r.admit(start, 0);
  r.admit(start + 3ms, 1);
  r.with_workers(1);
  auto b = r.take(start + 12ms);
  CHECK(r.core.complete(start + 20ms, b.id, {.results = 2, .failed = {0}, .executed = 7ms}));
  CHECK(seen->batches == 1);
  CHECK(seen->last.reason == close_reason::deadline);
  CHECK(seen->last.outcome == errc::none);
  CHECK(seen->last.attempt == 1);
  CHECK(seen->last.items == 2);
  CHECK(seen->last.item_errors == 1);
  CHECK(seen->arrivals == std::vector<time_point>{start, start + 3ms});
  CHECK(seen->last.ready_at == start + 10ms);
  CHECK(seen->last.dispatched_at == start + 12ms);
  CHECK(seen->last.finished_at == start + 20ms);
  CHECK(seen->last.executed == 7ms);
  r.admit(start + 20ms, 2);
  r.complete(start + 31ms, r.take(start + 30ms));
  CHECK(seen->arrivals == std::vector<time_point>{start + 20ms});
}

TEST_CASE("each run of a batch has its record, with the arrivals of those that leave with it") {
  auto seen = std::make_shared<recorder>();
  rig r{{.max_batch_items = 2, .on_failure = repeating, .observer = seen}, by_tens()};
  auto early = r.with_workers(1).admit(start, 10);
  r.admit(start + 1ms, 20);
  auto b = r.take(start + 1ms);
  r.admit(start + 2ms, 21);
  r.cancel(start + 3ms, early);
  r.fail(start + 4ms, b);
  CHECK(seen->last.outcome == errc::batch_failed);
  CHECK(seen->last.items == 2);
  CHECK(seen->arrivals.empty());
  CHECK(r.complete(start + 6ms, r.take(start + 5ms)));
  CHECK(seen->batches == 2);
  CHECK(seen->last.reason == close_reason::retry);
  CHECK(seen->last.attempt == 2);
  CHECK(seen->last.ready_at == start + 4ms);
  CHECK(seen->arrivals == std::vector<time_point>{start + 1ms, start + 2ms});
}

TEST_CASE("a batch that is given up has one record, at its timeout") {
  auto seen = std::make_shared<recorder>();
  rig r{{.max_batch_items = 1, .batch_timeout = 50ms, .observer = seen}};
  r.with_workers(1).admit(start, 0);
  auto b = r.take(start);
  r.expire(start + 50ms);
  CHECK(seen->last.outcome == errc::batch_timeout);
  CHECK(seen->last.finished_at == start + 50ms);
  CHECK(seen->arrivals == std::vector<time_point>{start});
  r.complete(start + 60ms, b);
  CHECK(seen->batches == 1);
}

TEST_CASE("the counters tell where every request is") {
  rig r{{.max_batch_items = 2, .max_delay = 10ms, .max_queue_items = 3}};
  r.with_workers(1).admit(start, range(0, 2));
  auto b = r.take(start);
  r.admit(start, range(2, 5));
  CHECK(r.refusal(start) == errc::queue_full);
  auto values = r.counters();
  CHECK(values.requests == 6);
  CHECK(values.queue_items == 3);
  CHECK(values.queue_cost == 3);
  CHECK(values.in_flight_items == 2);
  CHECK(values.replied() == 1);
  CHECK(of(close_reason::size, values.batches) == 1);
  r.complete(start, b, {1});
  r.core.abandon(start, errc::no_workers);
  values = r.counters();
  CHECK(values.queue_items == 0);
  CHECK(values.in_flight_items == 0);
  CHECK(of(outcome::ok, values.replies) == 1);
  CHECK(of(outcome::item_error, values.replies) == 1);
  CHECK(of(outcome::no_workers, values.replies) == 3);
  CHECK(values.replied() == values.requests);
}

TEST_CASE("stats are a picture of the moment") {
  rig r{{.max_batch_items = 2, .max_delay = 1h, .on_failure = repeating}, by_tens()};
  auto calm = r.core.stats(start);
  CHECK(calm.oldest_age == 0ns);
  CHECK_FALSE(calm.is_paused);
  CHECK_FALSE(calm.is_draining);
  r.with_workers(2).admit(start, {10, 20});
  r.admit(start + 1ms, {30, 31});
  auto b = r.take(start + 1ms);
  r.core.pause();
  auto busy = r.core.stats(start + 5ms);
  CHECK(busy.oldest_age == 4ms);
  CHECK(busy.following_items == 1);
  CHECK(busy.in_flight_batches == 1);
  CHECK(busy.is_paused);
  CHECK(busy.counters.queue_items == 1);
  r.fail(start + 6ms, b);
  CHECK(r.core.stats(start + 7ms).oldest_age == 7ms);
  r.core.drain(start + 7ms, 1s);
  CHECK(r.core.stats(start + 7ms).is_draining);
  CHECK_FALSE(r.core.stats(start + 7ms).is_closed);
  r.core.abandon(start + 7ms, errc::shut_down);
  CHECK(r.core.stats(start + 7ms).is_closed);
}

TEST_CASE("retry_after follows the pace of dispatch and what is queued") {
  rig r{{.max_batch_items = 10, .max_delay = 1h}};
  CHECK(r.core.retry_after(start) == 1s);
  r.with_workers(1);
  auto now = start;
  for (; now < start + 5s; now += 100ms) { // 100 items a second
    r.admit(now, range(0, 10));
    r.complete(now, r.take(now));
    r.core.clear_departures();
  }
  r.core.pause();
  r.admit(now, range(0, 50));
  auto hint = r.core.retry_after(now);
  CHECK(hint > 400ms);
  CHECK(hint < 600ms);
  CHECK(r.core.stats(now).retry_after == hint);
}

// -- what cannot be answered in time --------------------------------------------------------------

namespace {

// A batcher that has learned that its batches take 10 ms.
struct experienced_rig : rig {
  experienced_rig() : rig{{.max_batch_items = 2, .max_delay = 1h}} {
    with_workers(1);
    for (int i = 0; i < 200; i += 2) {
      auto now = start + i * 10ms;
      admit(now, range(i, i + 2));
      complete(now + 10ms, take(now));
    }
    left();
  }
};

const auto later = start + 1h;

} // namespace

TEST_CASE("an item that cannot be answered in time takes nobody's place") {
  experienced_rig r;
  r.admit(later, 1'000, {.timeout = 9ms});
  r.admit(later, range(1'001, 1'003), {.timeout = 20ms});
  CHECK(r.take(later).numbers == range(1'001, 1'003));
  CHECK(r.left() == all(errc::expired, {1'000}));
}

TEST_CASE("an item that cannot be answered in time is tried where there is room") {
  experienced_rig r;
  r.admit(later, 1'000, {.timeout = 9ms});
  r.admit(later, 1'001, {.timeout = 20ms});
  CHECK(r.take(later).numbers == range(1'000, 1'002));
}
