// SPDX-License-Identifier: BSD-3-Clause
//
// Random schedules: what a driver does after every call, and what is compared.

#include "schedule.hpp"

namespace batcher::test {

namespace {

std::size_t key_number(std::string_view key) {
  auto it = std::find(key_names.begin(), key_names.end(), key);
  expect(it != key_names.end());
  return static_cast<std::size_t>(it - key_names.begin());
}

} // namespace

// -- driving --------------------------------------------------------------------------------------

void schedule::drive() {
  drive_once();
  if (auto at = core_->next_deadline(); at && *at <= model_.now) {
    expire();
    drive_once();
  }
  check();
}

// Returns how much there was to do.
std::size_t schedule::drive_once() {
  // In this order: a worker may be needed for a batch, and a batch makes room for a grant.
  auto done = take_starts();
  done += take_batches();
  done += take_grants();
  while (auto id = core_->take_retired()) {
    expect(model_.workers.retired.erase(*id) == 1);
    note("retired");
    ++done;
  }
  expect(model_.workers.retired.empty());
  return done;
}

// Returns how much was over.
std::size_t schedule::expire() {
  core_->expire(clock());
  model_.expire();
  auto done = settle();
  while (auto id = core_->take_given_up()) {
    expect(std::erase(model_.given_up, *id) == 1);
    note("given up");
    ++done;
  }
  expect(model_.given_up.empty());
  return done;
}

std::size_t schedule::take_starts() {
  std::size_t done = 0;
  bool is_open = model_.closed == errc::none;
  if (is_open) model_.workers.add_own(model_.opts);
  for (; auto id = core_->next_start(clock()); ++done) {
    expect(is_open);
    model_.workers.start(model_.now, *id);
  }
  if (is_open) model_.workers.expect_started(model_.now);
  return done;
}

std::size_t schedule::take_grants() {
  std::size_t done = 0;
  for (;; ++done) {
    auto expected = model_.next_grant();
    auto grant = core_->next_grant(clock());
    expect(grant.has_value() == expected.has_value());
    if (!grant) return done;
    expect(grant->ticket == expected->ticket && grant->items == expected->items);
    note(grant->items > 0 ? "granted" : "turned away");
  }
}

std::size_t schedule::take_batches() {
  std::size_t done = 0;
  for (;; ++done) {
    auto before = model_.lanes_before();
    for (std::size_t key = 0; key < key_names.size(); ++key)
      model_.lanes[key].turnaround = core_->turnaround(key_names[key]); // tested by itself
    auto b = core_->next_batch(clock());
    for (auto& gone : core_->departures()) model_.leave_unwanted(*gone.item.who, gone.outcome);
    done += settle();
    if (!b) break;
    seen_batch seen{b->id, b->worker, b->attempt, b->padding_items, key_number(b->key), {}};
    for (auto* x : b->items) seen.numbers.push_back(*x->who);
    model_.dispatch(seen, before);
  }
  if (model_.opts.workers == 0) model_.note_outage();
  model_.expect_dry();
  if (model_.waits_by_choice()) note("adaptive wait");
  return done;
}

// -- comparison -----------------------------------------------------------------------------------

// What has departed from the core is what has left the model. Returns how many that were.
std::size_t schedule::settle() {
  auto& gone = core_->departures();
  auto& leaving = model_.leaving;
  expect(gone.size() == leaving.size());
  std::vector<left> seen;
  for (auto& d : gone) seen.push_back({*d.item.who, d.outcome, d.batch, d.position});
  std::sort(seen.begin(), seen.end());
  std::sort(leaving.begin(), leaving.end());
  expect(seen == leaving);
  leaving.clear();
  core_->clear_departures();
  return seen.size();
}

// Those that get the same result stand together, and all but the last of them say so.
void schedule::check_sharing() const {
  auto& gone = core_->departures();
  for (std::size_t i = 0; i < gone.size(); ++i) {
    bool is_shared = i + 1 < gone.size() && gone[i].outcome == errc::none
                     && gone[i + 1].position == gone[i].position;
    expect(gone[i].shares_result == is_shared);
  }
}

void schedule::check() {
  auto stats = core_->stats(clock());
  check_counters(stats.counters);
  expect(stats.following_items == model_.following_items());
  expect(stats.in_flight_batches == model_.flights.size());
  expect(stats.oldest_age == model_.oldest_age());
  expect(stats.is_paused == model_.is_paused && stats.is_draining == model_.draining);
  expect(stats.is_closed == (model_.closed != errc::none));
  expect(core_->is_idle() == model_.is_idle() && core_->refusal() == model_.refusal());
  expect(core_->is_drained() == (stats.is_closed || (model_.draining && model_.is_idle())));
  expect(core_->queue_items() == model_.queue_items());
  expect(core_->in_flight_items() == model_.in_flight_items());
  expect(core_->following_items() == model_.following_items());
  model_.workers.expect_equal(core_->workers(), stats.is_closed);
  expect(observer_->batches == model_.ended && observer_->arrivals == model_.ended_arrivals);
  expect(observer_->is_in_order);
  expect(4 * model_.retry_calls <= 4 * 32 + model_.earned);
  check_wakeup();
}

void schedule::check_counters(const counter_values& values) {
  expect(values.requests == model_.requests && values.replies == model_.replies);
  expect(values.queue_items == model_.queue_items());
  expect(values.in_flight_items == model_.in_flight_items());
  expect(values.requests // invariant 1
         == values.replied() + values.queue_items + values.in_flight_items
              + model_.following_items());
  expect(values.queue_cost == model_.queue_cost());
  expect(values.lanes == model_.lanes_in_use());
  expect(values.batches == model_.batches && values.failures == model_.failures);
  expect(values.bisections == model_.bisections);
  expect(values.retries_denied == model_.retries_denied);
  expect(values.wasted_items == model_.wasted && values.padding_items == model_.padding);
  expect(values.late_answers == model_.late && values.coalesced == model_.coalesced);
  expect(values.restarts == model_.workers.restarts);
  for (auto stage : all_worker_stages) {
    auto workers = values.workers[static_cast<std::size_t>(stage)];
    expect(workers == core_->workers().count(stage));
    if (workers > 0) note(to_string(stage));
  }
}

// Everything was done that can be done now, so the core wants to be called later, and in time.
void schedule::check_wakeup() {
  auto at = core_->next_deadline();
  auto latest = model_.latest_wakeup();
  expect(!at || *at > model_.now);
  expect(!latest || (at && *at <= *latest));
}

void schedule::finish() {
  core_->resume();
  model_.is_paused = false;
  drive();
  for (int rounds = 0; !core_->is_idle() || !model_.flights.empty() || !model_.asked.empty();
       ++rounds) {
    expect(rounds < 2'000);
    auto& all = model_.workers.all;
    auto starting = std::find_if(all.begin(), all.end(),
                                 [](auto& w) { return w.second.stage == worker_stage::starting; });
    if (!model_.flights.empty()) {
      auto& [id, f] = *model_.flights.begin();
      complete(id, {.results = f.seats.size(), .failed = {}});
    } else if (starting != all.end()) {
      worker_up(starting->first, 1);
    } else {
      auto at = core_->next_deadline();
      expect(at.has_value()); // or it is stuck
      model_.now = std::max(model_.now, *at);
      expire();
    }
    drive();
  }
  for (auto& e : model_.items) expect(!e.is_inside);
}

void schedule::add_to(reached& all) const {
  auto count = [&](std::string_view kind, auto& names, auto& values) {
    for (std::size_t i = 0; i < names.size(); ++i)
      all[{kind, to_string(names[i])}] += values[i] > 0;
  };
  auto& m = model_;
  count("outcome", all_outcomes, m.replies);
  count("close_reason", all_close_reasons, m.batches);
  count("failure", all_failures, m.failures);
  auto also = [&](std::string_view what, std::uint64_t n) { all[{"also", what}] += n > 0; };
  also("bisections", m.bisections);
  also("retries denied", m.retries_denied);
  also("wasted items", m.wasted);
  also("padding", m.padding);
  also("late answers", m.late);
  also("coalesced", m.coalesced);
  also("heirs", m.heirs);
  also("restarts", m.workers.restarts);
  also("put aside", m.workers.put_aside);
  also("draining", m.draining);
  for (auto what :
       {"abandoned", "adaptive wait", "clock backwards", "given up", "granted", "reconfigured",
        "retired", "stale cancel", "start failed", "turned away", "waited for a deadline"})
    also(what, notes_.contains(what));
  for (auto stage : all_worker_stages) also(to_string(stage), notes_.contains(to_string(stage)));
}

} // namespace batcher::test
