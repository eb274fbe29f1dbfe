// SPDX-License-Identifier: BSD-3-Clause
//
// All that is known of the nodes of a batcher: the counters of those that are connected, and the
// sums of those that were. It knows no metric names.

#pragma once

#include "batcher/node_counters.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace batcher::monitoring {

/// Returns a node's name as the value of a label: at most 64 characters, printable ASCII with `?`
/// for anything else, since the name may be a stranger's and Prometheus refuses a whole scrape for
/// one label that is no UTF-8; "unnamed" for none, as Prometheus takes an empty label for one that
/// is not there.
[[nodiscard]] std::string label_of(std::string_view name);

/// One reading of a series.
struct node_series_reading {
  /// By label.
  std::map<std::string, node_values> workers;
  node_values clients;
  std::uint64_t refused = 0;
};

/// Worker nodes are told apart by their label; those of one label are one. It is away when the
/// latest connection of that label was lost, and there is none now. Clients are not told apart.
///
/// A worker node that is gone keeps its totals, so that they go on when it comes back, until
/// `max_gone` others that are gone have come after it: then it is forgotten.
///
/// Thread rule: every function may be called from any thread.
class node_series {
public:
  static constexpr std::size_t max_gone = 64;

  /// Adds a connection.
  void adopt(std::string_view name, std::shared_ptr<const node_counters> counters);

  void count_refused();

  [[nodiscard]] node_series_reading read();

private:
  struct entry {
    std::vector<std::shared_ptr<const node_counters>> connections; // the latest stands last
    node_values ended;                                             // its gauges stay 0
    std::uint64_t latest = 0; // its place among all connections

    void adopt(std::shared_ptr<const node_counters> counters, std::uint64_t number);
    void fold_ended();
    [[nodiscard]] bool is_gone() const;
    [[nodiscard]] node_values read();
  };

  void forget_gone();

  std::mutex mutex_;
  std::map<std::string, entry> workers_;
  entry clients_;
  std::uint64_t connections_ = 0;
  std::uint64_t refused_ = 0;
};

} // namespace batcher::monitoring
