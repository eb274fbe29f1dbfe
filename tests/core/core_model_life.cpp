// SPDX-License-Identifier: BSD-3-Clause
//
// The model: how batches end, what time does, and what the sums are.

#include "core_model.hpp"

namespace batcher::test {

// -- settling -------------------------------------------------------------------------------------

void core_model::earn() {
  auto* again = std::get_if<retry::idempotent>(&opts.on_failure);
  if (!again) return;
  auto quarters = static_cast<std::size_t>(again->budget * 4);
  earned += quarters;
  tokens = std::min<std::size_t>(tokens + quarters, 4 * 32);
}

// Nothing if nobody waits for that batch any more.
std::optional<flight_model> core_model::land(batch_id id) {
  auto node = flights.extract(id);
  bool is_late = node.empty() || node.mapped().is_given_up;
  late += is_late && closed == errc::none;
  if (node.empty()) return std::nullopt;
  auto& f = node.mapped();
  --lanes[f.key].batches;
  workers.release(f.worker);
  note_outage();
  if (f.is_given_up) return std::nullopt;
  wasted += f.seats.size() - live(f.seats).size();
  ++ended;
  return std::move(f);
}

bool core_model::complete(batch_id id, const batch_report& report) {
  auto f = land(id);
  if (!f) return false;
  if (report.results != f->seats.size()) {
    settle_failed(*f, errc::result_count_mismatch);
    return true;
  }
  workers.succeeded(f->worker);
  for (std::uint32_t i = 0; i < f->seats.size(); ++i) {
    auto members = all_places[f->seats[i]].members.size();
    bool is_error = std::count(report.failed.begin(), report.failed.end(), i) > 0;
    replies[static_cast<std::size_t>(is_error ? outcome::item_error : outcome::ok)] += members;
    ended_arrivals += members;
    empty(f->seats[i], errc::none, i);
  }
  return true;
}

bool core_model::fail(batch_id id, errc why) {
  auto f = land(id);
  if (!f) return false;
  settle_failed(*f, why);
  return true;
}

void core_model::settle_failed(const flight_model& f, errc why) {
  ++failures[static_cast<std::size_t>(*failure_of(why))];
  workers.failed(now, f.worker, opts);
  auto seats = live(f.seats);
  auto* policy = std::get_if<retry::idempotent>(&opts.on_failure);
  bool halves = policy && policy->bisect && seats.size() > 1;
  bool repeats = policy && !halves && !seats.empty() && f.attempt < policy->max_attempts;
  std::size_t price = halves ? 8 : repeats ? 4 : 0;
  if (price > tokens) {
    ++retries_denied;
    halves = repeats = false;
  } else {
    tokens -= price;
  }
  auto middle = seats.begin() + static_cast<std::ptrdiff_t>(halves ? seats.size() / 2 : 0);
  bisections += halves;
  if (halves) requeue(f, {seats.begin(), middle});
  if (halves || repeats) return requeue(f, {middle, seats.end()});
  for (auto s : seats) {
    ended_arrivals += all_places[s].members.size();
    empty(s, why);
  }
}

void core_model::requeue(const flight_model& f, places seats) {
  auto oldest = time_point::max();
  for (auto s : seats) {
    auto& p = all_places[s];
    p.at = item_place::to_retry;
    p.batch = next_retry;
    oldest = std::min(oldest, p.since);
  }
  retries[next_retry++] = {f.key, f.attempt + 1, f.worker, oldest, std::move(seats)};
}

// -- life -----------------------------------------------------------------------------------------

void core_model::expire() {
  if (closed != errc::none) return;
  expire_items();
  give_up_late_flights();
  while (!leases.empty() && leases.front().first <= now) leases.pop_front();
  if (is_out()) answer_waiting(errc::no_workers);
  if (draining && now >= drain_limit) abandon(errc::shut_down);
}

void core_model::expire_items() {
  std::vector<std::tuple<time_point, item_id, number>> over;
  for (std::size_t s = first_inside; s < all_places.size(); ++s)
    for (auto who : all_places[s].members)
      if (items[who].deadline <= now) over.emplace_back(items[who].deadline, items[who].id, who);
  std::sort(over.begin(), over.end());
  for (auto& [deadline, id, who] : over) leave(who, errc::expired);
}

// The worker keeps the batch, its items do not wait for it any longer.
void core_model::give_up_late_flights() {
  std::vector<std::pair<time_point, batch_id>> over;
  for (auto& [id, f] : flights)
    if (!f.is_given_up && f.timeout_at <= now) over.emplace_back(f.timeout_at, id);
  std::sort(over.begin(), over.end());
  for (auto& [at, id] : over) {
    auto& f = flights.at(id);
    f.is_given_up = true;
    given_up.push_back(id);
    wasted += f.seats.size();
    ++ended;
    settle_failed(f, errc::batch_timeout);
    f.seats.clear();
  }
}

void core_model::worker_down(worker_id id) {
  if (!workers.all.contains(id)) return;
  for (auto it = flights.begin(); it != flights.end();) {
    auto& f = it->second;
    if (f.worker != id) {
      ++it;
      continue;
    }
    --lanes[f.key].batches;
    ended += !f.is_given_up;
    if (!f.is_given_up) settle_failed(f, errc::worker_lost);
    it = flights.erase(it);
  }
  workers.down(now, id, opts);
  note_outage();
}

void core_model::worker_leave(worker_id id) {
  bool was_up = workers.is_any_up();
  workers.leave(id);
  if (was_up) note_outage();
}

void core_model::note_outage() {
  if (!workers.is_any_up() && !out_since) out_since = now;
}

void core_model::reconfigure(options next) {
  bool was_up = workers.is_any_up();
  bool has_new_credit = next.worker_credit != opts.worker_credit;
  opts = std::move(next);
  may_repeat = may_repeat || std::holds_alternative<retry::idempotent>(opts.on_failure);
  workers.reconfigure(opts, has_new_credit);
  if (was_up) note_outage();
}

void core_model::drain(duration timeout) {
  if (closed != errc::none) return;
  drain_limit = draining ? std::min(drain_limit, now + timeout) : now + timeout;
  draining = true;
  is_paused = false;
}

void core_model::abandon(errc why) {
  if (closed != errc::none) return;
  closed = why;
  while (!flights.empty()) {
    auto f = land(flights.begin()->first);
    if (!f) continue;
    for (auto s : live(f->seats)) {
      ended_arrivals += all_places[s].members.size();
      empty(s, why);
    }
  }
  answer_waiting(why);
}

void core_model::answer_waiting(errc why) {
  for (std::size_t s = first_inside; s < all_places.size(); ++s) {
    auto at = all_places[s].at;
    if (at == item_place::queued || at == item_place::to_retry) empty(s, why);
  }
}

// -- queries --------------------------------------------------------------------------------------

bool core_model::is_out() const {
  if (!out_since || workers.is_serviceable()) return false;
  return (workers.all.empty() && opts.workers > 0) || now >= *out_since + opts.max_outage;
}

bool core_model::is_idle() const {
  return queue_items() + in_flight_items() + following_items() == 0;
}

bool core_model::has_lane(std::size_t key) const {
  if (!lanes[key].queued.empty() || lanes[key].batches > 0) return true;
  return std::any_of(retries.begin(), retries.end(), [&](auto& r) { return r.second.key == key; });
}

std::size_t core_model::lanes_in_use() const {
  std::size_t sum = 0;
  for (std::size_t key = 0; key < lanes.size(); ++key) sum += has_lane(key);
  return sum;
}

std::size_t core_model::queued_items() const {
  std::size_t sum = 0;
  for (auto& l : lanes) sum += l.queued.size();
  return sum;
}

std::size_t core_model::queue_items() const {
  auto sum = queued_items();
  for (auto& [id, r] : retries) sum += live(r.seats).size();
  return sum;
}

std::size_t core_model::in_flight_items() const {
  std::size_t sum = 0;
  for (auto& [id, f] : flights) sum += live(f.seats).size();
  return sum;
}

std::size_t core_model::following_items() const {
  std::size_t sum = 0;
  for (std::size_t s = first_inside; s < all_places.size(); ++s)
    if (auto n = all_places[s].members.size()) sum += n - 1;
  return sum;
}

std::size_t core_model::cost_of(const places& seats) const {
  std::size_t sum = 0;
  for (auto s : seats) sum += all_places[s].cost;
  return sum;
}

std::size_t core_model::queue_cost() const {
  std::size_t sum = 0;
  for (auto& l : lanes) sum += cost_of(l.queued);
  for (auto& [id, r] : retries) sum += cost_of(live(r.seats));
  return sum;
}

duration core_model::oldest_age() const {
  auto oldest = now;
  for (auto& l : lanes)
    if (!l.queued.empty()) oldest = std::min(oldest, all_places[l.queued.front()].since);
  for (auto& [id, r] : retries) oldest = std::min(oldest, r.oldest);
  return now - oldest;
}

// When the core must be called again at the latest.
std::optional<time_point> core_model::latest_wakeup() const {
  auto at = time_point::max();
  auto consider = [&](time_point x) { at = std::min(at, x); };
  if (closed != errc::none) return std::nullopt;
  if (!is_paused && workers.has_credit(now))
    for (std::size_t key = 0; key < lanes.size(); ++key)
      if (!lanes[key].queued.empty() && !is_blocked(key))
        consider(all_places[lanes[key].queued.front()].since + opts.max_delay);
  for (std::size_t s = first_inside; s < all_places.size(); ++s)
    for (auto who : all_places[s].members) consider(items[who].deadline);
  for (auto& [id, f] : flights)
    if (!f.is_given_up) consider(f.timeout_at);
  if (!leases.empty()) consider(leases.front().first);
  if (draining && !is_idle()) consider(drain_limit);
  for (auto& [id, w] : workers.all) {
    // An idle batcher does not wake up for those that die again and again.
    bool is_wanted = !is_idle() || w.deaths <= 1;
    if (w.stage == worker_stage::down && is_wanted) consider(w.latest);
    // From its earliest end on it may be on probation already.
    bool is_aside = w.stage == worker_stage::aside && w.held == 0 && w.earliest > now;
    if (is_aside && !is_idle()) consider(w.latest);
  }
  if (out_since && !workers.is_serviceable() && (queue_items() > 0 || !asked.empty()))
    consider(*out_since + opts.max_outage);
  return at == time_point::max() ? std::nullopt : std::optional{at};
}

} // namespace batcher::test
