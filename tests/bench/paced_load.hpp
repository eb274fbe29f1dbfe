// SPDX-License-Identifier: BSD-3-Clause
//
// Open load to the tenth of a millisecond, and a worker that sleeps as long as it says: where a
// figure is held against a simulation, a client that looks at the clock once a millisecond and the
// 50 us by which Linux wakes a thread too late would count as the batcher's.

#pragma once

#include "load.hpp"

#include <sys/prctl.h>

#include <cstdint>
#include <latch>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

/// Lets sleeps of this thread end in time.
inline void sleep_precisely() { ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }

/// Sleeps for a fixed time per call and a smaller one per item.
struct precise_backend {
  steady::duration per_batch;
  steady::duration per_item;

  std::vector<int> operator()(std::span<const int> xs) const {
    auto until = steady::now() + per_batch + per_item * static_cast<std::int64_t>(xs.size());
    sleep_precisely();
    std::this_thread::sleep_until(until);
    return {xs.begin(), xs.end()};
  }
};

/// Sends one request for each instant that it is told, and writes its latency down. Ends at a
/// negative instant, once all is answered.
class paced_client final : public caf::event_based_actor {
public:
  paced_client(caf::actor_config& cfg, handle to, std::vector<double>& log, std::latch& finished)
    : caf::event_based_actor{cfg}, to_{std::move(to)}, log_{log}, finished_{finished} {}

  const char* name() const override { return "bench.paced_client"; }

protected:
  caf::behavior make_behavior() override {
    return {[this](wake_atom, std::int64_t due) { send_one(due); }};
  }

private:
  void send_one(std::int64_t due) {
    is_over_ = due < 0;
    if (!is_over_) {
      ++outstanding_;
      steady::time_point since{steady::duration{due}};
      batcher::actors::submit<int> request{.request = 1};
      batcher::actors::compat::request(this, to_, message_of(std::move(request)))
        .then([this, since](int) { settle(to_ms(steady::now() - since)); },
              [this](const caf::error&) { settle(1e9); });
    }
    finish_if_done();
  }

  void settle(double latency_ms) {
    log_.push_back(latency_ms);
    --outstanding_;
    finish_if_done();
  }

  void finish_if_done() {
    if (!is_over_ || outstanding_ > 0) return;
    quit();
    finished_.count_down();
  }

  handle to_;
  std::vector<double>& log_;
  std::latch& finished_;
  std::size_t outstanding_ = 0;
  bool is_over_ = false;
};

/// Sends Poisson arrivals for so long, and returns the latencies of those after the first tenth. A
/// request that failed counts as one that took very long. Blocks; not for actors.
inline std::vector<double> run_paced(caf::actor_system& system, const handle& to, double rate,
                                     double for_seconds, std::uint64_t seed) {
  constexpr std::ptrdiff_t clients = 8;
  std::latch finished{2 * clients};
  std::vector<std::vector<double>> logs(2 * clients); // the first half: not counted
  std::vector<caf::actor> actors;
  for (auto& log : logs) actors.push_back(system.spawn<paced_client>(to, log, finished));
  std::mt19937_64 random{seed};
  std::exponential_distribution<double> gap{rate};
  sleep_precisely();
  auto begin = steady::now() + 20ms;
  auto counted_from = begin + seconds(for_seconds / 10);
  auto end = begin + seconds(for_seconds);
  std::size_t next = 0;
  for (auto due = begin; due < end; due += seconds(gap(random))) {
    // Those of a tenth of a millisecond go together, from one client.
    if (due > steady::now()) {
      std::this_thread::sleep_until(due + 100us);
      next = (next + 1) % clients;
    }
    auto& client = actors[next + (due < counted_from ? 0 : clients)];
    batcher::actors::compat::anon_send(client, wake_atom_v,
                                       std::int64_t{due.time_since_epoch().count()});
  }
  for (auto& client : actors)
    batcher::actors::compat::anon_send(client, wake_atom_v, std::int64_t{-1});
  finished.wait();
  std::vector<double> counted;
  for (auto log = logs.begin() + clients; log != logs.end(); ++log)
    counted.insert(counted.end(), log->begin(), log->end());
  return counted;
}

} // namespace bench
