// SPDX-License-Identifier: BSD-3-Clause
//
// An actor system in virtual time, on the deterministic fixture of CAF 1.x. The build chooses
// between this and ../caf_0_17/test_system.hpp. Messages run only in run(), step() and advance(),
// in this thread.

#pragma once

#include "batcher/actors/messages.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/test/fixture/deterministic.hpp>
#include <caf/test/reporter.hpp>

#include <cstddef>
#include <memory>

namespace batcher::tests {

/// Returns an error of a category that no process has, as it may come from another one.
inline caf::error foreign_error() {
  caf::byte_buffer bytes;
  caf::binary_serializer to{bytes};
  auto is_written = to.value(true) && to.value(std::uint8_t{7}) && to.value(std::uint16_t{65'000})
                    && to.apply(caf::message{});
  caf::error why;
  caf::binary_deserializer from{bytes};
  if (!is_written || !from.apply(why)) throw std::logic_error{"CAF writes errors otherwise"};
  return why;
}

template <class... IdBlocks>
class test_system {
public:
  test_system() { fixture_.advance_time(std::chrono::hours{1}); }
  /// Lets every timer that is still armed run out: it keeps its actor alive.
  ~test_system() {
    run();
    while (fixture_.has_pending_timeout()) {
      fixture_.trigger_timeout();
      run();
    }
  }

  caf::actor_system& system() { return fixture_.sys; }

  time_point now() { return fixture_.sys.clock().now(); }

  /// Runs messages until there are none.
  void run() { fixture_.dispatch_messages(); }

  /// Runs one message; false if there is none.
  bool step() { return fixture_.dispatch_message(); }

  /// Lets time pass and nothing run; so what runs can take time.
  void pass(duration d) {
    if (d > duration::zero()) fixture_.advance_time(d); // the fixture refuses no time at all
  }

  /// Lets time pass, then runs what has become due.
  void advance(duration d) {
    pass(d);
    run();
  }

private:
  // Outside of CAF's own test runner the fixture finds no reporter and throws.
  struct reporter_registration {
    reporter_registration() {
      caf::test::reporter::instance(reporter.get());
      reporter->start();
    }
    ~reporter_registration() { caf::test::reporter::instance(nullptr); }
    std::unique_ptr<caf::test::reporter> reporter = caf::test::reporter::make_default();
  };

  actors::type_registration<IdBlocks...> types_;
  reporter_registration registration_;
  caf::test::fixture::deterministic fixture_;
};

} // namespace batcher::tests
