// SPDX-License-Identifier: BSD-3-Clause
//
// Random schedules of the core against a naive model of what it promises. After every step the core
// and the model agree on each item's place, and the invariants of batcher_core.hpp hold. RapidCheck
// prints the seed and the number of schedules.

#include "batcher/batcher_core.hpp"

#include <catch2/catch.hpp>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <set>
#include <string>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

struct item {
  explicit item(std::uint32_t value) : number{std::make_unique<std::uint32_t>(value)} {}
  std::unique_ptr<std::uint32_t> number;
};

using core_type = batcher_core<item>;

// One step of a schedule: what to do, and two numbers to do it with.
struct step {
  std::uint32_t bits = 0;
  std::uint32_t what() const { return bits & 0xff; }
  std::uint32_t first() const { return (bits >> 8) & 0xff; }
  std::uint32_t second() const { return (bits >> 16) & 0xff; }
};

// The same promises as the core's, kept in the plainest way.
struct model {
  struct entry {
    std::uint32_t number;
    time_point arrival;
  };
  struct flight {
    worker_id worker;
    std::vector<std::uint32_t> numbers;
  };
  struct worker {
    std::size_t credit;
    std::size_t held;
  };

  explicit model(options o) : opts{std::move(o)} {}

  bool has_credit() const {
    return std::any_of(workers.begin(), workers.end(),
                       [](auto& w) { return w.second.held < w.second.credit; });
  }

  bool is_due() const {
    if (queue.empty() || !has_credit() || closed != errc::none) return false;
    return queue.size() >= opts.max_batch_items || opts.when_idle == when_idle::immediate
           || draining || queue.front().arrival + opts.max_delay <= now;
  }

  std::optional<time_point> deadline() const {
    std::optional<time_point> next;
    if (closed != errc::none) return next;
    if (!queue.empty() && has_credit() && !is_due()) next = queue.front().arrival + opts.max_delay;
    if (draining && !(queue.empty() && flights.empty()))
      next = next ? std::min(*next, drain_limit) : drain_limit;
    return next;
  }

  options opts;
  time_point now;
  std::deque<entry> queue;
  std::map<batch_id, flight> flights;
  std::map<worker_id, worker> workers;
  bool draining = false;
  time_point drain_limit;
  errc closed = errc::none;
  std::uint64_t requests = 0;
  std::map<outcome, std::uint64_t> replies;
  std::map<std::uint32_t, int> handed_back; // item -> how often
};

class run {
public:
  explicit run(const options& opts) : core_{opts}, model_{opts} {
    model_.now = time_point{1h};
    RC_ASSERT(core_.expire(model_.now).empty()); // so that the core has seen the time, too
  }

  void take(const step& s) {
    auto what = s.what() % 64;
    if (what < 28)
      admit(s);
    else if (what < 40)
      advance(s);
    else if (what < 53)
      finish(s);
    else if (what < 56)
      fail(s);
    else if (what < 59)
      worker_up(s);
    else if (what < 61)
      worker_down(s);
    else if (what < 62)
      late(s);
    else if (what < 63 && s.first() < 128)
      drain(s);
    else if (what < 64 && s.first() < 24)
      abandon();
    dispatch_all();
    check();
  }

  // Adds what this schedule has reached to the counts of all schedules.
  void add_to(std::map<std::string, int>& reached) const {
    auto values = core_.counters()->read();
    for (auto how : all_outcomes)
      reached[std::string{to_string(how)}] += values.replies[static_cast<std::size_t>(how)] > 0;
    for (auto why : all_close_reasons)
      reached[std::string{to_string(why)}] += values.batches[static_cast<std::size_t>(why)] > 0;
  }

private:
  void admit(const step& s) {
    for (std::uint32_t i = 0; i <= s.first() % 4; ++i) {
      item x{next_number_};
      // Now and then the clock runs backwards; the core must hold it.
      auto skew = s.second() < 16 ? duration{s.second() * 1us} : duration::zero();
      auto refused = core_.admit(model_.now - skew, std::move(x));
      ++model_.requests;
      auto expected = model_.closed != errc::none                          ? model_.closed
                      : model_.draining                                    ? errc::draining
                      : model_.queue.size() >= model_.opts.max_queue_items ? errc::queue_full
                                                                           : errc::none;
      RC_ASSERT(refused == expected);
      RC_ASSERT((x.number != nullptr) == (refused != errc::none));
      if (refused == errc::none)
        model_.queue.push_back({next_number_, model_.now});
      else
        ++model_.replies[outcome_of(refused)];
      ++next_number_;
    }
  }

  void advance(const step& s) {
    model_.now += s.first() < 200 ? s.first() * 50us : s.first() * 1ms;
    auto left = core_.expire(model_.now);
    if (model_.draining && model_.closed == errc::none && model_.now >= model_.drain_limit)
      expect_everything(left, errc::shut_down);
    else
      RC_ASSERT(left.empty());
  }

  std::optional<batch_id> pick(const step& s) {
    if (model_.flights.empty()) return std::nullopt;
    return std::next(model_.flights.begin(),
                     static_cast<std::ptrdiff_t>(s.first() % model_.flights.size()))
      ->first;
  }

  void finish(const step& s) {
    auto id = pick(s);
    if (!id) return;
    auto n = model_.flights.at(*id).numbers.size();
    auto wrong = s.second() % 8 == 0;
    batch_report report{.results = wrong ? n + 1 - 2 * (s.second() % 2) : n,
                        .item_errors = s.second() % (n + 1),
                        .executed = 1ms};
    auto back = core_.complete(model_.now, *id, report);
    RC_ASSERT(back.outcome == (wrong ? errc::result_count_mismatch : errc::none));
    if (!wrong) {
      model_.replies[outcome::ok] += n - report.item_errors;
      model_.replies[outcome::item_error] += report.item_errors;
    }
    expect_flight(*id, back);
  }

  void fail(const step& s) {
    auto id = pick(s);
    if (!id) return;
    auto back = core_.fail(model_.now, *id, errc::batch_failed);
    RC_ASSERT(back.outcome == errc::batch_failed);
    expect_flight(*id, back);
  }

  void late(const step& s) {
    batch_id never_or_no_more = s.first() % 2 ? 1'000'000 : last_settled_;
    RC_ASSERT(core_.complete(model_.now, never_or_no_more, {.results = 1}).items.empty());
    RC_ASSERT(core_.fail(model_.now, never_or_no_more, errc::batch_failed).items.empty());
  }

  void worker_up(const step& s) {
    auto credit = std::size_t{1} + s.first() % 3;
    core_.worker_up(next_worker_, credit);
    model_.workers[next_worker_++] = {credit, 0};
  }

  void worker_down(const step& s) {
    worker_id id = s.first() % (next_worker_ + 1);
    auto lost = core_.worker_down(model_.now, id);
    model_.workers.erase(id);
    std::vector<batch_id> held;
    for (auto& [batch, f] : model_.flights)
      if (f.worker == id) held.push_back(batch);
    RC_ASSERT(lost.size() == held.size());
    for (std::size_t i = 0; i < held.size(); ++i) {
      RC_ASSERT(lost[i].outcome == errc::worker_lost);
      expect_flight(held[i], lost[i]);
    }
  }

  void drain(const step& s) {
    auto timeout = s.second() * 200us;
    core_.drain(model_.now, timeout);
    if (model_.closed != errc::none) return;
    auto limit = model_.now + timeout;
    model_.drain_limit = model_.draining ? std::min(model_.drain_limit, limit) : limit;
    model_.draining = true;
  }

  void abandon() {
    auto left = core_.abandon(model_.now, errc::no_workers);
    if (model_.closed == errc::none)
      expect_everything(left, errc::no_workers);
    else
      RC_ASSERT(left.empty());
  }

  void dispatch_all() {
    for (;;) {
      auto due = model_.is_due();
      auto b = core_.next_batch(model_.now);
      RC_ASSERT(b.has_value() == due);
      if (!b) break;
      auto n = std::min(model_.queue.size(), model_.opts.max_batch_items);
      RC_ASSERT(b->items.size() == n); // invariant 2: n is at most max_batch_items
      auto& w = model_.workers.at(b->worker);
      ++w.held;
      RC_ASSERT(w.held <= w.credit); // invariant 5
      auto& f = model_.flights[b->id];
      RC_ASSERT(f.numbers.empty());
      f.worker = b->worker;
      for (auto& x : b->items) { // invariant 4: exactly the oldest, in order
        RC_ASSERT(*x.number == model_.queue.front().number);
        f.numbers.push_back(*x.number);
        model_.queue.pop_front();
      }
    }
  }

  void check() {
    auto in_flight = std::size_t{0};
    for (auto& [id, f] : model_.flights) in_flight += f.numbers.size();
    // Invariant 1: every item is in one place, and each that left did so once.
    RC_ASSERT(core_.queue_items() == model_.queue.size());
    RC_ASSERT(core_.in_flight_items() == in_flight);
    for (auto& [number, times] : model_.handed_back) RC_ASSERT(times == 1);
    auto values = core_.counters()->read();
    RC_ASSERT(values.requests == model_.requests);
    RC_ASSERT(values.queue_items == model_.queue.size());
    RC_ASSERT(values.in_flight_items == in_flight);
    RC_ASSERT(values.replied() + model_.queue.size() + in_flight == values.requests);
    for (auto how : all_outcomes)
      RC_ASSERT(values.replies[static_cast<std::size_t>(how)] == model_.replies[how]);
    // Invariant 3: with credit free nothing is overdue, and the core asks to be called in time.
    if (model_.has_credit() && !model_.queue.empty())
      RC_ASSERT(model_.now < model_.queue.front().arrival + model_.opts.max_delay);
    RC_ASSERT(core_.next_deadline() == model_.deadline());
    RC_ASSERT(core_.is_idle() == (model_.queue.empty() && model_.flights.empty()));
  }

  void expect_flight(batch_id id, const settled<item>& back) {
    auto& f = model_.flights.at(id);
    expect_items(back, f.numbers);
    if (auto w = model_.workers.find(f.worker); w != model_.workers.end()) --w->second.held;
    model_.flights.erase(id);
    last_settled_ = id;
  }

  void expect_items(const settled<item>& back, const std::vector<std::uint32_t>& numbers) {
    RC_ASSERT(back.items.size() == numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      RC_ASSERT(*back.items[i].number == numbers[i]);
      ++model_.handed_back[numbers[i]];
    }
    if (back.outcome != errc::none) model_.replies[outcome_of(back.outcome)] += numbers.size();
  }

  void expect_everything(const std::vector<settled<item>>& left, errc why) {
    RC_ASSERT(left.size() == model_.flights.size() + (model_.queue.empty() ? 0 : 1));
    auto group = left.begin();
    while (!model_.flights.empty()) {
      RC_ASSERT(group->outcome == why);
      expect_flight(model_.flights.begin()->first, *group++);
    }
    std::vector<std::uint32_t> queued;
    for (auto& e : model_.queue) queued.push_back(e.number);
    if (!queued.empty()) {
      RC_ASSERT(group->outcome == why);
      expect_items(*group, queued);
    }
    model_.queue.clear();
    model_.closed = why;
  }

  core_type core_;
  model model_;
  std::uint32_t next_number_ = 0;
  worker_id next_worker_ = 0;
  batch_id last_settled_ = 0;
};

options options_from(std::uint32_t bits) {
  auto n = std::size_t{1} + bits % 8;
  return {.max_batch_items = n,
          .max_delay = (bits >> 3) % 5 * 2ms,
          .when_idle = (bits >> 6) % 4 == 0 ? when_idle::immediate : when_idle::fill,
          .max_queue_items = n + (bits >> 8) % 24};
}

} // namespace

TEST_CASE("in every random schedule the core agrees with the naive model") {
  // RapidCheck's own variable wins: RC_PARAMS="seed=... max_success=..." repeats or lengthens a
  // run.
  bool usual = std::getenv("RC_PARAMS") == nullptr;
  if (usual) ::setenv("RC_PARAMS", "max_success=10000", 0);
  auto bits = rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint32_t>());
  std::map<std::string, int> reached;
  CHECK(rc::check("random schedules of the core", [&] {
    auto opts = options_from(*bits);
    auto steps = *rc::gen::container<std::vector<std::uint32_t>>(bits);
    run schedule{opts};
    for (auto s : steps) schedule.take({s});
    schedule.add_to(reached);
  }));
  for (auto& [what, schedules] : reached) {
    CAPTURE(what);
    if (usual) CHECK(schedules >= 50); // else the schedules no longer test it
  }
}
