// SPDX-License-Identifier: BSD-3-Clause
//
// Plain counters of one node that is connected to a published batcher, a worker node or a client,
// as the batcher's side sees it. A monitor pulls them at each scrape, the distributions too: they
// are counts by upper edge. So no batch pays for a metric but with a few stores.
//
// What a batch takes at a worker node adds up, and each part is a difference of two readings of one
// clock, the batcher's or the node's; they are never compared:
//
//     round trip = from taking the batch to having its results, by the batcher's clock
//     wire       = round trip - time at the node    both ways, serialization included
//     node wait  = time at the node - execute       for a free worker there (`credit` above 1)
//     execute    = inside the batch function        as the worker measured it
//
// Thread rule: one writer at a time (the node's session), any number of readers. Two numbers of one
// reading may be a batch apart.

#pragma once

#include "batcher/time.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace batcher {

/// What a node is to the batcher.
enum class node_role : std::uint8_t {
  /// It sends requests.
  client,
  /// It runs batches.
  worker,
};

/// What a worker of a worker node is doing.
enum class node_worker_state : std::uint8_t {
  /// It holds no batch.
  idle,
  /// It holds one batch or more.
  busy,
  /// Its node finishes what it holds and goes.
  leaving,
  /// Its node was lost and is not back yet.
  away,
};

/// How a batch that was given to a worker node ended there.
enum class node_result : std::uint8_t {
  /// With a result for each item.
  ok,
  /// The node said that it failed, or sent something else than its results.
  failed,
  /// The batcher had given it up when the node answered (`batch_timeout`, or a stop).
  late,
  /// The node was lost with it.
  lost,
};

inline constexpr std::array all_node_roles{node_role::client, node_role::worker};

inline constexpr std::array all_node_worker_states{
  node_worker_state::idle,
  node_worker_state::busy,
  node_worker_state::leaving,
  node_worker_state::away,
};

inline constexpr std::array all_node_results{
  node_result::ok,
  node_result::failed,
  node_result::late,
  node_result::lost,
};

/// Returns the enumerator's name. The text lives for ever.
[[nodiscard]] std::string_view to_string(node_role x) noexcept;
[[nodiscard]] std::string_view to_string(node_worker_state x) noexcept;
[[nodiscard]] std::string_view to_string(node_result x) noexcept;

/// Upper edges, inclusive, of the counts of times at a node. Fewer than a batcher has for its own
/// times, since every node has them.
inline constexpr std::array<duration, 10> node_time_edges{
  std::chrono::microseconds{100}, std::chrono::microseconds{500}, std::chrono::milliseconds{1},
  std::chrono::milliseconds{5},   std::chrono::milliseconds{10},  std::chrono::milliseconds{50},
  std::chrono::milliseconds{100}, std::chrono::milliseconds{500}, std::chrono::seconds{1},
  std::chrono::seconds{5},
};

/// Times, counted by size.
struct node_times {
  /// How many were at most an edge and above the one before, in the order of `node_time_edges`;
  /// then those above all edges.
  std::array<std::uint64_t, node_time_edges.size() + 1> by_edge = {};
  /// Of all of them.
  duration sum = duration::zero();

  void add(const node_times& other) noexcept;
};

/// One reading of the counters. All but the gauges only ever grow.
struct node_values {
  /// Times that it was let in, and that it was lost: it died, fell silent, was cut off, or sent
  /// what is no message.
  std::uint64_t connects = 0;
  std::uint64_t losses = 0;
  /// Of a client: requests that came from it.
  std::uint64_t requests = 0;
  /// Of a worker node: batches by how they ended, in the order of `all_node_results`.
  std::array<std::uint64_t, all_node_results.size()> batches = {};
  /// Batches it was given that had run before, there or elsewhere.
  std::uint64_t retries = 0;
  /// Answers of it that came after their batch was given up, or after it was lost.
  std::uint64_t late_answers = 0;
  node_times wire;
  node_times wait;
  node_times execute;

  /// Gauge: connections, 0 or 1.
  std::uint64_t connected = 0;
  /// Gauges: what it holds.
  std::uint64_t in_flight_batches = 0;
  std::uint64_t in_flight_items = 0;
  /// Gauge: its workers by what they do, in the order of `all_node_worker_states`.
  std::array<std::uint64_t, all_node_worker_states.size()> workers = {};

  /// Adds another connection's; `add_totals` all but the gauges, `add_gauges` those.
  void add_totals(const node_values& other) noexcept;
  void add_gauges(const node_values& other) noexcept;
};

/// The counters of one connection. When the node comes back it gets new ones.
class node_counters {
public:
  /// `workers`: how many it brings, 0 of a client.
  node_counters(node_role role, std::size_t workers) noexcept : role_{role}, workers_{workers} {}

  // -- the session's side: one caller at a time ---------------------------------------------------

  void on_requests(std::size_t requests) noexcept { add(requests_, requests); }
  /// Counts a batch that goes to it. `attempt`: which run of its items it is: 1, 2, ...
  void on_dispatched(std::size_t items, std::size_t attempt) noexcept;
  /// Counts one that it no longer holds.
  void on_ended(node_result how, std::size_t items) noexcept;
  void on_late_answer() noexcept { add(late_answers_, 1); }
  /// Counts the times of a batch that it has answered. What it says of itself is not believed where
  /// it does not fit into the round trip: `at_node` is cut to that, `executed` to `at_node`.
  void on_times(duration round_trip, duration at_node, duration executed) noexcept;
  void set_busy(std::size_t workers) noexcept { set(busy_, workers); }
  /// It takes no more and goes when it has nothing left.
  void set_leaving() noexcept { move_to(stage::leaving); }
  /// The connection is over, in order or not. Only the first call counts.
  void set_left() noexcept { move_to(stage::left); }
  void set_lost() noexcept { move_to(stage::lost); }

  // -- any thread ---------------------------------------------------------------------------------

  [[nodiscard]] node_role role() const noexcept { return role_; }
  [[nodiscard]] bool is_connected() const noexcept { return stage_now() < stage::left; }
  [[nodiscard]] node_values read() const noexcept;

private:
  using counter = std::atomic<std::uint64_t>;
  enum class stage : std::uint8_t { serving, leaving, left, lost };

  struct time_counters {
    std::array<counter, node_time_edges.size() + 1> by_edge = {};
    counter sum_ns = 0;

    void observe(duration x) noexcept;
    [[nodiscard]] node_times read() const noexcept;
  };

  static void add(counter& to, std::uint64_t n) noexcept {
    to.store(to.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  static void set(counter& to, std::uint64_t n) noexcept { to.store(n, std::memory_order_relaxed); }

  [[nodiscard]] stage stage_now() const noexcept { return stage_.load(std::memory_order_acquire); }
  void move_to(stage next) noexcept {
    if (next > stage_now() && is_connected()) stage_.store(next, std::memory_order_release);
  }

  node_role role_;
  std::size_t workers_;
  std::atomic<stage> stage_ = stage::serving;
  counter busy_ = 0;
  counter requests_ = 0;
  counter in_flight_batches_ = 0;
  counter in_flight_items_ = 0;
  std::array<counter, all_node_results.size()> batches_ = {};
  counter retries_ = 0;
  counter late_answers_ = 0;
  time_counters wire_;
  time_counters wait_;
  time_counters execute_;
};

} // namespace batcher
