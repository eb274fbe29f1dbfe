// SPDX-License-Identifier: BSD-3-Clause
//
// Who asks for numbers without a pause, a window full of requests at once: threads with callbacks, and
// an actor.

#pragma once

#include "cluster.hpp"
#include "ledger.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace soak {

class load {
public:
  /// Starts it. `ledger`: shared, since replies may come when this is gone. `window`: of the threads.
  load(const handle& to, std::shared_ptr<ledger> in, std::size_t window);
  load(const load&) = delete;
  load& operator=(const load&) = delete;
  /// Replies are counted until then.
  ~load();

  /// Sends no more. Replies may be outstanding.
  void stop();

private:
  static constexpr std::size_t threads = 4;
  using window = std::counting_semaphore<>;

  void run(const handle& to);

  std::shared_ptr<ledger> ledger_;
  std::shared_ptr<window> free_;
  std::shared_ptr<std::atomic<bool>> is_over_ = std::make_shared<std::atomic<bool>>(false);
  std::vector<std::thread> threads_;
  caf::actor plain_;
};

} // namespace soak
