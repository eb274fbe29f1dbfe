// SPDX-License-Identifier: BSD-3-Clause
//
// Uses an installed batcher::core: two items make one batch. Not a test of the core's rules.

#include <batcher/batcher_core.hpp>

int main() {
  auto now = batcher::time_point{};
  batcher::batcher_core<int> core{{.max_batch_items = 2}};
  while (auto worker = core.next_start(now)) core.worker_up(now, *worker, 1);
  for (int item : {1, 2})
    if (core.admit(now, std::move(item)).refused != batcher::errc::none) return 1;
  auto batch = core.next_batch(now);
  return batch && batch->items.size() == 2 ? 0 : 1;
}
