// SPDX-License-Identifier: BSD-3-Clause
//
// Lanes and their turns.

#include "batcher/batch_queue.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace batcher {

namespace {

// Lanes that wait and are looked at again when the outlook has changed, those whose windows end
// first. The others keep the windows that they have; these hold `max_delay`, too.
constexpr int most_looked_at = 16;

double slack_of(const lane_forecast& f, const timing_facts& facts, std::size_t workers,
                std::size_t items) {
  auto busy = f.service.per_item() * facts.arrivals_per_second;
  return 1 - busy / static_cast<double>(workers) - f.service.relative_deviation(items) / 4;
}

} // namespace

batch_queue::batch_queue(const options& opts, item_table& table, const worker_outlook* outlook,
                         std::shared_ptr<shared_room> lanes)
  : opts_{&opts}, table_{&table}, outlook_{outlook},
    rules_{opts.priority_head_start, opts.tenant_weights}, lanes_room_{std::move(lanes)} {}

lane* batch_queue::lane_of(std::string_view key) {
  if (recent_ && is_same(recent_->key(), key)) return recent_;
  std::string text{key};
  if (auto it = lanes_.find(text); it != lanes_.end()) return recent_ = it->second.get();
  // A last lane that is idle was only kept because most batchers have no other.
  if (lanes_.size() == 1 && is_idle(*lanes_.begin()->second)) lanes_.clear();
  if (lanes_.size() >= lanes_room_.reach(lanes_.size() + 1, opts_->max_lanes)) return nullptr;
  auto added = std::make_unique<lane>(text, *table_, rules_);
  set_up_forecast(*added);
  return recent_ = lanes_.emplace(std::move(text), std::move(added)).first->second.get();
}

const lane* batch_queue::find(std::string_view key) const {
  auto it = lanes_.find(std::string{key});
  return it == lanes_.end() ? nullptr : it->second.get();
}

lane* batch_queue::any() const noexcept {
  auto it =
    std::find_if(lanes_.begin(), lanes_.end(), [](auto& l) { return !l.second->is_empty(); });
  return it == lanes_.end() ? nullptr : it->second.get();
}

lane* batch_queue::longest() const noexcept {
  lane* best = nullptr;
  for (auto& [key, l] : lanes_)
    if (!l->is_empty() && (!best || l->items() > best->items())) best = l.get();
  return best;
}

void batch_queue::push(time_point now, lane& to, std::span<const slot_number> slots,
                       std::string_view tenant) {
  items_ += slots.size();
  cost_ += slots.size() * (*table_)[slots.front()].cost;
  to.push(slots, tenant);
  if (to.forecast) to.forecast->arrivals.count(slots.size());
  if (to.stands == lane::standing::due) return;
  if (to.stands == lane::standing::waiting && !is_enough(to)) return;
  place(now, to);
}

void batch_queue::remove(time_point now, slot_number slot) {
  auto& record = (*table_)[slot];
  auto& l = *record.lane;
  --items_;
  cost_ -= record.cost;
  if (l.forecast) l.forecast->note_gone(record.deadline);
  l.remove(slot);
  update(now, l);
}

void batch_queue::note_deadline(time_point now, lane& of, time_point deadline) {
  if (!of.forecast || deadline >= of.forecast->deadline) return;
  of.forecast->deadline = deadline;
  if (of.stands == lane::standing::waiting) place(now, of);
}

lane* batch_queue::next_due(time_point now) {
  if (opts_->when_idle == when_idle::adaptive) look_again(now);
  while (!waiting_.empty() && waiting_.begin()->first.first <= now)
    stand(*waiting_.begin()->second, lane::standing::due);
  return due_.empty() ? nullptr : due_.front();
}

flush_decision batch_queue::decide(const lane& due, time_point now) const {
  auto view = view_of(due);
  if (is_full(view, *opts_))
    view.filled = due.filled_since(trigger_items(*opts_), trigger_cost(*opts_));
  view.window = {.enough_items = 0, .until = due.window_end};
  return decide_flush(view, *opts_, draining_since_, now);
}

void batch_queue::take_line(lane& from, std::size_t most, std::vector<slot_number>& to) {
  auto first = to.size();
  auto cost = from.cost();
  from.take_line(most, to);
  items_ -= to.size() - first;
  cost_ -= cost - from.cost();
  if (!from.forecast) return;
  for (auto i = first; i < to.size(); ++i) from.forecast->note_gone((*table_)[to[i]].deadline);
}

void batch_queue::end_turn(time_point now, lane& of) {
  stand(of, lane::standing::none);
  if (of.forecast) of.forecast->has_waited = false;
  update(now, of);
}

void batch_queue::update(time_point now, lane& changed) {
  place(now, changed);
  drop_if_idle(changed);
}

void batch_queue::update(time_point now, std::optional<time_point> draining_since) {
  draining_since_ = draining_since;
  rules_ = {opts_->priority_head_start, opts_->tenant_weights};
  for (auto& [key, l] : lanes_) {
    l->update_weights();
    set_up_forecast(*l);
    place(now, *l);
  }
}

std::optional<time_point> batch_queue::oldest() const noexcept {
  std::optional<time_point> oldest;
  for (auto& [key, l] : lanes_) {
    if (l->is_empty()) continue;
    auto since = (*table_)[l->oldest()].since;
    oldest = oldest ? std::min(*oldest, since) : since;
  }
  return oldest;
}

std::size_t batch_queue::lanes() const noexcept {
  bool is_only_kept = lanes_.size() == 1 && is_idle(*lanes_.begin()->second);
  return is_only_kept ? 0 : lanes_.size();
}

lane_view batch_queue::view_of(const lane& l) const {
  lane_view view{.items = l.items(), .cost = l.cost(), .oldest = {}, .filled = {}};
  if (!l.is_empty()) view.oldest = (*table_)[l.oldest()].since;
  return view;
}

bool batch_queue::is_blocked(const lane& l) const noexcept {
  return opts_->max_lane_batches != 0 && l.batches >= opts_->max_lane_batches;
}

bool batch_queue::is_idle(const lane& l) noexcept {
  return l.is_empty() && l.batches == 0 && l.retries == 0;
}

bool batch_queue::is_enough(const lane& l) const noexcept {
  if (l.forecast && l.items() >= l.forecast->enough_items) return true;
  return is_full({.items = l.items(), .cost = l.cost(), .oldest = {}, .filled = {}}, *opts_);
}

// Without free credit: the lane waits for that, and then this is asked again.
adaptive_window batch_queue::look_ahead(time_point now, lane& l) const {
  auto& f = *l.forecast;
  // One that holds a full batch waits for nothing, and the walk would be long.
  if (f.is_deadline_stale && l.items() <= trigger_items(*opts_)) {
    f.deadline = l.earliest_deadline();
    f.is_deadline_stale = false;
  }
  f.version = outlook_->version();
  timing_facts facts{.returns = outlook_->returns(),
                     .free_credit = outlook_->free_credit(now),
                     .arrivals_per_second = f.arrivals.per_second(now),
                     .oldest = (*table_)[l.oldest()].since};
  facts.slack = slack_of(f, facts, std::max<std::size_t>(outlook_->workers(), 1), l.items());
  adaptive_window window{.enough_items = trigger_items(*opts_), .until = time_point::max()};
  if (facts.free_credit > 0) {
    window = window_of(facts, now);
    if (f.deadline != time_point::max()) {
      auto most = std::min(opts_->max_batch_items, std::max(l.items(), window.enough_items));
      window =
        in_time(window, f.deadline, std::max(f.service.predict(most), l.turnaround.most(now)));
    }
    bool waits = l.items() < window.enough_items && window.until > now;
    // What has passed before a worker was free was no choice.
    if (!waits) window.until = f.has_waited ? std::min(window.until, now) : facts.oldest;
    f.has_waited = f.has_waited || waits;
  }
  f.enough_items = window.enough_items;
  return window;
}

void batch_queue::set_up_forecast(lane& l) const {
  bool is_adaptive = opts_->when_idle == when_idle::adaptive && outlook_;
  if (!is_adaptive) l.forecast.reset();
  if (!is_adaptive || l.forecast) return;
  l.forecast = std::make_unique<lane_forecast>();
  l.forecast->is_deadline_stale = true;
}

void batch_queue::look_again(time_point now) {
  for (int i = 0; i < most_looked_at && !waiting_.empty(); ++i) {
    auto& first = *waiting_.begin()->second;
    if (!first.forecast || first.forecast->version == outlook_->version()) return;
    place(now, first);
  }
}

void batch_queue::place(time_point now, lane& l) {
  if (l.is_empty() || is_blocked(l)) return stand(l, lane::standing::none);
  auto view = view_of(l);
  if (l.forecast) view.window = look_ahead(now, l);
  auto decision = decide_flush(view, *opts_, draining_since_, now);
  if (decision.close) {
    stand(l, lane::standing::due);
    l.window_end = decision.ready_at;
    return;
  }
  if (l.stands == lane::standing::waiting && l.window_end == *decision.next) return;
  stand(l, lane::standing::none);
  l.window_end = *decision.next;
  stand(l, lane::standing::waiting);
}

void batch_queue::stand(lane& l, lane::standing where) {
  if (l.stands == where) return;
  if (l.stands == lane::standing::due) l.node.splice(l.node.begin(), due_, l.due_node);
  if (l.stands == lane::standing::waiting) waiting_.erase({l.window_end, l.wait_number});
  l.stands = where;
  if (where == lane::standing::waiting) {
    l.wait_number = ++waits_;
    waiting_.emplace(std::pair{l.window_end, l.wait_number}, &l);
  }
  if (where != lane::standing::due) return;
  l.due_node = l.node.begin();
  due_.splice(due_.end(), l.node);
}

void batch_queue::drop_if_idle(lane& l) {
  bool is_kept = lanes_.size() == 1 && !lanes_room_.is_shared(); // others may need its place
  if (is_kept || !is_idle(l)) return;
  if (recent_ == &l) recent_ = nullptr;
  lanes_.erase(std::string{l.key()});
  lanes_room_.settle(lanes_.size());
}

} // namespace batcher
