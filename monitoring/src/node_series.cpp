// SPDX-License-Identifier: BSD-3-Clause
//
// Sums over the connections of a node, and which nodes are kept.

#include "node_series.hpp"

#include "last_holder.hpp"

#include <algorithm>
#include <utility>

namespace batcher::monitoring {

std::string label_of(std::string_view name) {
  constexpr std::size_t most_characters = 64;
  if (name.empty()) return "unnamed";
  std::string label{name.substr(0, most_characters)};
  std::replace_if(
    label.begin(), label.end(), [](char x) { return x < ' ' || x > '~'; }, '?');
  return label;
}

// -- one node -------------------------------------------------------------------------------------

void node_series::entry::adopt(std::shared_ptr<const node_counters> counters,
                               std::uint64_t number) {
  latest = number;
  connections.push_back(std::move(counters));
  fold_ended(); // here too, or connections that nobody scrapes would pile up
}

// All but the latest: that says whether the node is away.
void node_series::entry::fold_ended() {
  if (connections.empty()) return;
  auto last = connections.back();
  connections.pop_back();
  std::erase_if(connections, [this](const auto& counters) {
    if (!is_last_holder(counters)) return false;
    ended.add_totals(counters->read());
    return true;
  });
  connections.push_back(std::move(last));
}

bool node_series::entry::is_gone() const {
  return std::none_of(connections.begin(), connections.end(),
                      [](const auto& counters) { return counters->is_connected(); });
}

node_values node_series::entry::read() {
  fold_ended();
  auto out = ended;
  auto& away = out.workers[static_cast<std::size_t>(node_worker_state::away)];
  std::uint64_t away_of_latest = 0;
  for (auto& counters : connections) {
    auto values = counters->read();
    away_of_latest =
      std::exchange(values.workers[static_cast<std::size_t>(node_worker_state::away)], 0);
    out.add_totals(values);
    out.add_gauges(values);
  }
  if (out.connected == 0) away = away_of_latest;
  return out;
}

// -- all of them ----------------------------------------------------------------------------------

void node_series::adopt(std::string_view name, std::shared_ptr<const node_counters> counters) {
  std::lock_guard guard{mutex_};
  auto number = ++connections_;
  if (counters->role() == node_role::client) return clients_.adopt(std::move(counters), number);
  workers_[label_of(name)].adopt(std::move(counters), number);
  forget_gone();
}

void node_series::count_refused() {
  std::lock_guard guard{mutex_};
  ++refused_;
}

node_series_reading node_series::read() {
  std::lock_guard guard{mutex_};
  node_series_reading out{.workers = {}, .clients = clients_.read(), .refused = refused_};
  for (auto& [label, node] : workers_) out.workers.emplace(label, node.read());
  return out;
}

void node_series::forget_gone() {
  if (workers_.size() <= max_gone) return;
  std::map<std::uint64_t, decltype(workers_)::iterator> gone; // by when they came last
  for (auto it = workers_.begin(); it != workers_.end(); ++it)
    if (it->second.is_gone()) gone.emplace(it->second.latest, it);
  for (; gone.size() > max_gone; gone.erase(gone.begin())) workers_.erase(gone.begin()->second);
}

} // namespace batcher::monitoring
