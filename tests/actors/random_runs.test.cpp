// SPDX-License-Identifier: BSD-3-Clause
//
// The reply contract as a property of the actors: in random schedules of requests, exceptions,
// wrong counts, worker deaths, drains, stops and kills, single messages interleaved at random,
// every request is answered exactly once. RapidCheck prints the seed and the number of schedules.

#include "held_workers.hpp"

#include <rapidcheck.h>

#include <cstdlib>
#include <set>

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

class schedule : public held_fixture {
public:
  explicit schedule(std::uint32_t bits) {
    batcher_ = spawn_held({.max_batch_items = 1 + bits % 5,
                           .max_delay = (bits >> 3) % 4 * 1ms,
                           .when_idle = (bits >> 5) % 2 ? when_idle::fill : when_idle::immediate,
                           .max_queue_items = 5 + (bits >> 6) % 12,
                           .workers = 1 + (bits >> 10) % 3,
                           .worker_credit = 1 + (bits >> 12) % 2,
                           .restart_delay = 0ns});
  }

  void take(std::uint32_t bits) {
    auto what = bits % 32;
    auto x = (bits >> 5) % 64;
    if (what < 10)
      send_some(x);
    else if (what < 13)
      ask_some(x);
    else if (what < 20)
      release(x % workers.size(), fate::doubled);
    else if (what < 23)
      release(x % workers.size(), static_cast<fate>(1 + x % 4));
    else if (what < 27)
      time.advance(x * 100us);
    else if (what < 28)
      caf::anon_send_exit(workers[x % workers.size()], caf::exit_reason::kill);
    else if (what < 29 && x < 16)
      tell(batcher_, actors::drain_atom_v, caf::timespan{x * 200us});
    else if (what < 30 && x < 8)
      tell(batcher_, actors::stop_atom_v);
    else if (what < 31 && x < 8)
      caf::anon_send_exit(batcher_, caf::exit_reason::kill);
    // Only some of the messages run before the next step comes in between.
    for (auto n = (bits >> 11) % 16; n > 0 && time.step(); --n) {
    }
  }

  /// Lets every worker finish, ends the batcher one way or another, and counts.
  void check_all_answered(std::uint32_t bits) {
    time.run();
    if (bits % 4 == 0) {
      // Nothing ends: the window passes and the workers do what they hold.
      for (std::uint32_t i = 0; i <= sent_ && answered.total() < sent_; ++i) {
        time.advance(4ms);
        for (std::size_t w = 0; w < workers.size(); ++w) release(w);
        time.run();
      }
    } else {
      if (bits % 4 == 1) tell(batcher_, actors::stop_atom_v);
      if (bits % 4 == 2) tell(batcher_, actors::drain_atom_v, caf::timespan{1ms});
      if (bits % 4 == 3) caf::anon_send_exit(batcher_, caf::exit_reason::kill);
      time.run();
      time.advance(1ms);
    }
    RC_ASSERT(answered.total() == sent_);
    std::set<int> once;
    for (auto& [request, y] : answered.values) {
      RC_ASSERT(y == 2 * request);
      RC_ASSERT(once.insert(request).second);
    }
    for (auto& [request, why] : answered.errors) {
      RC_ASSERT(why != caf::error{});
      RC_ASSERT(once.insert(request).second);
    }
  }

  /// Adds what this schedule has reached to the counts of all schedules.
  void add_to(std::map<std::string, int>& reached) {
    reached["results"] += !answered.values.empty();
    for (auto code : {errc::queue_full, errc::draining, errc::no_workers, errc::shut_down,
                      errc::worker_lost, errc::batch_failed, errc::result_count_mismatch})
      reached[std::string{to_string(code)}] += answered.failed_with(code) > 0;
  }

private:
  void send_some(std::uint32_t x) {
    auto from = static_cast<int>(sent_);
    sent_ += 1 + x % 6;
    send_requests(batcher_, from, static_cast<int>(sent_));
  }

  void ask_some(std::uint32_t x) {
    for (std::uint32_t i = 0; i <= x % 3; ++i) {
      auto number = static_cast<int>(sent_++);
      actors::ask(batcher_, number, [this, number](caf::expected<int> y) {
        if (y)
          answered.values.emplace(number, *y);
        else
          answered.errors.emplace(number, y.error());
      });
    }
  }

  handle batcher_;
  std::uint32_t sent_ = 0;
};

} // namespace

TEST_CASE("in every random schedule of faults each request is answered exactly once") {
  bool usual = std::getenv("RC_PARAMS") == nullptr;
  if (usual) ::setenv("RC_PARAMS", "max_success=1000", 0);
  auto bits = rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint32_t>());
  std::map<std::string, int> reached;
  CHECK(rc::check("random schedules of the actors", [&] {
    schedule s{*bits};
    for (auto step : *rc::gen::container<std::vector<std::uint32_t>>(bits)) s.take(step);
    s.check_all_answered(*bits);
    s.add_to(reached);
  }));
  for (auto& [what, schedules] : reached) {
    CAPTURE(what);
    if (usual) CHECK(schedules >= 10); // else the schedules no longer test it
  }
}
