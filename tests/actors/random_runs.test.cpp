// SPDX-License-Identifier: BSD-3-Clause
//
// The reply contract as a property of the actors. Random schedules mix everything that can be asked
// of a batcher with everything that can go wrong, single messages interleaved at random; in each
// every request is answered exactly once and with what is its own, whoever ended is not waited for,
// and the batcher's own counters add up. RapidCheck prints the seed and the number of schedules.

#include "actor_fixture.hpp"

#include <rapidcheck.h>

#include <array>
#include <cstdlib>
#include <random>
#include <tuple>

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

using promise = actors::batch_promise<int>;
using results = actors::bulk_results<int>;
using hooks = actors::hooks<int, int>;

/// Numbers drawn from the bits that RapidCheck gives.
class dice {
public:
  explicit dice(std::uint32_t bits) : random_{bits} { random_.discard(2); }
  /// Returns a number from 0 to n - 1.
  std::uint32_t operator()(std::uint32_t n) {
    return static_cast<std::uint32_t>((random_() >> 8) % n);
  }
  bool one_in(std::uint32_t n) { return (*this)(n) == 0; }

private:
  std::minstd_rand random_;
};

options random_options(dice& roll) {
  options opts;
  opts.max_batch_items = 1 + roll(5);
  if (roll.one_in(4)) {
    opts.allowed_batch_items = {opts.max_batch_items};
    opts.size_rounding = roll.one_in(2) ? size_rounding::pad : size_rounding::down;
  }
  opts.max_batch_cost = roll.one_in(2) ? 3 + roll(4) : 0;
  opts.max_delay = roll(4) * 1ms;
  opts.when_idle = roll.one_in(2) ? when_idle::immediate : when_idle::fill;
  opts.batch_timeout = roll.one_in(3) ? (1 + roll(8)) * 1ms : 0ms;
  opts.request_timeout = roll.one_in(3) ? (1 + roll(20)) * 1ms : 0ms;
  opts.max_queue_items = 5 + roll(12);
  opts.max_lanes = 1 + roll(3);
  opts.max_lane_batches = roll(3);
  opts.overload = static_cast<overload>(roll(3));
  opts.credit_lease = 5ms;
  if (roll.one_in(2))
    opts.on_failure = retry::idempotent{.max_attempts = 1 + roll(3), .bisect = roll.one_in(2)};
  opts.workers = 1 + roll(3);
  opts.worker_credit = 1 + roll(3);
  opts.worker_execution = worker_execution::cooperative;
  opts.restart_delay = roll.one_in(4) ? 0ms : 2ms;
  opts.max_restart_delay = 8ms;
  opts.max_outage = roll(4) * 1ms;
  opts.breaker_failures = roll(3);
  return opts;
}

/// What the answer to a batch comes to.
enum class answer { values, one_error, failure, one_too_many, none_at_all, dropped };
constexpr std::uint32_t answers = 6;

// A request is its own number, and parts of it are told from it by multiples of this.
constexpr int part_of = 1'000'000;

// With the hooks `hash` and `equal`, numbers with the same rest are the same request.
constexpr int classes = 7;

class schedule : public actor_fixture {
public:
  explicit schedule(std::uint32_t bits) {
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

  ~schedule() {
    caf::anon_send_exit(batcher_, caf::exit_reason::kill);
    time.run();
    owed_.clear();
    time.run();
  }

  void take(std::uint32_t bits) {
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

  /// Lets the functions answer, ends the batcher one way or another, and counts.
  void check_all_answered(std::uint32_t bits) {
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

  /// Adds what this schedule has reached to the counts of all schedules.
  void add_to(std::map<std::string, int>& reached) const {
    for (auto& [what, times] : reached_) reached[what] += times > 0;
  }

private:
  struct expectation {
    std::size_t client;
    int answers = 0;
  };
  struct owed_batch {
    std::vector<int> requests;
    promise to;
  };

  static constexpr std::size_t nobody = ~std::size_t{0}; // from outside

  // -- setting up ---------------------------------------------------------------------------------

  hooks random_hooks(dice& roll) {
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
  handle spawn_watched(const options& opts, const hooks& how, Factory make) {
    using actor_type = actors::batcher_actor<int, int>;
    auto factory = std::make_shared<const Factory>(std::move(make));
    auto shared = std::make_shared<const hooks>(how);
    auto start = [this, factory, shared](actor_type* self, std::size_t number) {
      if (failing_starts_ % 2 == 1) fail_start();
      auto worker = self->spawn(&actors::worker_actor<int, int, Factory>, factory, number, shared);
      workers_.push_back(worker.address());
      return worker;
    };
    return time.system().spawn<actor_type>(opts, std::move(start), shared);
  }

  void fail_start() {
    if (failing_starts_ == 0) return;
    --failing_starts_;
    throw std::runtime_error{"no start"};
  }

  void note_policy(const options& opts) {
    was_idempotent_ |= !std::holds_alternative<retry::never>(opts.on_failure);
  }

  // -- requests -----------------------------------------------------------------------------------

  static int class_of(int x) { return x % part_of % classes; }

  int value_of(int x) const { return coalesces_ ? class_of(x) : 2 * (x % part_of); }

  /// Returns what takes the answer to a new request, which has the number `next_`.
  std::function<void(caf::expected<int>)> expect(std::size_t client) {
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

  actors::submit<int> random_submit(dice& roll) {
    return {.request = next_,
            .timeout = roll.one_in(6) ? roll(40) * 100us : 0us,
            .priority = static_cast<std::uint8_t>(roll.one_in(30) ? 8 : roll(8)),
            .key = std::array{"", "a", "b"}[roll.one_in(2) ? 0 : roll(3)],
            .tenant = roll.one_in(3) ? "t" : "",
            .tag = roll.one_in(2) ? 1 + roll(20) : 0,
            .on_credit = roll.one_in(3)};
  }

  void submit_some(dice& roll) {
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

  void send_bulk(dice& roll) {
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
          [keep_all](actors::bulk_reply_message& reply) {
            keep_all(actors::results_of<int>(reply));
          },
          [keep_all, n](const caf::error& why) { keep_all(results(n, caf::expected<int>{why})); });
    });
  }

  void ask_some(dice& roll) {
    for (auto n = 1 + roll(3); n > 0; --n) {
      auto what = random_submit(roll);
      actors::ask(batcher_, std::move(what), expect(nobody));
    }
  }

  void cancel_one(dice& roll) {
    if (roll.one_in(4)) return actors::cancel(batcher_, 1 + roll(20));
    auto client = some_client(roll);
    std::uint64_t tag = 1 + roll(20);
    if (roll.one_in(2) && is_waiting(last_tagged_.first)) std::tie(client, tag) = last_tagged_;
    expect_answer<bool>("cancel", client, actors::cancel_atom_v, tag);
  }

  /// Sends what has an answer of its own, which is owed as well.
  template <class T, class... Ts>
  void expect_answer(std::string what, std::size_t client, Ts... xs) {
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

  // -- what the functions do ----------------------------------------------------------------------

  void note_executed(batch xs) {
    for (auto x : xs) ++executed_[x];
  }

  results results_for(answer how, batch xs) {
    if (how == answer::failure || how == answer::dropped) throw std::runtime_error{"as told"};
    results ys;
    for (auto x : xs) ys.emplace_back(value_of(x));
    if (how == answer::one_error) ys[0] = caf::make_error(caf::sec::invalid_argument);
    if (how == answer::one_too_many) ys.emplace_back(0);
    if (how == answer::none_at_all) ys.clear();
    return ys;
  }

  /// Answers one of the batches that are owed, or says how the next one will be answered.
  void answer_one(dice& roll, answer how) {
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

  // -- what goes wrong ----------------------------------------------------------------------------

  void take_rare(std::uint32_t what, dice& roll) {
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

  static caf::actor live(const caf::actor_addr& addr) { return caf::actor_cast<caf::actor>(addr); }

  std::size_t some_client(dice& roll) { return clients_.size() - 1 - roll(3); }

  // Another one comes in its place.
  void end_client(dice& roll) {
    auto client = some_client(roll);
    caf::anon_send_exit(clients_[client], caf::exit_reason::kill);
    clients_[client] = nullptr;
    ended_.push_back(client);
    // The last three are those that send.
    for (int i = 0; i < 3; ++i) clients_.push_back(spawn_client());
    ++reached_["ended"];
  }

  bool is_waiting(std::size_t client) const {
    return std::find(ended_.begin(), ended_.end(), client) == ended_.end();
  }

  // -- checks -------------------------------------------------------------------------------------

  // Nothing ends: time passes and the functions answer.
  void go_on() {
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

  void check_counters() {
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

  // Nothing is left, so every tag is free; the closed batcher refuses with another code.
  void check_tags() {
    int in_use = 0;
    for (std::uint64_t tag = 1; tag <= 20; ++tag)
      actors::ask(batcher_, actors::submit<int>{.request = 0, .tag = tag},
                  [&](const caf::expected<int>& y) {
                    in_use += !y && y.error() == caf::make_error(errc::invalid_request);
                  });
    time.run();
    RC_ASSERT(in_use == 0);
  }

  handle batcher_;
  std::vector<caf::actor> clients_;
  std::vector<std::size_t> ended_;
  std::pair<std::size_t, std::uint64_t> last_tagged_; // client and tag
  std::vector<caf::actor_addr> workers_;
  std::vector<owed_batch> owed_;
  answer next_answer_ = answer::values;
  std::uint32_t failing_starts_ = 0;
  bool coalesces_ = false;
  bool was_idempotent_ = false;
  bool was_killed_ = false;
  int next_ = 0;
  int wrong_values_ = 0;
  std::vector<expectation> expected_;
  std::map<int, int> executed_;
  std::map<std::string, int> reached_;
};

// Everything that enough of the schedules must reach, or they no longer test it.
const std::vector<std::string> all_goals = [] {
  std::vector<std::string> out{"results", "bulk",    "credit",      "cancel",    "coalesced",
                               "late",    "ended",   "bisected",    "ran again", "restarted",
                               "wasted",  "drained", "reconfigured"};
  for (auto code : all_errcs)
    if (code != errc::none && code != errc::invalid_options) out.emplace_back(to_string(code));
  return out;
}();

} // namespace

TEST_CASE("in every random schedule of faults each request is answered exactly once") {
  bool usual = std::getenv("RC_PARAMS") == nullptr;
  if (usual) ::setenv("RC_PARAMS", "max_success=10000 max_size=150", 0);
  auto bits = rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint32_t>());
  std::map<std::string, int> reached;
  CHECK(rc::check("random schedules of the actors", [&] {
    schedule s{*bits};
    for (auto step : *rc::gen::container<std::vector<std::uint32_t>>(bits)) s.take(step);
    s.check_all_answered(*bits);
    s.add_to(reached);
  }));
  for (auto& what : all_goals) {
    CAPTURE(what, reached[what]);
    if (usual) CHECK(reached[what] >= 100);
  }
}
