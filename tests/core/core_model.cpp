// SPDX-License-Identifier: BSD-3-Clause
//
// The model: requests and dispatch. Settling and life are in core_model_life.cpp.

#include "core_model.hpp"

namespace batcher::test {

// -- requests -----------------------------------------------------------------------------------

errc core_model::refusal() const {
  if (closed != errc::none) return closed;
  if (draining) return errc::draining;
  return is_out() ? errc::no_workers : errc::none;
}

std::optional<std::size_t> core_model::twin(std::size_t content, std::size_t key) const {
  for (std::size_t i = first_inside; coalesces && i < all_places.size(); ++i) {
    auto& p = all_places[i];
    if (p.at != item_place::none && p.key == key && p.content == content) return i;
  }
  return std::nullopt;
}

bool core_model::is_full(bool on_credit) const {
  return queue_items() + held() >= opts.max_queue_items && !(on_credit && held() > 0);
}

bool core_model::is_lane_full(std::size_t key) const {
  return opts.max_lane_items != 0 && lanes[key].queued.size() >= opts.max_lane_items;
}

bool core_model::is_tenant_full(std::size_t key, std::size_t tenant) const {
  auto is_own = [&](std::size_t which) { return all_places[which].tenant == tenant; };
  auto own = std::count_if(lanes[key].queued.begin(), lanes[key].queued.end(), is_own);
  return opts.max_tenant_items != 0 && static_cast<std::size_t>(own) >= opts.max_tenant_items;
}

errc core_model::why_refused(const entry& e, const placement& where, std::size_t key,
                             std::size_t tenant) const {
  if (e.is_gone) return errc::cancelled;
  if (auto why = refusal(); why != errc::none) return why;
  if (where.priority > 7) return errc::invalid_request;
  if (where.timeout < duration::zero()) return errc::expired;
  if (opts.max_batch_cost != 0 && where.cost > opts.max_batch_cost) return errc::too_costly;
  if (twin(e.content, key))
    return following_items() >= opts.max_queue_items ? errc::queue_full : errc::none;
  bool drops = opts.overload == overload::drop_oldest;
  if (is_full(where.on_credit) && !(drops && queued_items() > 0)) return errc::queue_full;
  if (!has_lane(key) && lanes_in_use() >= opts.max_lanes) return errc::too_many_lanes;
  bool is_part_full = is_lane_full(key) || is_tenant_full(key, tenant);
  return is_part_full && !drops ? errc::queue_full : errc::none;
}

std::optional<std::size_t> core_model::loser(const placement& where, std::size_t key,
                                             std::size_t tenant,
                                             std::optional<number> dropped) const {
  bool is_part_full = is_lane_full(key) || is_tenant_full(key, tenant);
  expect(dropped.has_value() == (is_part_full || is_full(where.on_credit)));
  if (!dropped) return std::nullopt;
  auto which = items[*dropped].place;
  auto& from = lanes[all_places[which].key].queued;
  if (is_tenant_full(key, tenant)) {
    auto is_own = [&](std::size_t other) { return all_places[other].tenant == tenant; };
    expect(all_places[which].key == key);
    // Of items of different priorities that came at once any may be taken for the oldest.
    auto oldest = *std::find_if(from.begin(), from.end(), is_own);
    expect(is_own(which) && all_places[which].since == all_places[oldest].since);
    return which;
  }
  // The oldest of the tenant that holds most by its weight.
  auto weight_of = [this](std::size_t t) {
    auto it = opts.tenant_weights.find(std::string{tenant_names[t]});
    return it == opts.tenant_weights.end() ? 1u : it->second;
  };
  std::array<std::size_t, tenant_names.size()> held_by{};
  for (auto other : from) ++held_by[all_places[other].tenant];
  auto heaviest = all_places[which].tenant;
  for (std::size_t t = 0; t < held_by.size(); ++t)
    expect(held_by[t] * weight_of(heaviest) <= held_by[heaviest] * weight_of(t));
  for (auto other : from) {
    auto& p = all_places[other];
    expect(p.tenant != heaviest || p.since >= all_places[which].since);
  }
  if (is_lane_full(key))
    expect(all_places[which].key == key);
  else
    for (auto& l : lanes) expect(l.queued.size() <= from.size());
  return which;
}

void core_model::admit(number who, const placement& where, std::size_t key, std::size_t tenant) {
  auto& e = items[who];
  e.is_inside = true;
  e.arrival = now;
  auto timeout = where.timeout;
  if (opts.request_timeout != duration::zero())
    timeout =
      timeout == duration::zero() ? opts.request_timeout : std::min(timeout, opts.request_timeout);
  if (timeout > duration::zero())
    e.deadline = timeout < time_point::max() - now ? now + timeout : time_point::max();
  if (where.on_credit) use_credit();
  if (auto shared = twin(e.content, key)) {
    ++coalesced;
    e.place = *shared;
  } else {
    e.place = all_places.size();
    bool has_order = opts.priority_head_start > duration::zero();
    all_places.push_back({.key = key,
                          .tenant = tenant,
                          .priority = has_order ? where.priority : std::uint8_t{0},
                          .cost = where.cost,
                          .content = e.content,
                          .since = now,
                          .members = {}});
    lanes[key].queued.push_back(e.place);
  }
  all_places[e.place].members.push_back(who);
}

// -- credit -------------------------------------------------------------------------------------

std::optional<credit_line::grant> core_model::next_grant() {
  auto room = opts.max_queue_items - std::min(queue_items() + held(), opts.max_queue_items);
  bool refuses = refusal() != errc::none;
  if (asked.empty() || (room == 0 && !refuses)) return std::nullopt;
  auto grant = asked.front();
  asked.pop_front();
  grant.items = refuses ? 0 : std::min(grant.items, room);
  if (grant.items > 0) leases.push_back({now + opts.credit_lease, grant.items});
  return grant;
}

void core_model::use_credit() {
  if (leases.empty()) return;
  if (--leases.front().second == 0) leases.pop_front();
}

std::size_t core_model::held() const {
  return std::accumulate(leases.begin(), leases.end(), std::size_t{0},
                         [](auto sum, auto& lease) { return sum + lease.second; });
}

// -- departure ----------------------------------------------------------------------------------

void core_model::leave(number who, errc why) {
  auto& e = items[who];
  auto& p = all_places[e.place];
  heirs += p.members.size() > 1 && p.members.front() == who;
  std::erase(p.members, who);
  bool is_last = p.members.empty();
  bool flies = p.at == item_place::in_flight;
  depart({who, why, is_last && flies ? p.batch : 0, is_last && flies ? p.position : 0});
  if (is_last) vacate(e.place);
}

void core_model::depart(const left& l) {
  items[l.who].is_inside = false;
  leaving.push_back(l);
  if (l.why != errc::none) ++replies[static_cast<std::size_t>(outcome_of(l.why))];
}

void core_model::empty(std::size_t which, errc why, std::uint32_t position) {
  auto& p = all_places[which];
  for (auto who : p.members) depart({who, why, 0, position});
  p.members.clear();
  vacate(which);
}

void core_model::vacate(std::size_t which) {
  auto& p = all_places[which];
  if (p.at == item_place::queued) {
    std::erase(lanes[p.key].queued, which);
    if (!why_due(p.key)) lanes[p.key].passed_by = {};
  }
  if (p.at == item_place::to_retry && live(retries.at(p.batch).seats).empty())
    retries.erase(p.batch);
  p.at = item_place::none;
  while (first_inside < all_places.size() && all_places[first_inside].at == item_place::none)
    ++first_inside;
}

places core_model::live(const places& seats) const {
  places out;
  for (auto s : seats)
    if (!all_places[s].members.empty()) out.push_back(s);
  return out;
}

void core_model::leave_unwanted(number who, errc why) {
  auto& e = items.at(who);
  expect(e.is_inside);
  auto at = all_places[e.place].at;
  expect(at == item_place::queued || at == item_place::to_retry);
  if (why == errc::expired)
    expect(e.deadline <= now || (at == item_place::queued && is_hopeless(e)));
  else
    expect(why == errc::cancelled && e.is_gone && e.deadline > now);
  leave(who, why);
}

bool core_model::is_hopeless(const entry& e) const {
  auto turnaround = lanes[all_places[e.place].key].turnaround;
  return e.deadline != time_point::max() && e.deadline <= now + turnaround;
}

// -- dispatch -----------------------------------------------------------------------------------

bool core_model::is_blocked(std::size_t key) const {
  return opts.max_lane_batches != 0 && lanes[key].batches >= opts.max_lane_batches;
}

std::optional<close_reason> core_model::why_due(std::size_t key) const {
  auto& queued = lanes[key].queued;
  if (queued.empty() || is_blocked(key)) return std::nullopt;
  auto trigger =
    opts.preferred_batch_items == 0 ? opts.max_batch_items : opts.preferred_batch_items;
  if (queued.size() >= trigger) return close_reason::size;
  if (opts.max_batch_cost != 0 && cost_of(queued) >= opts.max_batch_cost) return close_reason::cost;
  if (draining) return close_reason::drain;
  if (opts.when_idle == when_idle::immediate) return close_reason::idle;
  bool is_over = all_places[queued.front()].since + opts.max_delay <= now;
  return is_over ? std::optional{close_reason::deadline} : std::nullopt;
}

core_model::all_lanes_before core_model::lanes_before() {
  all_lanes_before out;
  for (std::size_t key = 0; key < lanes.size(); ++key) {
    out[key] = {lanes[key].queued.size(), why_due(key)};
    if (!out[key].due) lanes[key].passed_by = {};
  }
  return out;
}

void core_model::dispatch(const seen_batch& b, const all_lanes_before& before) {
  expect(!is_paused && closed == errc::none && !b.numbers.empty());
  bool again = at(b.numbers.front()).at == item_place::to_retry;
  flight_model f{.worker = b.worker, .key = b.key};
  if (again)
    take_retry(b, f);
  else
    take_fresh(b, f, before[b.key]);
  if (!again) take_turn(b.key, before);
  expect(b.padding == padding_of(b.numbers.size()));
  expect(!flights.contains(b.id));
  padding += b.padding;
  ++lanes[b.key].batches;
  if (opts.batch_timeout > duration::zero()) f.timeout_at = now + opts.batch_timeout;
  for (std::uint32_t i = 0; i < b.numbers.size(); ++i) {
    auto& e = items[b.numbers[i]];
    expect(e.deadline > now && !e.is_gone); // invariant 7
    auto& p = all_places[e.place];
    p.at = item_place::in_flight;
    p.batch = b.id;
    p.position = i;
    expect(++p.runs == 1 || may_repeat);
    f.seats.push_back(e.place);
  }
  flights.emplace(b.id, std::move(f));
}

void core_model::take_retry(const seen_batch& b, flight_model& f) {
  auto id = at(b.numbers.front()).batch;
  auto& again = retries.at(id);
  expect(again.key == b.key && again.attempt == b.attempt && !is_blocked(b.key));
  auto seats = live(again.seats);
  expect(seats.size() == b.numbers.size());
  for (std::size_t i = 0; i < seats.size(); ++i) expect(items[b.numbers[i]].place == seats[i]);
  for (auto& [other, r] : retries) {
    if (is_blocked(r.key)) continue;
    expect(std::tie(again.oldest, id) <= std::tie(r.oldest, other));
  }
  f.attempt = again.attempt;
  workers.assign(now, b.worker, again.failed_at);
  retries.erase(id);
  ++batches[static_cast<std::size_t>(close_reason::retry)];
  ++retry_calls;
}

void core_model::take_fresh(const seen_batch& b, flight_model& f, const lane_before& before) {
  bool may_be_due = opts.when_idle == when_idle::adaptive && !is_blocked(b.key);
  expect((before.due.has_value() || may_be_due) && b.attempt == 1);
  for (auto& [id, r] : retries) expect(is_blocked(r.key)); // they go first
  std::size_t cost = 0;
  auto& queued = lanes[b.key].queued;
  for (auto who : b.numbers) {
    auto& p = at(who);
    expect(p.at == item_place::queued && p.key == b.key);
    expect(front_of(b.key, p.tenant) == items[who].place); // invariants 4 and 5
    std::erase(queued, items[who].place);
    cost += p.cost;
  }
  auto stopped = check_limits(b, cost, before.items);
  auto due = before.due.value_or(close_reason::idle);
  auto reason = stopped && due == close_reason::size ? close_reason::cost : due;
  ++batches[static_cast<std::size_t>(reason)];
  workers.assign(now, b.worker, std::nullopt);
  f.attempt = 1;
  earn();
}

std::optional<std::size_t> core_model::front_of(std::size_t key, std::size_t tenant) const {
  std::optional<std::size_t> best;
  auto rank = [this](std::size_t s) {
    auto& p = all_places[s];
    return std::pair{p.since - p.priority * opts.priority_head_start, p.priority};
  };
  for (auto s : lanes[key].queued)
    if (all_places[s].tenant == tenant && (!best || rank(s) < rank(*best))) best = s;
  return best;
}

bool core_model::check_limits(const seen_batch& b, std::size_t cost,
                              std::size_t items_before) const {
  auto n = b.numbers.size();
  auto limit = std::min(items_before, opts.max_batch_items);
  auto allowed = opts.allowed_batch_items;
  if (opts.size_rounding == size_rounding::down) {
    std::erase_if(allowed, [&](auto size) { return size > limit; });
    if (!allowed.empty()) limit = allowed.back();
  }
  expect(n <= limit);
  // An item that cannot be answered in time takes nobody's place.
  bool is_any_hopeless = std::any_of(b.numbers.begin(), b.numbers.end(),
                                     [this](auto who) { return is_hopeless(items[who]); });
  expect(!is_any_hopeless || lanes[b.key].queued.size() + n <= limit);
  // One that was admitted under other options may cost more by itself.
  auto first = all_places[items[b.numbers.front()].place].cost;
  expect(opts.max_batch_cost == 0 || cost <= std::max(opts.max_batch_cost, first));
  if (n == limit || lanes[b.key].queued.empty()) return false;
  bool is_any_too_costly = false;
  for (std::size_t tenant = 0; tenant < tenant_names.size(); ++tenant)
    if (auto next = front_of(b.key, tenant))
      is_any_too_costly = is_any_too_costly || cost + all_places[*next].cost > opts.max_batch_cost;
  expect(opts.max_batch_cost != 0 && is_any_too_costly);
  return true;
}

std::size_t core_model::padding_of(std::size_t n) const {
  for (auto size : opts.allowed_batch_items)
    if (size >= n) return size - n;
  return 0;
}

void core_model::take_turn(std::size_t key, const all_lanes_before& before) {
  for (std::size_t other = 0; other < lanes.size(); ++other)
    if (other != key && before[other].due && !lanes[other].queued.empty())
      expect(++lanes[other].passed_by[key] <= 1);
  lanes[key].passed_by = {};
}

void core_model::expect_dry() const {
  if (is_paused || closed != errc::none || !workers.has_credit(now)) return;
  for (auto& [id, r] : retries) expect(is_blocked(r.key));
  for (std::size_t key = 0; key < lanes.size(); ++key) expect(!why_due(key));
}

bool core_model::waits_by_choice() const {
  bool may_dispatch = !is_paused && closed == errc::none && workers.has_credit(now);
  if (opts.when_idle != when_idle::adaptive || !may_dispatch) return false;
  for (std::size_t key = 0; key < lanes.size(); ++key)
    if (!lanes[key].queued.empty() && !is_blocked(key)) return true;
  return false;
}

} // namespace batcher::test
