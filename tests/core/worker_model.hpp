// SPDX-License-Identifier: BSD-3-Clause
//
// What the core promises about its workers, kept in the plainest way. Waits are drawn at random by
// the core, so the model knows when one ends at the earliest and at the latest.

#pragma once

#include "batcher/options.hpp"
#include "batcher/worker_table.hpp"
#include "random_options.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace batcher::test {

struct worker_model {
  struct worker {
    worker_stage stage = worker_stage::serving;
    bool is_own = false;
    std::size_t credit = 1;
    std::size_t held = 0;
    std::size_t failures = 0;
    std::size_t deaths = 0;
    std::size_t times_aside = 0;
    time_point earliest = {}; // when its wait ends, while it is down or aside
    time_point latest = {};
    bool is_up() const { return stage >= worker_stage::serving; }
  };

  // -- life ---------------------------------------------------------------------------------------

  void add_own(const options& opts) {
    for (; own.size() < opts.workers; ++next_own) {
      own.push_back(next_own);
      all[next_own] = {.stage = worker_stage::down, .is_own = true};
    }
  }

  void start(time_point now, worker_id id) {
    auto& w = all.at(id);
    expect(w.stage == worker_stage::down && w.earliest <= now);
    w.stage = worker_stage::starting;
    restarts += !started.insert(id).second;
  }

  // The core has handed out all starts and ended all waits that are over.
  void expect_started(time_point now) {
    bool none_serves = count(worker_stage::serving) == 0;
    for (auto& [id, w] : all) {
      expect(w.stage != worker_stage::down || w.latest > now);
      bool is_over = none_serves || w.latest <= now;
      if (w.stage == worker_stage::aside && w.held == 0 && is_over)
        w.stage = worker_stage::probation;
    }
  }

  void up(worker_id id, std::size_t credit) {
    auto it = all.find(id);
    if (it == all.end() ? started.contains(id) : it->second.stage != worker_stage::starting) return;
    auto& w = all[id];
    w.stage = worker_stage::serving;
    w.credit = credit;
    w.failures = w.times_aside = 0;
  }

  void down(time_point now, worker_id id, const options& opts) {
    auto it = all.find(id);
    if (it == all.end() || it->second.stage == worker_stage::down) return;
    auto& w = it->second;
    bool is_gone =
      !w.is_own || w.stage == worker_stage::retiring || opts.restart_delay == duration::zero();
    if (is_gone) {
      all.erase(it);
      return;
    }
    w.held = 0;
    w.stage = worker_stage::down;
    wait(w, now, opts.restart_delay, ++w.deaths, opts);
  }

  void reconfigure(const options& opts, bool has_new_credit) {
    auto gone = [this](auto id) { return !all.contains(id); };
    std::stable_partition(own.begin(), own.end(), std::not_fn(gone));
    if (opts.restart_delay > duration::zero()) std::erase_if(own, gone);
    for (; own.size() > opts.workers; own.pop_back()) {
      auto it = all.find(own.back());
      if (it == all.end()) continue;
      it->second.stage = worker_stage::retiring;
      leave_if_idle(it);
    }
    if (!has_new_credit) return;
    for (auto& [id, w] : all)
      if (w.is_own) w.credit = opts.worker_credit;
  }

  void leave(worker_id id) {
    auto it = all.find(id);
    if (it == all.end()) return;
    it->second.stage = worker_stage::retiring;
    leave_if_idle(it);
  }

  // -- batches ------------------------------------------------------------------------------------

  // Whether a worker takes a batch for sure.
  bool takes(const worker& w, time_point now) const {
    if (w.stage == worker_stage::serving) return w.held < w.credit;
    if (w.stage == worker_stage::probation) return w.held == 0;
    bool is_over = w.latest <= now || count(worker_stage::serving) == 0;
    return w.stage == worker_stage::aside && w.held == 0 && is_over;
  }

  bool has_credit(time_point now) const {
    return std::any_of(all.begin(), all.end(), [&](auto& w) { return takes(w.second, now); });
  }

  void assign(time_point now, worker_id id, std::optional<worker_id> avoid) {
    auto& chosen = all.at(id);
    bool is_trial =
      chosen.stage == worker_stage::aside && chosen.held == 0 && chosen.earliest <= now;
    expect(is_trial || takes(chosen, now));
    for (auto& [other, w] : all) {
      if (other == id || !takes(w, now)) continue;
      expect(avoid != id);
      expect(other == avoid || chosen.held <= w.held);
    }
    if (chosen.stage == worker_stage::aside) chosen.stage = worker_stage::probation;
    ++chosen.held;
  }

  void release(worker_id id) {
    auto it = all.find(id);
    if (it == all.end() || !it->second.is_up()) return;
    --it->second.held;
    leave_if_idle(it);
  }

  void succeeded(worker_id id) {
    auto it = all.find(id);
    if (it == all.end()) return;
    auto& w = it->second;
    w.deaths = w.failures = 0;
    if (w.stage != worker_stage::probation) return;
    w.times_aside = 0;
    w.stage = worker_stage::serving;
  }

  void failed(time_point now, worker_id id, const options& opts) {
    auto it = all.find(id);
    if (it == all.end()) return;
    auto& w = it->second;
    bool is_serving = w.stage == worker_stage::serving;
    if (!is_serving && w.stage != worker_stage::probation) return;
    ++w.failures;
    if (opts.breaker_failures == 0) return;
    if (is_serving && w.failures < opts.breaker_failures) return;
    if (count(worker_stage::serving) == (is_serving ? 1u : 0u)) return; // the last one
    w.failures = 0;
    w.stage = worker_stage::aside;
    auto base = opts.restart_delay > duration::zero() ? opts.restart_delay
                                                      : duration{std::chrono::milliseconds{100}};
    wait(w, now, base, ++w.times_aside, opts);
    ++put_aside;
  }

  // -- queries ------------------------------------------------------------------------------------

  std::size_t count(worker_stage stage) const {
    return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](auto& w) { return w.second.stage == stage; }));
  }

  bool is_any_up() const {
    return std::any_of(all.begin(), all.end(), [](auto& w) { return w.second.is_up(); });
  }

  bool is_serviceable() const { return count(worker_stage::down) < all.size(); }

  // Which of those aside are on probation already is known only to the core.
  void expect_equal(const worker_table& table, bool is_closed) const {
    std::array<std::size_t, all_worker_stages.size()> counts = {};
    for (auto& [id, w] : all) {
      ++counts[static_cast<std::size_t>(w.stage)];
      expect(table.contains(id) && table.held(id) == w.held);
    }
    expect(table.workers() == all.size());
    auto of = [&](worker_stage s) { return counts[static_cast<std::size_t>(s)]; };
    for (auto s : {worker_stage::down, worker_stage::starting, worker_stage::serving,
                   worker_stage::retiring})
      expect(table.count(s) == of(s));
    auto tried = table.count(worker_stage::probation);
    expect(table.count(worker_stage::aside) + tried
           == of(worker_stage::aside) + of(worker_stage::probation));
    expect(is_closed || tried >= of(worker_stage::probation));
  }

  std::map<worker_id, worker> all;
  std::vector<worker_id> own;
  std::set<worker_id> retired;
  std::set<worker_id> started;
  worker_id next_own = 0;
  std::uint64_t restarts = 0;
  std::uint64_t put_aside = 0;

private:
  // The k-th wait in a row lies in [d/2, d], d = min(base * 2^(k-1), max_restart_delay).
  static void wait(worker& w, time_point now, duration base, std::size_t k, const options& opts) {
    auto most = base;
    while (--k > 0 && most < opts.max_restart_delay) most *= 2;
    most = std::min(most, opts.max_restart_delay);
    w.earliest = now + most - most / 2;
    w.latest = now + most;
  }

  void leave_if_idle(std::map<worker_id, worker>::iterator it) {
    if (it->second.stage != worker_stage::retiring || it->second.held > 0) return;
    retired.insert(it->first);
    all.erase(it);
  }
};

} // namespace batcher::test
