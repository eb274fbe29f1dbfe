// SPDX-License-Identifier: BSD-3-Clause
//
// Random schedules: the steps. What happens between them is in schedule_driver.cpp.

#include "schedule.hpp"

namespace batcher::test {

using namespace std::chrono_literals;

schedule::schedule(std::uint64_t bits) {
  dice d{bits};
  auto opts = random_options(d);
  fails_often_ = d.one_in(16); // until the budget for retries is used up
  if (fails_often_) {
    opts.on_failure = retry::idempotent{.max_attempts = 9, .bisect = d.one_in(2), .budget = 0};
    opts.breaker_failures = 0;
  }
  model_.opts = opts;
  model_.may_repeat = std::holds_alternative<retry::idempotent>(opts.on_failure);
  model_.coalesces = d.one_in(2);
  coalescing<test_item> same;
  if (model_.coalesces)
    same = {.hash = [](auto& x) { return x.known->content % 3; }, // some collide
            .equal = [](auto& x, auto& y) { return x.known->content == y.known->content; }};
  opts.observer = observer_;
  core_ = std::make_unique<core_type>(std::move(opts), bits, std::move(same));
  model_.now = time_point{1h};
  expire(); // so that the core has seen the time, too
  drive();
  bool all_start = !d.one_in(4);
  while (all_start && model_.workers.count(worker_stage::starting) > 0) finish_start(d);
  drive();
}

void schedule::take(std::uint64_t bits) {
  dice d{bits};
  skew_ = d.one_in(16) ? duration{static_cast<std::int64_t>(1 + d.below(3'000)) * 1us} : 0us;
  if (skew_ > 0us) note("clock backwards");
  auto what = d.below(100);
  if (fails_often_ && d.one_in(3))
    fail(d);
  else if (what < 32)
    admit(d);
  else if (what < 52)
    advance(d);
  else if (what < 68)
    complete(d);
  else if (what < 74)
    fail(d);
  else if (what < 80)
    finish_start(d);
  else if (what < 82)
    worker_up(next_guest_++, 1 + d.below(3));
  else if (what < 83)
    worker_leave(d);
  else if (what < 85)
    worker_down(d);
  else if (what < 89)
    cancel(d);
  else if (what < 92)
    lose_sender(d);
  else if (what < 95)
    ask_credit(d);
  else
    live(d);
  drive();
  skew_ = 0us;
}

// -- requests -------------------------------------------------------------------------------------

void schedule::admit(dice& d) {
  for (auto left = 1 + d.below(4); left > 0; --left) {
    auto who = static_cast<number>(model_.items.size());
    auto& e = model_.items.emplace_back();
    e.content = d.below(4);
    e.is_gone = d.one_in(40);
    auto key = d.below(d.one_of<std::size_t>({1, 2, key_names.size()}));
    auto tenant = d.below(tenant_names.size());
    placement where{.key = key_names[key],
                    .tenant = tenant_names[tenant],
                    .priority =
                      static_cast<std::uint8_t>(d.one_in(60) ? 8 : d.below(4) * d.below(3)),
                    .cost = d.one_in(40) ? 20 : d.below(5),
                    .on_credit = d.one_in(3)};
    if (d.one_in(3)) where.timeout = static_cast<std::int64_t>(1 + d.below(80)) * 250us;
    if (d.one_in(60)) where.timeout = d.one_of<duration>({-1ns, duration::max()});
    test_item item{std::make_unique<number>(who), &e};
    ++model_.requests;
    auto expected = model_.why_refused(e, where, key, tenant);
    auto [refused, id] = core_->admit(clock(), std::move(item), where);
    expect(refused == expected);
    expect((item.who != nullptr) == (refused != errc::none));
    expect((id != 0) == (refused == errc::none));
    if (refused != errc::none) {
      ++model_.replies[static_cast<std::size_t>(outcome_of(refused))];
    } else {
      e.id = id;
      auto& gone = core_->departures();
      auto dropped = gone.empty() ? std::nullopt : std::optional{*gone.front().item.who};
      std::optional<std::size_t> loser;
      if (!model_.twin(e.content, key)) loser = model_.loser(where, key, tenant, dropped);
      model_.admit(who, where, key, tenant);
      if (loser) model_.empty(*loser, errc::dropped);
    }
    settle();
  }
}

void schedule::cancel(dice& d) {
  if (model_.items.empty() || d.one_in(8)) {
    expect(!core_->cancel(clock(), d.one_of<item_id>({0, 77, UINT64_MAX})));
    return;
  }
  auto& e = model_.items[d.below(model_.items.size())];
  expect(core_->cancel(clock(), e.id) == e.is_inside);
  if (!e.is_inside) return note("stale cancel");
  for (auto who : model_.all_places[e.place].members)
    if (&model_.items[who] == &e) {
      model_.leave(who, errc::cancelled);
      break;
    }
  settle();
}

void schedule::lose_sender(dice& d) {
  if (model_.items.empty()) return;
  auto last = std::min<std::size_t>(model_.items.size(), 16);
  model_.items[model_.items.size() - 1 - d.below(last)].is_gone = true;
}

void schedule::ask_credit(dice& d) {
  auto items = d.below(6);
  model_.asked.push_back({next_ticket_, std::max<std::size_t>(items, 1)});
  core_->ask_credit(clock(), next_ticket_++, items);
}

// -- workers --------------------------------------------------------------------------------------

void schedule::finish_start(dice& d) {
  for (auto& [id, w] : model_.workers.all) {
    if (w.stage != worker_stage::starting) continue;
    if (!d.one_in(6)) return worker_up(id, model_.opts.worker_credit);
    core_->worker_down(clock(), id);
    model_.worker_down(id);
    settle();
    return note("start failed");
  }
}

void schedule::worker_up(worker_id id, std::size_t credit) {
  core_->worker_up(clock(), id, credit);
  model_.workers.up(id, credit);
  if (model_.workers.is_any_up()) model_.out_since.reset();
}

void schedule::worker_down(dice& d) {
  // Sometimes one that nobody knows, or that has been dead for long.
  auto id = d.one_in(3) ? 1'000 + d.below(4) : d.below(model_.workers.next_own + 1);
  core_->worker_down(clock(), id);
  model_.worker_down(id);
  settle();
}

void schedule::worker_leave(dice& d) {
  auto id = 1'000 + d.below(6);
  if (model_.workers.all.contains(id)) note("left");
  core_->worker_leave(clock(), id);
  model_.worker_leave(id);
  settle();
}

// -- batches --------------------------------------------------------------------------------------

std::optional<batch_id> schedule::pick_flight(dice& d) const {
  if (model_.flights.empty()) return std::nullopt;
  auto nth = static_cast<std::ptrdiff_t>(d.below(model_.flights.size()));
  return std::next(model_.flights.begin(), nth)->first;
}

void schedule::complete(dice& d) {
  auto id = pick_flight(d);
  if (!id || d.one_in(30)) id = d.one_of<batch_id>({0, 1, 1'000'000});
  auto it = model_.flights.find(*id);
  auto n = it == model_.flights.end() ? 1 : it->second.seats.size();
  batch_report report{.results = n, .failed = {}, .executed = 1ms};
  if (d.one_in(8)) report.results = d.one_in(2) ? n + 1 : n - 1;
  for (std::uint32_t i = 0; i < n; ++i)
    if (d.one_in(6)) report.failed.push_back(i);
  complete(*id, report);
}

void schedule::complete(batch_id id, const batch_report& report) {
  expect(core_->complete(clock(), id, report) == model_.complete(id, report));
  check_sharing();
  settle();
}

void schedule::fail(dice& d) {
  for (auto left = fails_often_ ? 3 : 1; left > 0; --left) {
    auto id = pick_flight(d);
    if (!id || d.one_in(30)) id = d.one_of<batch_id>({0, 1, 1'000'000});
    auto why = d.one_of({errc::batch_failed, errc::batch_failed, errc::worker_lost});
    expect(core_->fail(clock(), *id, why) == model_.fail(*id, why));
    settle();
  }
}

// -- life -----------------------------------------------------------------------------------------

void schedule::advance(dice& d) {
  skew_ = 0us; // the core has to see the new time
  if (d.one_in(3)) return wait_for_deadline();
  model_.now += d.one_in(8) ? static_cast<std::int64_t>(d.below(100)) * 1ms
                            : static_cast<std::int64_t>(d.below(60)) * 50us;
  // A driver may be late with `expire`; nothing is dispatched that is over.
  if (!d.one_in(4)) expire();
}

// The instant before the deadline nothing happens, so that nobody needs to ask any earlier.
void schedule::wait_for_deadline() {
  auto at = core_->next_deadline();
  if (!at) return;
  note("waited for a deadline");
  // Without items a drain may come to its end, and a worker be started, whenever somebody asks.
  bool is_idle = core_->is_idle();
  if (*at > model_.now) {
    model_.now = *at - 1ns;
    expect(expire() + drive_once() == 0 || is_idle);
    expect(core_->next_deadline() == at || is_idle);
    model_.now = *at;
  }
  expire();
}

void schedule::live(dice& d) {
  auto what = d.below(16);
  if (what < 4) {
    core_->pause();
    model_.is_paused = true;
  } else if (what < 9) {
    core_->resume();
    model_.is_paused = false;
  } else if (what < 13) {
    auto opts = random_options(d);
    model_.reconfigure(opts);
    core_->reconfigure(clock(), std::move(opts));
    note("reconfigured");
  } else if (what < 15) {
    auto timeout = static_cast<std::int64_t>(d.below(40)) * 500us;
    core_->drain(clock(), timeout);
    model_.drain(timeout);
  } else if (d.one_in(2)) {
    auto why = d.one_of({errc::shut_down, errc::no_workers});
    core_->abandon(clock(), why);
    model_.abandon(why);
    settle();
    note("abandoned");
  }
}

} // namespace batcher::test
