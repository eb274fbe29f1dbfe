// SPDX-License-Identifier: BSD-3-Clause
//
// What a client node has asked and got, in memory that it shares with the main process. It goes on in
// the account of the one that was killed before it. Instants are those of the steady clock, which all
// processes share.

#pragma once

#include "ledger.hpp"
#include "shared.hpp"

#include "batcher/errc.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>

namespace soak {

struct account {
  using count = std::atomic<std::uint64_t>;
  using instant = std::atomic<steady::rep>;

  static constexpr steady::rep never = std::numeric_limits<steady::rep>::max();

  // -- by the main process

  /// When it was last killed, frozen, thawed or cut off: what it waits for counts from there.
  instant disturbed_at;
  /// Since when nothing is wrong with it; `never` while something is.
  instant whole_since;

  // -- by the client

  count sent;
  count replies; ///< First ones.
  count doubled;
  count wrong;
  count overdue;
  count ok;
  /// By code; 0: no error of a batcher's.
  std::array<count, 256> errors;
  /// Lost though it was whole for `time_to_recover`.
  count unfounded;
  instant last_ok_at;
  /// Longest time until a request was answered with `batcher_lost`, and from the end of a disturbance
  /// to the first result.
  instant longest_lost;
  instant longest_recovery;

  [[nodiscard]] count& errors_with(batcher::errc code) {
    return errors[static_cast<std::uint8_t>(code)];
  }
};

/// How long a client may take to be served again, once nothing is wrong with it: to notice that its
/// connection is dead, and to make it anew.
constexpr steady::duration time_to_recover(steady::duration max_silence) {
  return 2 * max_silence + std::chrono::seconds{2};
}

inline steady::rep now_count() { return steady::now().time_since_epoch().count(); }

inline void raise(account::instant& to, steady::rep at_least) {
  auto seen = to.load();
  while (seen < at_least && !to.compare_exchange_weak(seen, at_least)) continue;
}

} // namespace soak
