// SPDX-License-Identifier: BSD-3-Clause
//
// Names of the counted things, and the order in which counters are read.

#include "batcher/live_counters.hpp"

#include <cassert>
#include <numeric>

namespace batcher {

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
  }
  return "unknown";
}

std::string_view to_string(close_reason x) noexcept {
  switch (x) {
    case close_reason::size: return "size";
    case close_reason::deadline: return "deadline";
    case close_reason::idle: return "idle";
    case close_reason::drain: return "drain";
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
    case errc::none: break;
  }
  assert(false && "not an error");
  return outcome::shut_down;
}

std::uint64_t counter_values::replied() const noexcept {
  return std::accumulate(replies.begin(), replies.end(), std::uint64_t{0});
}

void live_counters::on_dispatched(close_reason reason, std::size_t items) noexcept {
  add(dispatched_, items);
  add(dequeued_, items);
  add(batches_[static_cast<std::size_t>(reason)], 1);
}

void live_counters::on_replied(outcome how, std::size_t items) noexcept {
  add(replies_[static_cast<std::size_t>(how)], items);
}

counter_values live_counters::read() const noexcept {
  // Later stages first: an item counted there was counted in every earlier stage before.
  auto get = [](const counter& c) { return c.load(std::memory_order_acquire); };
  counter_values values;
  for (std::size_t i = 0; i < replies_.size(); ++i) values.replies[i] = get(replies_[i]);
  for (std::size_t i = 0; i < batches_.size(); ++i) values.batches[i] = get(batches_[i]);
  auto returned = get(returned_);
  auto dequeued = get(dequeued_);
  auto dispatched = get(dispatched_);
  auto admitted = get(admitted_);
  values.requests = get(requests_);
  values.queue_items = admitted - dequeued;
  values.in_flight_items = dispatched - returned;
  return values;
}

} // namespace batcher
