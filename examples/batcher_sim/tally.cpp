// SPDX-License-Identifier: BSD-3-Clause
//
// The counts and what is made of them, see tally.hpp.

#include "batcher_sim/tally.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sim {

using batcher::duration;

tally::tally(const scenario& what) : what_{&what} {
  planned_ = what.requests;
  if (what.arrivals.kind == arrival_kind::trace)
    planned_ = std::min<std::uint64_t>(planned_, what.arrivals.instants.size());
  first_ = static_cast<std::uint64_t>(what.warm_up * static_cast<double>(planned_));
  out_.batches_by_items.resize(what.opts.max_batch_items + 1);
}

void tally::arrived(const request& r) {
  last_arrival_ = r.arrived;
  ++out_.arrived;
  if (r.number < first_) return;
  if (r.number == first_) {
    begin_ = r.arrived;
    queue_since_ = r.arrived;
  }
  ++out_.requests;
}

void tally::no_more_arrivals() {
  queued(last_arrival_, queue_items_);
  end_ = last_arrival_;
}

void tally::answered(duration now, const request& r, batcher::errc with) {
  auto latency = now - r.arrived;
  bool is_result = with == batcher::errc::none;
  if (is_result && is_in_window(now)) {
    ++served_;
    if (what_->in_time == duration::zero() || latency <= what_->in_time) ++in_time_;
  }
  if (r.number < first_) return;
  ++out_.outcomes[static_cast<std::size_t>(with)];
  if (!is_result) return;
  out_.latencies.add(latency);
  auto& mine = groups_[(r.number - first_) * groups_.size() / (planned_ - first_)];
  ++mine.values;
  mine.sum += static_cast<double>(latency.count());
}

void tally::dispatched(duration now, std::size_t items) {
  if (!is_in_window(now)) return;
  ++out_.batches;
  items_ += items;
  ++out_.batches_by_items[items];
}

void tally::worked(duration begin, duration end) {
  if (!begin_) return;
  auto from = std::max(begin, *begin_);
  auto to = end_ ? std::min(end, *end_) : end;
  if (to > from) busy_ += static_cast<double>((to - from).count());
}

void tally::queued(duration now, std::size_t items) {
  if (is_in_window(now)) {
    queue_area_ +=
      static_cast<double>(queue_items_) * static_cast<double>((now - queue_since_).count());
    queue_since_ = now;
  }
  queue_items_ = items;
  queue_.set(now, items);
}

result tally::take(duration now) {
  auto& out = out_;
  auto& l = out.latencies;
  out.mean = l.mean();
  out.mean_error = mean_error();
  out.p50 = l.quantile(0.5);
  out.p95 = l.quantile(0.95);
  out.p99 = l.quantile(0.99);
  out.max = l.largest();
  out.window = begin_ && end_ ? *end_ - *begin_ : duration::zero();
  // A window of a single request has no length.
  auto length = std::max(1.0, static_cast<double>(out.window.count()));
  auto per_second = [&](std::uint64_t n) { return static_cast<double>(n) * 1e9 / length; };
  out.offered = per_second(out.requests > 0 ? out.requests - 1 : 0);
  out.served = per_second(served_);
  out.goodput = per_second(in_time_);
  out.utilisation = busy_ / length / static_cast<double>(what_->workers);
  if (out.batches > 0) out.fill = static_cast<double>(items_) / static_cast<double>(out.batches);
  out.queue_items = queue_area_ / length;
  out.length = now;
  out.queue = queue_.steps(now);
  out.queue_step = queue_.step_length();
  return std::move(out_);
}

bool tally::is_in_window(duration now) const noexcept {
  return begin_ && now >= *begin_ && (!end_ || now <= *end_);
}

duration tally::mean_error() const {
  constexpr double t_quantile = 2.093; // 97.5 %, 19 degrees of freedom
  auto n = static_cast<double>(groups_.size());
  double sum = 0;
  double squares = 0;
  for (auto& g : groups_) {
    if (g.values == 0) return duration::zero();
    auto mean = g.sum / static_cast<double>(g.values);
    sum += mean;
    squares += mean * mean;
  }
  auto variance = std::max(0.0, (squares - sum * sum / n) / (n - 1));
  return duration{std::llround(t_quantile * std::sqrt(variance / n))};
}

} // namespace sim
