// SPDX-License-Identifier: BSD-3-Clause
//
// What the benchmarks share: a backend whose capacity is fixed by sleeping, so that it does not
// depend on how busy the machine is, and clients with open load. When a request is due depends on
// the drawn instants alone, never on earlier replies, and latency counts from that instant: a client
// that falls behind hides nothing.

#pragma once

#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/actors/spawn.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

CAF_BEGIN_TYPE_ID_BLOCK(bench, caf::first_custom_type_id)

  BATCHER_ADD_ATOM(bench, bench, wake_atom, "wake")

CAF_END_TYPE_ID_BLOCK(bench)

namespace bench {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using handle = batcher::actors::batcher_handle<int, int>;

inline double to_ms(steady::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

inline steady::duration seconds(double s) {
  return std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(s));
}

/// Returns the value below which that share of `values` lies, 0 of none. Reorders them.
inline double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  auto rank = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<std::size_t>(rank)];
}

// -- the backend ----------------------------------------------------------------------------------

/// A backend with a fixed cost per call and a smaller one per item. Each answer is the request.
struct backend {
  steady::duration per_batch = 5ms;
  steady::duration per_item = 50us;
  std::size_t workers = 2;
  std::size_t max_batch_items = 64;

  struct tally {
    std::atomic<std::uint64_t> batches = 0;
    std::atomic<std::uint64_t> items = 0;
  };

  std::shared_ptr<tally> count = std::make_shared<tally>();

  [[nodiscard]] steady::duration longest_batch() const {
    return per_batch + per_item * static_cast<std::int64_t>(max_batch_items);
  }

  std::vector<int> operator()(std::span<const int> xs) const {
    std::this_thread::sleep_for(per_batch + per_item * static_cast<std::int64_t>(xs.size()));
    ++count->batches;
    count->items += xs.size();
    return {xs.begin(), xs.end()};
  }
};

/// Returns the items per second that full batches reach without a batcher, one thread per worker.
inline double measure_capacity(const backend& what, double for_seconds = 1) {
  std::atomic<std::uint64_t> items = 0;
  std::vector<std::thread> threads;
  auto begin = steady::now();
  auto end = begin + seconds(for_seconds);
  for (std::size_t i = 0; i < what.workers; ++i)
    threads.emplace_back([&] {
      std::vector<int> batch(what.max_batch_items);
      while (steady::now() < end) items += what(batch).size();
    });
  for (auto& t : threads) t.join();
  return static_cast<double>(items.load())
         / std::chrono::duration<double>(steady::now() - begin).count();
}

// -- clients --------------------------------------------------------------------------------------

/// What a group of clients sends, all of them together.
struct traffic {
  double rate = 0; ///< Unit: requests per second.
  /// How long a request may take, counted from when it was due. Zero: for ever.
  steady::duration time_limit = {};
  std::uint8_t priority = 0;
  std::string tenant = {};
  std::size_t clients =
    8; ///< CAF searches an actor's outstanding requests one by one: not too few.
};

/// What came of it. Every request that was due ends in exactly one of these numbers.
struct tally {
  std::vector<double> served_ms; ///< In time, each with its latency.
  std::uint64_t late = 0;        ///< Answered with a result, but too late.
  std::uint64_t unsent = 0;      ///< The client itself came too late.
  std::uint64_t refused = 0;
  std::uint64_t expired = 0;
  std::uint64_t dropped = 0;
  std::uint64_t failed = 0; ///< Any other error.

  [[nodiscard]] std::uint64_t due() const {
    return served_ms.size() + late + unsent + refused + expired + dropped + failed;
  }

  tally& operator+=(const tally& other) {
    served_ms.insert(served_ms.end(), other.served_ms.begin(), other.served_ms.end());
    late += other.late;
    unsent += other.unsent;
    refused += other.refused;
    expired += other.expired;
    dropped += other.dropped;
    failed += other.failed;
    return *this;
  }
};

/// How long traffic flows before it counts.
inline constexpr double warm_up_seconds = 0.5;

/// What all clients of one run share. Outlives them.
struct run_plan {
  handle to;
  steady::time_point begin;
  steady::time_point counted_from; ///< What is due before fills the queue and is not written down.
  steady::time_point end;
  std::latch& finished;
};

/// A client actor: sends its part of the traffic and ends when all of it is answered.
class client final : public caf::event_based_actor {
public:
  client(caf::actor_config& cfg, const run_plan& plan, const traffic& what, std::uint64_t seed,
         tally& log)
    : caf::event_based_actor{cfg}, plan_{plan}, what_{what}, log_{log}, random_{seed},
      gap_seconds_{what.rate / static_cast<double>(what.clients)}, next_due_{plan.begin} {
    draw_next();
  }

  const char* name() const override { return "bench.client"; }

protected:
  caf::behavior make_behavior() override {
    wake();
    return {[this](wake_atom) { wake(); }};
  }

private:
  void draw_next() { next_due_ += seconds(gap_seconds_(random_)); }

  void wake() {
    auto now = steady::now();
    for (; next_due_ < plan_.end && next_due_ <= now; draw_next()) send_one(next_due_, now);
    if (next_due_ >= plan_.end) return finish_if_done();
    // A timer per request would cost more than the request.
    auto nap = std::clamp<steady::duration>(next_due_ - now, 1ms, 50ms);
    batcher::actors::compat::delayed_send(this, caf::actor_cast<caf::actor>(this), nap,
                                          wake_atom_v);
  }

  void send_one(steady::time_point due, steady::time_point now) {
    auto left = what_.time_limit == steady::duration::zero() ? steady::duration::zero()
                                                             : due + what_.time_limit - now;
    if (left < steady::duration::zero()) {
      ++log_of(due).unsent;
      return;
    }
    ++outstanding_;
    batcher::actors::submit<int> request{
      .request = 1, .timeout = left, .priority = what_.priority, .tenant = what_.tenant};
    batcher::actors::compat::request(this, plan_.to, message_of(std::move(request)))
      .then([this, due](int) { on_result(due, steady::now() - due); },
            [this, due](const caf::error& why) { on_error(due, why); });
  }

  tally& log_of(steady::time_point due) { return due < plan_.counted_from ? not_counted_ : log_; }

  void on_result(steady::time_point due, steady::duration took) {
    if (what_.time_limit != steady::duration::zero() && took > what_.time_limit)
      ++log_of(due).late;
    else
      log_of(due).served_ms.push_back(to_ms(took));
    settle();
  }

  void on_error(steady::time_point due, const caf::error& why) {
    using batcher::errc;
    auto& log = log_of(due);
    if (why == caf::make_error(errc::queue_full))
      ++log.refused;
    else if (why == caf::make_error(errc::expired))
      ++log.expired;
    else if (why == caf::make_error(errc::dropped))
      ++log.dropped;
    else
      ++log.failed;
    settle();
  }

  void settle() {
    --outstanding_;
    if (next_due_ >= plan_.end) finish_if_done();
  }

  void finish_if_done() {
    if (outstanding_ > 0 || is_finished_) return;
    is_finished_ = true;
    quit();
    plan_.finished.count_down();
  }

  const run_plan& plan_;
  const traffic& what_;
  tally& log_;
  tally not_counted_;
  std::size_t outstanding_ = 0;
  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_seconds_;
  steady::time_point next_due_;
  bool is_finished_ = false;
};

/// Sends all of `groups` to `to`, for `warm_up_seconds` and then for so long, and returns, when all is
/// answered, what came of each group after the warm-up. Blocks; not for actors.
inline std::vector<tally> run_traffic(caf::actor_system& system, const handle& to,
                                      const std::vector<traffic>& groups, double for_seconds,
                                      std::uint64_t seed) {
  auto clients =
    std::transform_reduce(groups.begin(), groups.end(), std::ptrdiff_t{0}, std::plus{},
                          [](auto& g) { return static_cast<std::ptrdiff_t>(g.clients); });
  std::latch finished{clients};
  auto begin = steady::now() + 20ms;
  auto counted_from = begin + seconds(warm_up_seconds);
  run_plan plan{to, begin, counted_from, counted_from + seconds(for_seconds), finished};
  std::vector<std::vector<tally>> logs;
  for (const auto& group : groups) logs.emplace_back(group.clients);
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (auto& log : logs[g]) system.spawn<client>(plan, groups[g], seed++, log);
  finished.wait();
  std::vector<tally> results(groups.size());
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (const auto& log : logs[g]) results[g] += log;
  return results;
}

/// The actor system of a benchmark.
struct test_bed {
  struct config : batcher::actors::system_config<caf::id_block::bench> {
    config() {
      batcher::actors::compat::set_policy(*this, "sharing"); // lower latency than the default
      batcher::actors::compat::set_threads(
        *this, std::max<std::size_t>(1, std::thread::hardware_concurrency()));
    }
  };

  config cfg;
  caf::actor_system system{cfg};
};

} // namespace bench
