// SPDX-License-Identifier: BSD-3-Clause
//
// Book-keeping of workers: their credit, their restarts, and who is put aside.

#include "batcher/worker_table.hpp"

#include <algorithm>
#include <cassert>

namespace batcher {

namespace {

// No `now` lies before it, and the distance to it does not overflow.
constexpr time_point at_once{};

// Waits of workers put aside start from this when dead ones are not restarted.
constexpr duration default_aside_delay = std::chrono::milliseconds{100};

// SplitMix64 (Steele, Lea and Flood, 2014): one add, then a mix of all bits.
std::uint64_t next_random(std::uint64_t& state) noexcept {
  state += 0x9e3779b97f4a7c15u;
  auto z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

} // namespace

worker_table::worker_table(supervision rules, std::uint64_t seed) : rules_{rules}, jitter_{seed} {}

void worker_table::add(worker_id id) {
  auto [it, is_new] = entries_.try_emplace(id);
  assert(is_new);
  if (!is_new) return;
  ++by_stage_[static_cast<std::size_t>(worker_stage::down)];
  it->second.id = id;
  it->second.added = true;
  it->second.wait_end = at_once;
  list(it->second);
}

std::optional<worker_id> worker_table::next_start(time_point now) {
  start_trials(now);
  if (starts_.empty() || starts_.begin()->first > now) return std::nullopt;
  auto id = starts_.begin()->second;
  move_to(worker_stage::starting, entries_.at(id));
  return id;
}

void worker_table::up(worker_id id, std::size_t credit) {
  assert(credit >= 1);
  auto [it, is_new] = entries_.try_emplace(id);
  auto& e = it->second;
  if (is_new) {
    e.id = id;
    e.stage = worker_stage::starting;
    ++by_stage_[static_cast<std::size_t>(worker_stage::starting)];
  } else if (e.stage != worker_stage::starting) {
    return;
  }
  e.credit = credit;
  e.failures = 0;
  e.times_aside = 0;
  move_to(worker_stage::serving, e);
}

void worker_table::down(time_point now, worker_id id) {
  auto it = entries_.find(id);
  if (it == entries_.end() || it->second.stage == worker_stage::down) return;
  auto& e = it->second;
  bool is_final =
    !e.added || e.stage == worker_stage::retiring || rules_.restart_delay <= duration::zero();
  if (is_final) return erase(it);
  unlist(e);
  credit_in_use_ -= std::exchange(e.held, 0);
  e.wait_end = now + draw_wait(rules_.restart_delay, ++e.deaths);
  enter(worker_stage::down, e); // not by move_to: what the list knew it by has changed
}

void worker_table::retire(worker_id id) {
  auto it = entries_.find(id);
  if (it == entries_.end()) return;
  move_to(worker_stage::retiring, it->second);
  leave_if_idle(it);
}

void worker_table::set_credit(std::size_t credit) {
  assert(credit >= 1);
  for (auto& [id, e] : entries_) {
    if (!e.added) continue;
    unlist(e);
    e.credit = credit;
    list(e);
  }
}

std::optional<worker_id> worker_table::assign(time_point now, std::optional<worker_id> avoid) {
  start_trials(now);
  if (free_credit_ == 0) return std::nullopt;
  auto& e = least_busy(avoid);
  unlist(e);
  ++e.held;
  ++credit_in_use_;
  list(e);
  return e.id;
}

void worker_table::release(worker_id id) {
  auto it = entries_.find(id);
  if (it == entries_.end() || !it->second.is_up()) return;
  auto& e = it->second;
  assert(e.held > 0);
  unlist(e);
  --e.held;
  --credit_in_use_;
  list(e);
  leave_if_idle(it);
}

void worker_table::succeeded(worker_id id) {
  auto* e = find_up(id);
  if (e == nullptr) return;
  e->deaths = 0;
  e->failures = 0;
  if (e->stage != worker_stage::probation) return;
  e->times_aside = 0;
  move_to(worker_stage::serving, *e);
}

void worker_table::failed(time_point now, worker_id id) {
  auto* e = find_up(id);
  if (e == nullptr || e->stage == worker_stage::aside || e->stage == worker_stage::retiring) return;
  bool is_serving = e->stage == worker_stage::serving;
  ++e->failures;
  bool is_tolerable =
    rules_.breaker_failures == 0 || (is_serving && e->failures < rules_.breaker_failures);
  bool is_last = count(worker_stage::serving) == (is_serving ? 1 : 0);
  if (is_tolerable || is_last) return;
  bool restarts = rules_.restart_delay > duration::zero();
  auto base = restarts ? rules_.restart_delay : default_aside_delay;
  e->wait_end = now + draw_wait(base, ++e->times_aside);
  e->failures = 0;
  move_to(worker_stage::aside, *e);
}

bool worker_table::has_credit(time_point now) const noexcept {
  return free_credit_ > 0 || is_trial_due(now);
}

std::optional<time_point> worker_table::next_deadline(bool wanted) const noexcept {
  std::optional<time_point> next;
  for (auto& [at, id] : starts_) {
    if (!wanted && entries_.at(id).deaths > 1) continue;
    next = at;
    break;
  }
  if (trials_.empty() || !wanted) return next;
  auto trial = count(worker_stage::serving) == 0 ? at_once : trials_.begin()->first;
  return next ? std::min(*next, trial) : trial;
}

std::size_t worker_table::held(worker_id id) const noexcept {
  auto it = entries_.find(id);
  return it == entries_.end() ? 0 : it->second.held;
}

std::size_t worker_table::entry::allowance() const noexcept {
  switch (stage) {
    case worker_stage::serving: return credit;
    case worker_stage::probation: return 1;
    case worker_stage::down:
    case worker_stage::starting:
    case worker_stage::aside:
    case worker_stage::retiring: break;
  }
  return 0;
}

void worker_table::list(entry& e) {
  if (e.stage == worker_stage::down) starts_.emplace(e.wait_end, e.id);
  if (e.stage == worker_stage::aside && e.held == 0) trials_.emplace(e.wait_end, e.id);
  if (e.held >= e.allowance()) return;
  free_credit_ += e.allowance() - e.held;
  ++credit_changes_;
  if (ready_.size() <= e.held) ready_.resize(e.held + 1);
  e.place = e.seat.begin();
  ready_[e.held].splice(ready_[e.held].begin(), e.seat);
}

void worker_table::unlist(entry& e) {
  if (e.stage == worker_stage::down) starts_.erase({e.wait_end, e.id});
  if (e.stage == worker_stage::aside) trials_.erase({e.wait_end, e.id});
  if (e.held >= e.allowance()) return;
  free_credit_ -= e.allowance() - e.held;
  ++credit_changes_;
  e.seat.splice(e.seat.begin(), ready_[e.held], e.place);
}

void worker_table::move_to(worker_stage next, entry& e) {
  unlist(e);
  enter(next, e);
}

void worker_table::enter(worker_stage next, entry& e) {
  --by_stage_[static_cast<std::size_t>(e.stage)];
  e.stage = next;
  ++by_stage_[static_cast<std::size_t>(e.stage)];
  list(e);
}

void worker_table::erase(entries::iterator it) {
  auto& e = it->second;
  unlist(e);
  --by_stage_[static_cast<std::size_t>(e.stage)];
  credit_in_use_ -= e.held;
  entries_.erase(it);
}

void worker_table::leave_if_idle(entries::iterator it) {
  if (it->second.stage != worker_stage::retiring || it->second.held > 0) return;
  retired_.push_back(it->first);
  erase(it);
}

// Precondition: some worker has credit.
worker_table::entry& worker_table::least_busy(std::optional<worker_id> avoid) {
  entry* best = nullptr;
  for (auto& alike : ready_) {
    for (auto* e : alike) {
      best = e;
      if (e->id != avoid) return *e;
    }
  }
  return *best;
}

worker_table::entry* worker_table::find_up(worker_id id) noexcept {
  auto it = entries_.find(id);
  return it == entries_.end() || !it->second.is_up() ? nullptr : &it->second;
}

bool worker_table::is_trial_due(time_point now) const noexcept {
  return !trials_.empty() && (count(worker_stage::serving) == 0 || trials_.begin()->first <= now);
}

void worker_table::start_trials(time_point now) {
  while (is_trial_due(now)) {
    auto id = trials_.begin()->second;
    move_to(worker_stage::probation, entries_.at(id));
  }
}

duration worker_table::draw_wait(duration base, std::size_t failures) noexcept {
  auto limit = rules_.max_restart_delay;
  auto d = std::min(base, limit);
  for (; failures > 1 && d < limit; --failures) d = d > limit / 2 ? limit : d * 2;
  auto half = static_cast<std::uint64_t>(d.count() / 2);
  auto off = next_random(jitter_) % (half + 1); // biased by less than one part in a million
  return d - duration{static_cast<duration::rep>(off)};
}

} // namespace batcher
