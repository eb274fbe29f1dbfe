// SPDX-License-Identifier: BSD-3-Clause
//
// The event loop, see simulate.hpp.

#include "batcher_sim/simulate.hpp"

#include "batcher_sim/shard.hpp"

#include <batcher/sharding.hpp>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <limits>
#include <memory>
#include <queue>
#include <string>
#include <vector>

namespace sim {

namespace {

using batcher::duration;

constexpr auto never = duration::max();
constexpr std::uint32_t key_stream = 3;
constexpr std::uint32_t wake_up = std::numeric_limits<std::uint32_t>::max();

// The end of a batch, or the time to wake a shard.
struct event {
  duration at;
  std::uint64_t order; // among those of the same instant
  std::uint32_t shard;
  std::uint32_t batch; // where it is kept, or `wake_up`
};

struct is_later {
  bool operator()(const event& x, const event& y) const noexcept {
    return x.at != y.at ? x.at > y.at : x.order > y.order;
  }
};

class event_loop {
public:
  explicit event_loop(const scenario& what)
    : what_{what}, counts_{what}, arrivals_{what.arrivals, what.changes, what.seed},
      costs_{what.cost, what.changes, what.seed}, key_draws_{what.seed, key_stream} {
    if (what.keys == 1) keys_.emplace_back();
    for (std::size_t i = 0; what.keys > 1 && i < what.keys; ++i) keys_.push_back(std::to_string(i));
    auto limits =
      what.opts.shards > 1 ? std::make_shared<batcher::shared_limits>(what.opts) : nullptr;
    for (std::size_t i = 0; i < what.opts.shards; ++i)
      shards_.push_back(std::make_unique<shard>(what, i, keys_, costs_, counts_, limits));
    wakes_at_.resize(shards_.size(), never);
  }

  result run() {
    auto arrival = next_arrival();
    while (arrival != never || !events_.empty()) {
      if (!events_.empty() && events_.top().at <= arrival) {
        handle_event();
        continue;
      }
      now_ = arrival;
      arrive();
      arrival = next_arrival();
      if (arrival == never) counts_.no_more_arrivals();
    }
    for ([[maybe_unused]] auto& s : shards_) assert(s->is_idle());
    return counts_.take(now_);
  }

private:
  duration next_arrival() {
    if (arrived_ == what_.requests) return never;
    return arrivals_.next().value_or(never);
  }

  void arrive() {
    request r{now_, arrived_++};
    counts_.arrived(r);
    auto key = what_.keys == 1 ? 0 : static_cast<std::size_t>(key_draws_.below(what_.keys));
    auto to = choose_shard(key);
    touch(to, [&](shard& s) { s.arrive(now_, r, key); });
  }

  std::size_t choose_shard(std::size_t key) const {
    auto shards = shards_.size();
    if (shards == 1) return 0;
    if (what_.opts.shard_by == batcher::shard_by::key) return batcher::shard_of(keys_[key], shards);
    // Senders of different threads take turns, and each prefers a shard of its own.
    return batcher::least_pressed(shards, arrived_ % shards, [this](std::size_t i) {
      return batcher::pressure(shards_[i]->load(), what_.opts.max_batch_items);
    });
  }

  void handle_event() {
    auto next = events_.top();
    events_.pop();
    if (next.batch != wake_up) {
      now_ = next.at;
      auto batch = running_[next.batch];
      free_.push_back(next.batch);
      return touch(next.shard, [&](shard& s) { s.finish(now_, batch); });
    }
    if (wakes_at_[next.shard] != next.at) return; // an earlier one has taken its place
    wakes_at_[next.shard] = never;
    auto& sleeper = *shards_[next.shard];
    auto due = sleeper.next_deadline();
    if (due && *due > next.at) return arm(next.shard);
    if (!due) return;
    now_ = next.at;
    touch(next.shard, [&](shard& s) { s.wake(now_); });
  }

  // Lets a shard do something, and takes over what comes of it.
  template <class Step>
  void touch(std::size_t number, Step step) {
    auto& s = *shards_[number];
    auto before = s.queue_items();
    step(s);
    for (auto& batch : s.started()) keep(number, batch);
    s.clear_started();
    queue_items_ += s.queue_items() - before; // unsigned: may wrap around in between
    counts_.queued(now_, queue_items_);
    arm(number);
  }

  void keep(std::size_t number, const running_batch& batch) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(running_.size()));
      running_.emplace_back();
    }
    auto place = free_.back();
    free_.pop_back();
    running_[place] = batch;
    events_.push({batch.returns, ++events_so_far_, static_cast<std::uint32_t>(number), place});
  }

  // One that wakes too early looks again, so that a deadline which moves away costs nothing.
  void arm(std::size_t number) {
    auto at = shards_[number]->next_deadline();
    if (!at || *at >= wakes_at_[number]) return;
    wakes_at_[number] = std::max(*at, now_);
    events_.push(
      {wakes_at_[number], ++events_so_far_, static_cast<std::uint32_t>(number), wake_up});
  }

  const scenario& what_;
  tally counts_;
  arrival_process arrivals_;
  cost_draws costs_;
  random_stream key_draws_;
  std::vector<std::string> keys_;
  std::vector<std::unique_ptr<shard>> shards_;
  std::vector<duration> wakes_at_; // by shard
  std::priority_queue<event, std::vector<event>, is_later> events_;
  std::vector<running_batch> running_;
  std::vector<std::uint32_t> free_; // places of `running_`
  duration now_ = duration::zero();
  std::size_t arrived_ = 0;
  std::size_t queue_items_ = 0;
  std::uint64_t events_so_far_ = 0;
};

} // namespace

result simulate(const scenario& what) {
  assert(validate(what).empty());
  return event_loop{what}.run();
}

} // namespace sim
