// SPDX-License-Identifier: BSD-3-Clause
//
// An actor system in virtual time, on the test coordinator of CAF 0.17.6. The build chooses between
// this and ../caf_1/test_system.hpp. Messages run only in run(), step() and advance(), in this
// thread.

#pragma once

#include "batcher/actors/messages.hpp"

#include <caf/scheduler/test_coordinator.hpp>

#include <cstddef>

namespace batcher::tests {

/// Returns an error of a category that no process has, as it may come from another one.
inline caf::error foreign_error() { return {7, caf::atom_from_string("nobody")}; }

template <class... IdBlocks>
class test_system {
public:
  test_system() : system_{prepare(config_)} {
    // Not at the epoch: a batcher must not take the clock's zero for anything.
    coordinator().clock().current_time += std::chrono::hours{1};
  }
  /// Lets every timer that is still armed run out: it keeps its actor alive.
  ~test_system() {
    run();
    while (coordinator().clock().has_pending_timeout()) {
      coordinator().clock().trigger_timeout();
      run();
    }
  }

  caf::actor_system& system() { return system_; }

  time_point now() { return system_.clock().now(); }

  /// Runs messages until there are none.
  void run() {
    while (coordinator().try_run_once()) {
    }
  }

  /// Runs one message; false if there is none.
  bool step() { return coordinator().try_run_once(); }

  /// Lets time pass and nothing run; so what runs can take time.
  void pass(duration d) { coordinator().clock().advance_time(d); }

  /// Lets time pass, then runs what has become due.
  void advance(duration d) {
    pass(d);
    run();
  }

private:
  static caf::actor_system_config& prepare(caf::actor_system_config& cfg) {
    actors::compat::set_policy(cfg, "testing");
    return cfg;
  }

  caf::scheduler::test_coordinator& coordinator() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }

  actors::system_config<IdBlocks...> config_;
  caf::actor_system system_;
};

} // namespace batcher::tests
