// SPDX-License-Identifier: BSD-3-Clause
//
// Book-keeping of workers and their credit.

#include "batcher/worker_table.hpp"

#include <cassert>

namespace batcher {

void worker_table::join(worker_id id, std::size_t credit) {
  assert(credit >= 1);
  auto [it, added] = entries_.try_emplace(id, entry{.credit = credit});
  assert(added);
  if (added) enter_ready(id, it->second);
}

void worker_table::leave(worker_id id) {
  auto it = entries_.find(id);
  if (it == entries_.end()) return;
  ready_.erase({{it->second.held, it->second.since}, id});
  entries_.erase(it);
}

std::optional<worker_id> worker_table::assign() {
  if (ready_.empty()) return std::nullopt;
  auto id = ready_.begin()->second;
  ready_.erase(ready_.begin());
  auto& e = entries_.at(id);
  ++e.held;
  if (e.held < e.credit) enter_ready(id, e);
  return id;
}

void worker_table::release(worker_id id) {
  auto it = entries_.find(id);
  if (it == entries_.end()) return;
  auto& e = it->second;
  assert(e.held > 0);
  if (e.held < e.credit) ready_.erase({{e.held, e.since}, id});
  --e.held;
  enter_ready(id, e);
}

std::size_t worker_table::held(worker_id id) const noexcept {
  auto it = entries_.find(id);
  return it == entries_.end() ? 0 : it->second.held;
}

void worker_table::enter_ready(worker_id id, entry& e) {
  e.since = next_since_--;
  ready_.insert({{e.held, e.since}, id});
}

} // namespace batcher
