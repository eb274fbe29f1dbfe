// SPDX-License-Identifier: BSD-3-Clause
//
// Names of the counted things, a batch's times taken apart, and sums of readings.

#include "batcher/node_counters.hpp"

#include <algorithm>

namespace batcher {

namespace {

template <class Numbers>
void add_each(Numbers& to, const Numbers& from) noexcept {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

} // namespace

std::string_view to_string(node_role x) noexcept {
  switch (x) {
    case node_role::client: return "client";
    case node_role::worker: return "worker";
  }
  return "unknown";
}

std::string_view to_string(node_worker_state x) noexcept {
  switch (x) {
    case node_worker_state::idle: return "idle";
    case node_worker_state::busy: return "busy";
    case node_worker_state::leaving: return "leaving";
    case node_worker_state::away: return "away";
  }
  return "unknown";
}

std::string_view to_string(node_result x) noexcept {
  switch (x) {
    case node_result::ok: return "ok";
    case node_result::failed: return "failed";
    case node_result::late: return "late";
    case node_result::lost: return "lost";
  }
  return "unknown";
}

void node_times::add(const node_times& other) noexcept {
  add_each(by_edge, other.by_edge);
  sum += other.sum;
}

void node_values::add_totals(const node_values& other) noexcept {
  connects += other.connects;
  losses += other.losses;
  requests += other.requests;
  add_each(batches, other.batches);
  retries += other.retries;
  late_answers += other.late_answers;
  wire.add(other.wire);
  wait.add(other.wait);
  execute.add(other.execute);
}

void node_values::add_gauges(const node_values& other) noexcept {
  connected += other.connected;
  in_flight_batches += other.in_flight_batches;
  in_flight_items += other.in_flight_items;
  add_each(workers, other.workers);
}

void node_counters::on_dispatched(std::size_t items, std::size_t attempt) noexcept {
  add(in_flight_batches_, 1);
  add(in_flight_items_, items);
  if (attempt > 1) add(retries_, 1);
}

void node_counters::on_ended(node_result how, std::size_t items) noexcept {
  set(in_flight_batches_, in_flight_batches_.load(std::memory_order_relaxed) - 1);
  set(in_flight_items_, in_flight_items_.load(std::memory_order_relaxed) - items);
  add(batches_[static_cast<std::size_t>(how)], 1);
}

void node_counters::on_times(duration round_trip, duration at_node, duration executed) noexcept {
  round_trip = std::max(round_trip, duration::zero());
  at_node = std::clamp(at_node, duration::zero(), round_trip);
  executed = std::clamp(executed, duration::zero(), at_node);
  wire_.observe(round_trip - at_node);
  wait_.observe(at_node - executed);
  execute_.observe(executed);
}

void node_counters::time_counters::observe(duration x) noexcept {
  auto edge = std::lower_bound(node_time_edges.begin(), node_time_edges.end(), x);
  add(by_edge[static_cast<std::size_t>(edge - node_time_edges.begin())], 1);
  add(sum_ns, static_cast<std::uint64_t>(x.count()));
}

node_times node_counters::time_counters::read() const noexcept {
  node_times out;
  for (std::size_t i = 0; i < by_edge.size(); ++i)
    out.by_edge[i] = by_edge[i].load(std::memory_order_relaxed);
  out.sum = duration{static_cast<duration::rep>(sum_ns.load(std::memory_order_relaxed))};
  return out;
}

node_values node_counters::read() const noexcept {
  auto value_of = [](const counter& x) { return x.load(std::memory_order_relaxed); };
  node_values out;
  auto now = stage_now();
  out.connects = 1;
  out.losses = now == stage::lost ? 1 : 0;
  out.connected = now < stage::left ? 1 : 0;
  out.requests = value_of(requests_);
  for (std::size_t i = 0; i < batches_.size(); ++i) out.batches[i] = value_of(batches_[i]);
  out.retries = value_of(retries_);
  out.late_answers = value_of(late_answers_);
  out.wire = wire_.read();
  out.wait = wait_.read();
  out.execute = execute_.read();
  out.in_flight_batches = value_of(in_flight_batches_);
  out.in_flight_items = value_of(in_flight_items_);
  auto workers_that_are = [&](node_worker_state x) -> std::uint64_t& {
    return out.workers[static_cast<std::size_t>(x)];
  };
  switch (now) {
    case stage::serving: {
      auto busy = std::min<std::uint64_t>(value_of(busy_), workers_);
      workers_that_are(node_worker_state::busy) = busy;
      workers_that_are(node_worker_state::idle) = workers_ - busy;
      break;
    }
    case stage::leaving: workers_that_are(node_worker_state::leaving) = workers_; break;
    case stage::lost: workers_that_are(node_worker_state::away) = workers_; break;
    case stage::left: break;
  }
  return out;
}

} // namespace batcher
