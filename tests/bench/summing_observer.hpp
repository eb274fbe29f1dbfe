// SPDX-License-Identifier: BSD-3-Clause
//
// An observer that does what monitoring would, and no more: what is measured is the price of being
// watched.

#pragma once

#include "batcher/observer.hpp"

#include <algorithm>
#include <mutex>

namespace bench {

/// Keeps sums of every part of the latency, under one lock a batch. Any thread.
class summing_observer final : public batcher::observer {
public:
  void on_batch(const batcher::batch_record& record) noexcept override {
    std::lock_guard lock{mutex_};
    for (auto arrival : record.arrivals) {
      fill_wait_ += std::max(record.ready_at - arrival, batcher::duration::zero());
      request_ += record.finished_at - arrival;
    }
    execute_ += record.executed;
  }

private:
  std::mutex mutex_;
  batcher::duration fill_wait_{};
  batcher::duration request_{};
  batcher::duration execute_{};
};

} // namespace bench
