// SPDX-License-Identifier: BSD-3-Clause
//
// Every metric there is, in one table: the code exports what stands here, and tests hold the
// dashboard, the alert rules and the scraped text against it. Values are made elsewhere
// (`metrics.hpp`).

#pragma once

#include "batcher/node_counters.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace batcher::monitoring {

/// What a metric does over time.
enum class metric_type : std::uint8_t {
  /// Only ever grows.
  counter,
  /// Goes up and down; true at the moment of the scrape.
  gauge,
  /// Counts values by size; each bucket only ever grows.
  histogram,
};

/// One row of the table. Every text lives for ever.
struct metric_info {
  std::string_view name;
  metric_type type;
  /// What the value, or for histograms each counted value, is a number of.
  std::string_view unit;
  /// One line without an end.
  std::string_view help;
  /// Names of the labels, each with a bounded set of values.
  std::span<const std::string_view> labels;
  /// Upper edges of the buckets, inclusive and in `unit`, without the last one, +Inf. Histograms
  /// only.
  std::span<const double> bucket_edges = {};
};

// -- columns that rows share ----------------------------------------------------------------------

/// The label that every metric has: `options::name`.
inline constexpr std::string_view batcher_label = "batcher";
inline constexpr std::string_view outcome_label = "outcome";
inline constexpr std::string_view reason_label = "reason";
inline constexpr std::string_view kind_label = "kind";
inline constexpr std::string_view stage_label = "stage";
inline constexpr std::string_view role_label = "role";
/// What a worker node calls itself (`join_options::name`), as text that is safe to show; not more
/// values than there may be nodes at once, and 64.
inline constexpr std::string_view node_label = "node";
inline constexpr std::string_view state_label = "state";
inline constexpr std::string_view result_label = "result";

inline constexpr std::array by_batcher{batcher_label};
inline constexpr std::array by_outcome{batcher_label, outcome_label};
inline constexpr std::array by_reason{batcher_label, reason_label};
inline constexpr std::array by_kind{batcher_label, kind_label};
inline constexpr std::array by_stage{batcher_label, stage_label};
inline constexpr std::array by_role{batcher_label, role_label};
inline constexpr std::array by_node{batcher_label, node_label};
inline constexpr std::array by_node_state{batcher_label, node_label, state_label};
inline constexpr std::array by_node_result{batcher_label, node_label, result_label};

/// Waiting in an actor system takes microseconds, behind a busy model seconds.
inline constexpr std::array time_edges{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3,
                                       5e-3,  10e-3,  25e-3,  50e-3,  0.1,  0.25,
                                       0.5,   1.0,    2.5,    5.0,    10.0};

/// A batcher adds `max_batch_items - 1` and `max_batch_items`, so that full batches can be counted:
/// all but those up to the former.
inline constexpr std::array item_edges{1.0,  2.0,   4.0,   8.0,   16.0,  32.0,
                                       64.0, 128.0, 256.0, 512.0, 1024.0};

/// Those of `node_time_edges`, in seconds.
inline constexpr auto node_edges = [] {
  std::array<double, node_time_edges.size()> seconds{};
  for (std::size_t i = 0; i < seconds.size(); ++i)
    seconds[i] = std::chrono::duration<double>(node_time_edges[i]).count();
  return seconds;
}();

// -- the rows -------------------------------------------------------------------------------------

inline constexpr metric_info queue_items{"batcher_queue_items", metric_type::gauge, "items",
                                         "Items that wait to be dispatched to a worker.",
                                         by_batcher};

inline constexpr metric_info queue_cost{
  "batcher_queue_cost", metric_type::gauge, "cost",
  "Cost of the items that wait, in the unit of max_batch_cost.", by_batcher};

inline constexpr metric_info in_flight_items{"batcher_in_flight_items", metric_type::gauge, "items",
                                             "Items that workers hold.", by_batcher};

inline constexpr metric_info lanes{"batcher_lanes", metric_type::gauge, "lanes",
                                   "Lanes with items or batches.", by_batcher};

inline constexpr metric_info workers{"batcher_workers", metric_type::gauge, "workers",
                                     "Workers, by what they are doing.", by_stage};

inline constexpr metric_info requests_total{
  "batcher_requests_total", metric_type::counter, "requests",
  "Requests that reached the batcher, refused ones included.", by_batcher};

inline constexpr metric_info coalesced_requests_total{
  "batcher_coalesced_requests_total", metric_type::counter, "requests",
  "Requests that shared the place of an identical one.", by_batcher};

inline constexpr metric_info replies_total{
  "batcher_replies_total", metric_type::counter, "requests",
  "Requests answered, by outcome. Requests minus all of these are pending.", by_outcome};

inline constexpr metric_info batches_total{
  "batcher_batches_total", metric_type::counter, "batches",
  "Batches dispatched, by the reason why they were closed.", by_reason};

inline constexpr metric_info batch_failures_total{
  "batcher_batch_failures_total", metric_type::counter, "batches",
  "Batches that failed, by kind. Those that run again count each time.", by_kind};

inline constexpr metric_info bisections_total{"batcher_bisections_total", metric_type::counter,
                                              "batches", "Failed batches that were halved.",
                                              by_batcher};

inline constexpr metric_info retries_denied_total{
  "batcher_retries_denied_total", metric_type::counter, "batches",
  "Failed batches that did not run again because the budget was used up.", by_batcher};

inline constexpr metric_info worker_restarts_total{"batcher_worker_restarts_total",
                                                   metric_type::counter, "workers",
                                                   "Workers that were started again.", by_batcher};

inline constexpr metric_info wasted_items_total{
  "batcher_wasted_items_total", metric_type::counter, "items",
  "Items that were executed although nobody waited for them any more.", by_batcher};

inline constexpr metric_info padding_items_total{
  "batcher_padding_items_total", metric_type::counter, "items",
  "Items that batches lacked to a size that the backend takes.", by_batcher};

inline constexpr metric_info late_answers_total{
  "batcher_late_answers_total", metric_type::counter, "batches",
  "Answers of workers that came after their batch was given up.", by_batcher};

inline constexpr metric_info batch_items{"batcher_batch_items",
                                         metric_type::histogram,
                                         "items",
                                         "Items per batch, counted once per run when it ends.",
                                         by_batcher,
                                         item_edges};

inline constexpr metric_info fill_wait_seconds{"batcher_fill_wait_seconds",
                                               metric_type::histogram,
                                               "seconds",
                                               "Time that an item waited for its batch to close.",
                                               by_batcher,
                                               time_edges};

inline constexpr metric_info capacity_wait_seconds{
  "batcher_capacity_wait_seconds",
  metric_type::histogram,
  "seconds",
  "Time that an item waited for a free worker after its batch could have left.",
  by_batcher,
  time_edges};

inline constexpr metric_info execute_seconds{
  "batcher_execute_seconds",
  metric_type::histogram,
  "seconds",
  "Time that an item spent in the batch function, in the run that answered it.",
  by_batcher,
  time_edges};

inline constexpr metric_info request_seconds{
  "batcher_request_seconds",
  metric_type::histogram,
  "seconds",
  "Time from arrival to answer, of items that were answered when their batch ended.",
  by_batcher,
  time_edges};

// -- the rows of nodes, as their batcher sees them ------------------------------------------------

inline constexpr metric_info nodes{"batcher_nodes", metric_type::gauge, "nodes",
                                   "Nodes that are connected, by what they are.", by_role};

inline constexpr metric_info nodes_refused_total{
  "batcher_nodes_refused_total", metric_type::counter, "nodes",
  "Nodes that were not let in: other version, other types, or one too many.", by_batcher};

inline constexpr metric_info node_requests_total{
  "batcher_node_requests_total", metric_type::counter, "requests",
  "Requests that came from clients on other nodes.", by_batcher};

inline constexpr metric_info node_workers{"batcher_node_workers", metric_type::gauge, "workers",
                                          "Workers of a worker node, by what they are doing.",
                                          by_node_state};

inline constexpr metric_info node_in_flight_batches{"batcher_node_in_flight_batches",
                                                    metric_type::gauge, "batches",
                                                    "Batches that a worker node holds.", by_node};

inline constexpr metric_info node_in_flight_items{"batcher_node_in_flight_items",
                                                  metric_type::gauge, "items",
                                                  "Items that a worker node holds.", by_node};

inline constexpr metric_info node_connects_total{"batcher_node_connects_total",
                                                 metric_type::counter, "connections",
                                                 "Times that a worker node was let in.", by_node};

inline constexpr metric_info node_losses_total{
  "batcher_node_losses_total", metric_type::counter, "connections",
  "Times that a worker node was lost: it died, fell silent or was cut off.", by_node};

inline constexpr metric_info node_batches_total{
  "batcher_node_batches_total", metric_type::counter, "batches",
  "Batches that a worker node was given, by how they ended there.", by_node_result};

inline constexpr metric_info node_retries_total{
  "batcher_node_retries_total", metric_type::counter, "batches",
  "Batches that a worker node was given and that had run before, there or elsewhere.", by_node};

inline constexpr metric_info node_late_answers_total{
  "batcher_node_late_answers_total", metric_type::counter, "batches",
  "Answers of a worker node that came after their batch was given up.", by_node};

inline constexpr metric_info node_wire_seconds{
  "batcher_node_wire_seconds",
  metric_type::histogram,
  "seconds",
  "Time that a batch was on the way to a worker node and back, serialization included.",
  by_node,
  node_edges};

inline constexpr metric_info node_wait_seconds{
  "batcher_node_wait_seconds",
  metric_type::histogram,
  "seconds",
  "Time that a batch waited at a worker node for a free worker.",
  by_node,
  node_edges};

inline constexpr metric_info node_execute_seconds{
  "batcher_node_execute_seconds",
  metric_type::histogram,
  "seconds",
  "Time that a batch spent in the batch function of a worker node.",
  by_node,
  node_edges};

/// The table, in the order of the exposition.
inline constexpr std::array all_metrics{
  queue_items,
  queue_cost,
  in_flight_items,
  lanes,
  workers,
  requests_total,
  coalesced_requests_total,
  replies_total,
  batches_total,
  batch_failures_total,
  bisections_total,
  retries_denied_total,
  worker_restarts_total,
  wasted_items_total,
  padding_items_total,
  late_answers_total,
  batch_items,
  fill_wait_seconds,
  capacity_wait_seconds,
  execute_seconds,
  request_seconds,
  nodes,
  nodes_refused_total,
  node_requests_total,
  node_workers,
  node_in_flight_batches,
  node_in_flight_items,
  node_connects_total,
  node_losses_total,
  node_batches_total,
  node_retries_total,
  node_late_answers_total,
  node_wire_seconds,
  node_wait_seconds,
  node_execute_seconds,
};

} // namespace batcher::monitoring
