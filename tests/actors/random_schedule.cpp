// SPDX-License-Identifier: BSD-3-Clause

#include "random_schedule.hpp"

#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace batcher::tests {

using namespace std::chrono_literals;

namespace {

// A request is its own number, and parts of it are told from it by multiples of this.
constexpr int part_of = 1'000'000;

// With the hooks `hash` and `equal`, numbers with the same rest are the same request.
constexpr int classes = 7;

} // namespace

schedule::schedule(std::uint32_t bits) {
  dice roll{bits};
  auto opts = random_options(roll);
  note_policy(opts);
  failing_starts_ = roll.one_in(4) ? roll(6) : 0;
  auto how = random_hooks(roll);
  if (roll.one_in(3))
    batcher_ = spawn_watched(opts, how, [this] {
      fail_start();
      return [this](batch xs) {
        note_executed(xs);
        return results_for(std::exchange(next_answer_, answer::values), xs);
      };
    });
  else
    batcher_ = spawn_watched(opts, how, [this] {
      fail_start();
      return [this](batch xs, promise to) {
        note_executed(xs);
        owed_.push_back({{xs.begin(), xs.end()}, std::move(to)});
      };
    });
  for (int i = 0; i < 3; ++i) clients_.push_back(spawn_client());
}

schedule::~schedule() {
  caf::anon_send_exit(batcher_, caf::exit_reason::kill);
  time.run();
  owed_.clear();
  time.run();
}

void schedule::take(std::uint32_t bits) {
  dice roll{bits};
  auto what = roll(48);
  if (what < 9)
    submit_some(roll);
  else if (what < 11)
    send_bulk(roll);
  else if (what < 14)
    ask_some(roll);
  else if (what < 17)
    cancel_one(roll);
  else if (what < 19)
    expect_answer<std::uint32_t>("credit", some_client(roll), actors::credit_atom_v, 1 + roll(5));
  else if (what < 27)
    answer_one(roll, answer::values);
  else if (what < 30)
    answer_one(roll, static_cast<answer>(roll(answers)));
  else if (what < 36)
    time.advance(roll(64) * 100us);
  else
    take_rare(what, roll);
  // Only some of the messages run before the next step comes in between.
  for (auto n = roll(16); n > 0 && time.step(); --n) {
  }
}

void schedule::check_all_answered(std::uint32_t bits) {
  dice roll{bits};
  auto end = roll(4);
  time.run();
  if (end == 0) go_on();
  if (end == 1) tell(batcher_, actors::stop_atom_v);
  if (end == 2) tell(batcher_, actors::drain_atom_v, caf::timespan{1ms});
  if (end == 3) exit(batcher_, caf::exit_reason::kill);
  time.advance(1ms);
  for (auto& x : expected_)
    if (is_waiting(x.client))
      RC_ASSERT(x.answers == 1);
    else
      RC_ASSERT(x.answers <= 1);
  RC_ASSERT(wrong_values_ == 0);
  if (!was_idempotent_)
    for (auto [x, times] : executed_) RC_ASSERT(times == 1);
  if (end == 3 || was_killed_) return;
  check_counters();
  if (end != 0) check_tags();
}

// -- setting up -----------------------------------------------------------------------------------

hooks schedule::random_hooks(dice& roll) {
  hooks how;
  coalesces_ = roll.one_in(3);
  if (coalesces_) {
    how.hash = [](const int& x) { return static_cast<std::size_t>(class_of(x) % 3); };
    how.equal = [](const int& x, const int& y) { return class_of(x) == class_of(y); };
  }
  if (roll.one_in(4)) return how;
  how.cost = [](const int& x) -> std::size_t {
    if (x % 64 == 63) throw std::runtime_error{"no cost"};
    return x >= part_of ? 2 : 1 + static_cast<std::size_t>(x % 5);
  };
  if (roll.one_in(3)) return how;
  how.split = [](const int& x, std::size_t) {
    return std::vector<int>{x + part_of, x + 2 * part_of};
  };
  how.join = [](std::vector<int> xs) { return xs.at(0) == xs.at(1) ? xs[0] : -1; };
  return how;
}

template <class Factory>
handle schedule::spawn_watched(const options& opts, const hooks& how, Factory make) {
  using actor_type = actors::batcher_actor<int, int>;
  auto shared = std::make_shared<const hooks>(how);
  auto start = [this, maker = actors::maker_of<int, int>(std::move(make)),
                shared](actor_type* self, std::size_t number) {
    if (failing_starts_ % 2 == 1) fail_start();
    auto worker =
      actors::spawn_worker<int, int>(self, maker, number, shared, worker_execution::cooperative);
    workers_.push_back(worker.address());
    return worker;
  };
  return time.system().spawn<actor_type>(opts, std::move(start), shared);
}

void schedule::fail_start() {
  if (failing_starts_ == 0) return;
  --failing_starts_;
  throw std::runtime_error{"no start"};
}

// -- requests -------------------------------------------------------------------------------------

int schedule::class_of(int x) { return x % part_of % classes; }

int schedule::value_of(int x) const { return coalesces_ ? class_of(x) : 2 * (x % part_of); }

std::function<void(caf::expected<int>)> schedule::expect(std::size_t client) {
  expected_.push_back({client});
  return [this, x = next_++, i = expected_.size() - 1](const caf::expected<int>& y) {
    ++expected_[i].answers;
    if (y) {
      ++reached_["results"];
      wrong_values_ += *y != value_of(x);
      return;
    }
    wrong_values_ += !y.error();
    for (auto code : all_errcs)
      if (code != errc::none && y.error() == caf::make_error(code))
        ++reached_[std::string{to_string(code)}];
  };
}

actors::submit<int> schedule::random_submit(dice& roll) {
  return {.request = next_,
          .timeout = roll.one_in(6) ? roll(40) * 100us : 0us,
          .priority = static_cast<std::uint8_t>(roll.one_in(30) ? 8 : roll(8)),
          .key = std::array{"", "a", "b"}[roll.one_in(2) ? 0 : roll(3)],
          .tenant = roll.one_in(3) ? "t" : "",
          .tag = roll.one_in(2) ? 1 + roll(20) : 0,
          .on_credit = roll.one_in(3)};
}

void schedule::submit_some(dice& roll) {
  auto client = some_client(roll);
  for (auto n = 1 + roll(5); n > 0; --n) {
    auto x = next_;
    auto what = random_submit(roll);
    bool is_plain = roll.one_in(3);
    if (what.tag != 0 && !is_plain) last_tagged_ = {client, what.tag};
    post(clients_[client], [b = batcher_, x, what, is_plain, keep = expect(client)](auto* self) {
      auto done = [keep](int y) { keep(y); };
      auto failed = [keep](const caf::error& why) { keep(why); };
      if (is_plain)
        actors::compat::request(self, b, x).then(done, failed);
      else
        actors::compat::request(self, b, actors::message_of(what)).then(done, failed);
    });
  }
}

void schedule::send_bulk(dice& roll) {
  bool from_outside = roll.one_in(2);
  auto client = from_outside ? nobody : some_client(roll);
  auto like = random_submit(roll);
  actors::bulk<int> what{.requests = {},
                         .timeout = like.timeout,
                         .priority = like.priority,
                         .key = like.key,
                         .tenant = like.tenant};
  std::vector<std::function<void(caf::expected<int>)>> keepers;
  for (auto n = roll(8); n > 0; --n) {
    what.requests.push_back(next_);
    keepers.push_back(expect(client));
  }
  auto keep_all = [this, keepers](const results& ys) {
    wrong_values_ += ys.size() != keepers.size();
    for (std::size_t i = 0; i < std::min(ys.size(), keepers.size()); ++i) keepers[i](ys[i]);
    ++reached_["bulk"];
  };
  if (from_outside) return actors::ask_all(batcher_, std::move(what), keep_all);
  post(clients_[client], [b = batcher_, msg = actors::message_of(what), keep_all,
                          n = keepers.size()](auto* self) {
    actors::compat::request(self, b, msg)
      .then(
        [keep_all](actors::bulk_reply_message& reply) { keep_all(actors::results_of<int>(reply)); },
        [keep_all, n](const caf::error& why) { keep_all(results(n, caf::expected<int>{why})); });
  });
}

void schedule::ask_some(dice& roll) {
  for (auto n = 1 + roll(3); n > 0; --n) {
    auto what = random_submit(roll);
    actors::ask(batcher_, std::move(what), expect(nobody));
  }
}

void schedule::cancel_one(dice& roll) {
  if (roll.one_in(4)) return actors::cancel(batcher_, 1 + roll(20));
  auto client = some_client(roll);
  std::uint64_t tag = 1 + roll(20);
  if (roll.one_in(2) && is_waiting(last_tagged_.first)) std::tie(client, tag) = last_tagged_;
  expect_answer<bool>("cancel", client, actors::cancel_atom_v, tag);
}

template <class T, class... Ts>
void schedule::expect_answer(std::string what, std::size_t client, Ts... xs) {
  expected_.push_back({client});
  post(clients_[client],
       [this, what, i = expected_.size() - 1, b = batcher_, xs...](caf::event_based_actor* self) {
         actors::compat::request(self, b, xs...)
           .then(
             [this, what, i](const T& y) {
               ++expected_[i].answers;
               reached_[what] += static_cast<int>(y) != 0;
             },
             [this, i](const caf::error&) { ++expected_[i].answers; });
       });
}

// -- what the functions do ------------------------------------------------------------------------

void schedule::note_executed(batch xs) {
  for (auto x : xs) ++executed_[x];
}

results schedule::results_for(answer how, batch xs) {
  if (how == answer::failure || how == answer::dropped) throw std::runtime_error{"as told"};
  results ys;
  for (auto x : xs) ys.emplace_back(value_of(x));
  if (how == answer::one_error) ys[0] = caf::make_error(caf::sec::invalid_argument);
  if (how == answer::one_too_many) ys.emplace_back(0);
  if (how == answer::none_at_all) ys.clear();
  return ys;
}

void schedule::answer_one(dice& roll, answer how) {
  next_answer_ = how;
  if (owed_.empty()) return;
  auto it = owed_.begin() + static_cast<std::ptrdiff_t>(roll(3) % owed_.size());
  auto [requests, to] = std::move(*it);
  owed_.erase(it);
  if (how == answer::dropped) return;
  if (how == answer::failure)
    to.fail(caf::make_error(errc::batch_failed, "as told"));
  else
    to.deliver(results_for(how, requests));
}

// -- what goes wrong ------------------------------------------------------------------------------

void schedule::take_rare(std::uint32_t what, dice& roll) {
  if (what < 39) {
    auto worker = workers_.empty() ? nullptr : live(workers_[roll(64) % workers_.size()]);
    if (worker) caf::anon_send_exit(worker, caf::exit_reason::kill);
  } else if (what < 40) {
    failing_starts_ = roll(6);
  } else if (what < 41) {
    end_client(roll);
  } else if (what < 43) {
    if (roll.one_in(3))
      actors::compat::anon_send(batcher_, actors::pause_atom_v);
    else
      actors::compat::anon_send(batcher_, actors::resume_atom_v);
  } else if (what < 46) {
    auto opts = random_options(roll);
    note_policy(opts);
    actors::compat::anon_send(
      batcher_, actors::reconfigure_message{std::make_shared<const options>(std::move(opts))});
    ++reached_["reconfigured"];
  } else if (what == 46 && roll.one_in(3)) {
    expect_answer<std::uint64_t>("drain", some_client(roll), actors::drain_atom_v,
                                 caf::timespan{roll(16) * 200us});
    ++reached_["drained"];
  } else if (what == 47 && roll.one_in(6)) {
    actors::compat::anon_send(batcher_, actors::stop_atom_v);
  } else if (what == 47 && roll.one_in(6)) {
    caf::anon_send_exit(batcher_, caf::exit_reason::kill);
    was_killed_ = true;
  }
}

void schedule::end_client(dice& roll) {
  auto client = some_client(roll);
  caf::anon_send_exit(clients_[client], caf::exit_reason::kill);
  clients_[client] = nullptr;
  ended_.push_back(client);
  // The last three are those that send.
  for (int i = 0; i < 3; ++i) clients_.push_back(spawn_client());
  ++reached_["ended"];
}

// -- checks ---------------------------------------------------------------------------------------

void schedule::go_on() {
  failing_starts_ = 0;
  tell(batcher_, actors::resume_atom_v);
  auto is_done = [&] {
    for (auto& x : expected_)
      if (is_waiting(x.client) && x.answers == 0) return false;
    return true;
  };
  dice first{0};
  for (int i = 0; i < 400 && !is_done(); ++i) {
    time.advance(4ms);
    while (!owed_.empty()) answer_one(first, answer::values);
    next_answer_ = answer::values;
    time.run();
  }
  // Those of clients that have ended leave with their windows, if not before.
  for (int i = 0; i < 20; ++i) {
    time.advance(4ms);
    while (!owed_.empty()) answer_one(first, answer::values);
    time.run();
  }
}

void schedule::check_counters() {
  auto at_end = stats(batcher_);
  auto& n = at_end.counters;
  RC_ASSERT(n.requests == n.replied());
  RC_ASSERT(n.queue_items + n.queue_cost + n.in_flight_items + at_end.following_items == 0u);
  reached_["coalesced"] += n.coalesced > 0;
  reached_["bisected"] += n.bisections > 0;
  reached_["ran again"] += n.batches[static_cast<std::size_t>(close_reason::retry)] > 0;
  reached_["late"] += n.late_answers > 0;
  reached_["restarted"] += n.restarts > 0;
  reached_["wasted"] += n.wasted_items > 0;
}

void schedule::check_tags() {
  int in_use = 0;
  for (std::uint64_t tag = 1; tag <= 20; ++tag)
    actors::ask(batcher_, actors::submit<int>{.request = 0, .tag = tag},
                [&](const caf::expected<int>& y) {
                  in_use += !y && y.error() == caf::make_error(errc::invalid_request);
                });
  time.run();
  RC_ASSERT(in_use == 0);
}

} // namespace batcher::tests
