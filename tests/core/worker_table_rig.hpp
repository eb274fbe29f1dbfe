// SPDX-License-Identifier: BSD-3-Clause
//
// What the tests of the worker table share.

#pragma once

#include "batcher/worker_table.hpp"

#include <chrono>
#include <cstddef>
#include <vector>

namespace batcher::tests {

inline const time_point start{std::chrono::hours{1}};

inline worker_table with_workers(std::size_t workers, std::size_t credit, supervision rules = {}) {
  worker_table table{rules};
  for (worker_id id = 1; id <= workers; ++id) table.add(id);
  while (auto id = table.next_start(start)) table.up(*id, credit);
  return table;
}

/// Fails batches of a worker, one after the other.
inline void fail(worker_table& table, time_point now, worker_id id, int times) {
  for (int i = 0; i < times; ++i) table.failed(now, id);
}

/// All credit there is.
inline std::vector<worker_id> assign_all(worker_table& table, time_point now) {
  std::vector<worker_id> out;
  while (auto id = table.assign(now)) out.push_back(*id);
  return out;
}

} // namespace batcher::tests
