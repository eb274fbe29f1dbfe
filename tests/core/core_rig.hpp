// SPDX-License-Identifier: BSD-3-Clause
//
// What the examples of the core share: a core with movable items and workers that come by
// themselves, commands that check the books after every call (requests = replied + queued + in
// flight + following), and short words for what is expected.

#pragma once

#include "batcher/batcher_core.hpp"
#include "batcher/observer.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batcher::test {

using namespace std::chrono_literals;

inline const time_point start{1h};

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

inline std::vector<int> range(int from, int to) {
  std::vector<int> out(static_cast<std::size_t>(to - from));
  std::iota(out.begin(), out.end(), from);
  return out;
}

// Who departed, and how.
using departed = std::vector<std::pair<int, errc>>;

inline departed all(errc outcome, const std::vector<int>& numbers) {
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
inline coalescing<item> by_tens() {
  return {[](const item& x) { return static_cast<std::size_t>(*x.number / 10); },
          [](const item& a, const item& b) { return *a.number / 10 == *b.number / 10; }};
}

inline const retry_policy halving = retry::idempotent{};
inline const retry_policy repeating = retry::idempotent{.bisect = false};

} // namespace batcher::test
