// SPDX-License-Identifier: BSD-3-Clause
//
// Names of the counted things, the order in which counters are read, and sums of readings.

#include "batcher/live_counters.hpp"

#include <cassert>
#include <numeric>

namespace batcher {

namespace {

template <class Numbers>
void add_each(Numbers& to, const Numbers& from) noexcept {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

} // namespace

std::string_view to_string(outcome x) noexcept {
  switch (x) {
    case outcome::ok: return "ok";
    case outcome::item_error: return "item_error";
    case outcome::queue_full: return "queue_full";
    case outcome::draining: return "draining";
    case outcome::shut_down: return "shut_down";
    case outcome::no_workers: return "no_workers";
    case outcome::worker_lost: return "worker_lost";
    case outcome::batch_failed: return "batch_failed";
    case outcome::result_count_mismatch: return "result_count_mismatch";
    case outcome::expired: return "expired";
    case outcome::cancelled: return "cancelled";
    case outcome::dropped: return "dropped";
    case outcome::too_costly: return "too_costly";
    case outcome::too_many_lanes: return "too_many_lanes";
    case outcome::batch_timeout: return "batch_timeout";
    case outcome::invalid_request: return "invalid_request";
  }
  return "unknown";
}

std::string_view to_string(close_reason x) noexcept {
  switch (x) {
    case close_reason::size: return "size";
    case close_reason::cost: return "cost";
    case close_reason::deadline: return "deadline";
    case close_reason::idle: return "idle";
    case close_reason::drain: return "drain";
    case close_reason::retry: return "retry";
  }
  return "unknown";
}

std::string_view to_string(failure x) noexcept {
  switch (x) {
    case failure::worker_lost: return "worker_lost";
    case failure::batch_failed: return "batch_failed";
    case failure::result_count_mismatch: return "result_count_mismatch";
    case failure::batch_timeout: return "batch_timeout";
  }
  return "unknown";
}

std::string_view to_string(worker_stage x) noexcept {
  switch (x) {
    case worker_stage::down: return "down";
    case worker_stage::starting: return "starting";
    case worker_stage::serving: return "serving";
    case worker_stage::aside: return "aside";
    case worker_stage::probation: return "probation";
    case worker_stage::retiring: return "retiring";
  }
  return "unknown";
}

outcome outcome_of(errc code) noexcept {
  switch (code) {
    case errc::queue_full: return outcome::queue_full;
    case errc::draining: return outcome::draining;
    case errc::shut_down: return outcome::shut_down;
    case errc::no_workers: return outcome::no_workers;
    case errc::worker_lost: return outcome::worker_lost;
    case errc::batch_failed: return outcome::batch_failed;
    case errc::result_count_mismatch: return outcome::result_count_mismatch;
    case errc::expired: return outcome::expired;
    case errc::cancelled: return outcome::cancelled;
    case errc::dropped: return outcome::dropped;
    case errc::too_costly: return outcome::too_costly;
    case errc::too_many_lanes: return outcome::too_many_lanes;
    case errc::batch_timeout: return outcome::batch_timeout;
    case errc::invalid_request: return outcome::invalid_request;
    case errc::none:
    case errc::invalid_options:
    case errc::batcher_lost:
    case errc::incompatible: break;
  }
  assert(false && "no answer to a request");
  return outcome::shut_down;
}

std::optional<failure> failure_of(errc code) noexcept {
  switch (code) {
    case errc::worker_lost: return failure::worker_lost;
    case errc::batch_failed: return failure::batch_failed;
    case errc::result_count_mismatch: return failure::result_count_mismatch;
    case errc::batch_timeout: return failure::batch_timeout;
    default: return std::nullopt;
  }
}

std::uint64_t counter_values::replied() const noexcept {
  return std::accumulate(replies.begin(), replies.end(), std::uint64_t{0});
}

void live_counters::on_dispatched(close_reason reason, std::size_t items,
                                  std::size_t padding) noexcept {
  add(dispatched_, items);
  add(dequeued_, items);
  add(batches_[static_cast<std::size_t>(reason)], 1);
  if (padding > 0) add(padding_, padding);
}

void live_counters::on_replied(outcome how, std::size_t items) noexcept {
  add(replies_[static_cast<std::size_t>(how)], items);
}

// Each number of a reading, one or an array, is in one of these two lists.

void counter_values::add_totals(const counter_values& other) noexcept {
  for (auto total :
       {&counter_values::requests, &counter_values::bisections, &counter_values::retries_denied,
        &counter_values::wasted_items, &counter_values::padding_items,
        &counter_values::late_answers, &counter_values::coalesced, &counter_values::restarts})
    this->*total += other.*total;
  add_each(replies, other.replies);
  add_each(batches, other.batches);
  add_each(failures, other.failures);
}

void counter_values::add_gauges(const counter_values& other) noexcept {
  for (auto gauge : {&counter_values::queue_items, &counter_values::queue_cost,
                     &counter_values::in_flight_items, &counter_values::lanes})
    this->*gauge += other.*gauge;
  add_each(workers, other.workers);
}

static_assert(sizeof(counter_values) / sizeof(std::uint64_t)
                == 12 + all_outcomes.size() + all_close_reasons.size() + all_failures.size()
                     + all_worker_stages.size(),
              "a number is new: add it to its list");

counter_values live_counters::read() const noexcept {
  // Later stages first: an item counted there was counted in every earlier stage before.
  auto get = [](const counter& c) { return c.load(std::memory_order_acquire); };
  auto get_all = [&](auto& values, const auto& counters) {
    for (std::size_t i = 0; i < counters.size(); ++i) values[i] = get(counters[i]);
  };
  counter_values values;
  get_all(values.replies, replies_);
  get_all(values.batches, batches_);
  get_all(values.failures, failures_);
  get_all(values.workers, workers_);
  values.bisections = get(bisections_);
  values.retries_denied = get(retries_denied_);
  values.wasted_items = get(wasted_);
  values.padding_items = get(padding_);
  values.late_answers = get(late_);
  values.coalesced = get(coalesced_);
  values.restarts = get(restarts_);
  values.queue_cost = get(queue_cost_);
  values.lanes = get(lanes_);
  auto returned = get(returned_);
  auto dequeued = get(dequeued_);
  auto dispatched = get(dispatched_);
  auto admitted = get(admitted_);
  values.requests = get(requests_);
  values.queue_items = admitted - dequeued;
  values.in_flight_items = dispatched - returned;
  return values;
}

work_load live_counters::read_load() const noexcept {
  auto get = [](const counter& c) { return c.load(std::memory_order_acquire); };
  auto workers = [&](worker_stage stage) { return get(workers_[static_cast<std::size_t>(stage)]); };
  work_load out;
  out.is_served = workers(worker_stage::serving) + workers(worker_stage::probation) > 0;
  out.batch_time = duration{static_cast<duration::rep>(get(batch_time_))};
  auto returned = get(returned_); // later stages first, as above
  auto dequeued = get(dequeued_);
  out.in_flight_items = get(dispatched_) - returned;
  out.queue_items = get(admitted_) - dequeued;
  return out;
}

} // namespace batcher
