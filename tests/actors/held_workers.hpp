// SPDX-License-Identifier: BSD-3-Clause
//
// Workers that hold every job until the test says what becomes of it, so that a test can put faults
// between any two messages.

#pragma once

#include "actor_fixture.hpp"

#include <vector>

namespace batcher::tests {

/// Batchers whose workers hold their jobs.
struct held_fixture : actor_fixture {
  /// A job that is still held would keep its batcher, and so the system, alive. Batchers go first:
  /// they would start their workers again.
  ~held_fixture();

  handle spawn_held(options opts, actors::hooks<int, int> how = {});

  /// Lets the oldest job of a worker meet its fate; nothing if it holds none.
  void release(std::size_t worker, fate how = fate::doubled);

  std::vector<caf::actor> workers;

private:
  std::vector<caf::actor_addr> batchers_;
};

} // namespace batcher::tests
