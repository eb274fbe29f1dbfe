// SPDX-License-Identifier: BSD-3-Clause
//
// Batchers whose functions throw, lie, dawdle and cannot be made, and options that change under
// way. Numbers are doubled; a number ending in 3 is an item at fault, one ending in 777 breaks its
// whole batch.

#pragma once

#include "ledger.hpp"

#include "batcher/actors/ask.hpp"
#include "batcher/actors/control.hpp"
#include "batcher/actors/spawn.hpp"
#include "batcher/observer.hpp"

#include <atomic>
#include <chrono>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace soak {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using handle = batcher::actors::batcher_handle<int, int>;
using config = batcher::actors::system_config<>;

/// Random choices.
class randomness {
public:
  explicit randomness(std::uint64_t seed) : engine_{seed} {}

  [[nodiscard]] std::uint64_t next() { return engine_(); }
  /// Range of the result: 0 to `n` - 1.
  [[nodiscard]] std::size_t below(std::size_t n) { return engine_() % n; }
  [[nodiscard]] bool chance(double share) {
    return std::uniform_real_distribution<double>{}(engine_) < share;
  }

private:
  std::mt19937_64 engine_;
};

inline randomness new_randomness() {
  static std::atomic<std::uint64_t> seed = 1'000;
  return randomness{seed++};
}

inline batcher::actors::bulk_results<int> doubled(std::span<const int> xs) {
  batcher::actors::bulk_results<int> results;
  for (auto x : xs) {
    if (x % 1'000 == 777) throw std::runtime_error{"a poison item"};
    if (x % 10 == 3)
      results.emplace_back(item_error());
    else
      results.emplace_back(2 * x);
  }
  return results;
}

inline void refuse_to_start_at_times() {
  if (new_randomness().chance(0.3)) throw std::runtime_error{"no worker this time"};
}

inline constexpr std::size_t dear = 50;

inline batcher::actors::hooks<int, int> make_hooks() {
  return {
    .cost = [](const int& x) { return x % 97 == 0 ? dear : 1 + static_cast<std::size_t>(x % 4); },
    .split =
      [](const int& x, std::size_t) {
        return std::vector{x - 1, 1};
      },
    .join = [](std::vector<int> parts) { return parts.at(0) + parts.at(1); },
    .hash = [](const int& x) { return std::hash<int>{}(x); },
    .equal = [](const int& x, const int& y) { return x == y; },
    .warm_up = {{2, 4}},
  };
}

/// Returns options that are good and differ from call to call.
inline batcher::options random_options(randomness& random) {
  auto batch = 1 + random.below(64);
  auto queue = batch + random.below(2'000);
  batcher::options opts{
    .name = "faulty",
    .max_batch_items = batch,
    .preferred_batch_items = random.below(batch + 1),
    .max_batch_cost = random.chance(0.5) ? dear - 10 : 0,
    .max_delay = std::chrono::microseconds{random.below(4'000)},
    .when_idle = random.chance(0.5) ? batcher::when_idle::fill : batcher::when_idle::immediate,
    .batch_timeout = random.chance(0.7) ? 20ms : 0ms,
    .request_timeout = random.chance(0.5) ? 100ms : 0ms,
    .max_queue_items = queue,
    .max_lane_items = random.chance(0.5) ? batch + random.below(queue - batch + 1) : 0,
    .max_tenant_items = random.chance(0.3) ? 1 + random.below(queue) : 0,
    .max_lanes = 2 + random.below(8),
    .max_lane_batches = random.below(4),
    .overload = static_cast<batcher::overload>(random.below(3)),
    .credit_lease = 5ms,
    .priority_head_start = std::chrono::milliseconds{random.below(20)},
    .tenant_weights = {{"a", 1 + static_cast<std::uint32_t>(random.below(5))}},
    .workers = 1 + random.below(4),
    .worker_credit = 1 + random.below(3),
    .restart_delay = 2ms,
    .max_restart_delay = 50ms,
    .max_outage = 50ms,
    .breaker_failures = random.below(4),
  };
  if (batch >= 8 && random.chance(0.3)) {
    opts.allowed_batch_items = {batch / 4, batch / 2, batch};
    opts.size_rounding =
      random.chance(0.5) ? batcher::size_rounding::pad : batcher::size_rounding::down;
  }
  if (random.chance(0.7))
    opts.on_failure = batcher::retry::idempotent{.max_attempts = 1 + random.below(4),
                                                 .bisect = random.chance(0.7),
                                                 .budget = random.chance(0.5) ? 0.2 : 10};
  return opts;
}

/// Keeps hold of the counters of a batcher's shards, which outlive it.
struct counter_keeper final : batcher::observer {
  std::vector<std::shared_ptr<const batcher::live_counters>> counters;

  void on_start(std::string_view, std::size_t,
                std::shared_ptr<const batcher::live_counters> of) noexcept override {
    counters.push_back(std::move(of));
  }
};

struct watched {
  handle batcher;
  std::shared_ptr<counter_keeper> keeper;
};

template <class Factory>
watched spawn_watched(caf::actor_system& system, batcher::options opts, Factory make_worker,
                      batcher::actors::hooks<int, int> how = {}) {
  auto keeper = std::make_shared<counter_keeper>();
  opts.observer = keeper;
  return {batcher::actors::spawn_batcher<int, int>(system, std::move(opts), std::move(make_worker),
                                                   std::move(how)),
          keeper};
}

/// Answers at once, in a thread of its own, and breaks in every way that such a function can.
inline watched spawn_faulty(caf::actor_system& system) {
  auto random = new_randomness();
  auto make_worker = [] {
    refuse_to_start_at_times();
    return [random =
              new_randomness()](std::span<const int> xs,
                                const batcher::actors::batch_context& context) mutable -> auto{
      if (random.chance(0.02)) throw std::runtime_error{"the function throws"};
      if (random.chance(0.02)) throw 1; // NOLINT: no std::exception on purpose
      if (random.chance(0.01)) std::this_thread::sleep_for(30ms); // longer than batch_timeout
      if (random.chance(0.2)) std::this_thread::sleep_for(1ms);
      static_cast<void>(context.is_cancelled(xs.size() - 1) || context.padding_items() > 0);
      auto results = doubled(xs);
      if (random.chance(0.02)) results.resize(results.size() + 1 - 2 * random.below(2), 1);
      return results;
    };
  };
  return spawn_watched(system, random_options(random), make_worker, make_hooks());
}

/// Shares the scheduler's threads; its promises are kept, dropped, moved over and failed.
inline watched spawn_cooperative(caf::actor_system& system) {
  auto make_worker = [] {
    refuse_to_start_at_times();
    return [random = new_randomness()](std::span<const int> xs,
                                       batcher::actors::batch_promise<int> answer) mutable {
      if (random.chance(0.02)) throw std::runtime_error{"the function throws"};
      if (random.chance(0.02)) return;
      if (random.chance(0.02)) return answer.fail(item_error());
      auto elsewhere = std::move(answer);
      elsewhere.deliver(doubled(xs));
      elsewhere.deliver(std::vector<int>{}); // only the first answer counts
    };
  };
  return spawn_watched(system,
                       {.name = "cooperative",
                        .max_batch_items = 16,
                        .max_delay = 500us,
                        .max_queue_items = 500,
                        .overload = batcher::overload::drop_oldest,
                        .on_failure = batcher::retry::idempotent{},
                        .workers = 2,
                        .worker_credit = 2,
                        .worker_execution = batcher::worker_execution::cooperative,
                        .restart_delay = 2ms,
                        .max_restart_delay = 50ms},
                       make_worker);
}

/// Several behind one handle, full at times.
inline watched spawn_sharded(caf::actor_system& system) {
  return spawn_watched(system,
                       {.name = "sharded",
                        .max_batch_items = 8,
                        .max_delay = 500us,
                        .max_queue_items = 200,
                        .workers = 3,
                        .shards = 3,
                        .shard_by = batcher::shard_by::key},
                       [] { return [](std::span<const int> xs) { return doubled(xs); }; });
}

/// Its worker is another batcher.
inline watched spawn_chained(caf::actor_system& system, const handle& inner) {
  return spawn_watched(system,
                       {.name = "chained",
                        .max_batch_items = 32,
                        .max_delay = 1ms,
                        .request_timeout = 200ms,
                        .max_queue_items = 1'000,
                        .worker_credit = 4},
                       batcher::actors::forward_to(inner));
}

} // namespace soak
