// SPDX-License-Identifier: BSD-3-Clause
//
// Large frames in parts: each is a sign of life, for CAF as well, so that a connection that is slow
// does not pass for one that is dead. All parts of a frame travel one behind the other, the last one
// as a frame of the kind that it is all about.
//
// Pure: no actor, no clock.

#pragma once

#include "batcher/actors/node/wire.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace batcher::actors::node {

/// What crosses a connection of 50 kB/s in the default `max_silence`.
inline constexpr std::size_t most_part_bytes = 256u << 10u;

/// Calls `send` with each frame that another one travels as, in order: itself, if it is small.
template <class Send>
void send_in_parts(frame what, Send send) {
  if (what.bytes.size() > most_part_bytes) {
    std::string_view rest{what.bytes};
    for (; rest.size() > most_part_bytes; rest.remove_prefix(most_part_bytes)) {
      auto part = frame_of(frame_kind::part);
      part.bytes = rest.substr(0, most_part_bytes);
      send(std::move(part));
    }
    what.bytes = std::string{rest};
  }
  send(std::move(what));
}

/// The parts that have come of a frame that is not whole yet.
class collected_parts {
public:
  /// Takes a frame of the peer's; returns whether it is whole. The last part of one becomes all of it.
  [[nodiscard]] bool take(frame& msg) {
    bool is_part = static_cast<frame_kind>(msg.kind) == frame_kind::part;
    if (!is_part && bytes_.empty()) return true;
    bytes_ += msg.bytes;
    if (is_part) return false;
    msg.bytes = std::exchange(bytes_, {});
    return true;
  }

  /// Returns how many bytes a frame would have if it were whole with this one.
  [[nodiscard]] std::size_t bytes_with(const frame& msg) const noexcept {
    return bytes_.size() + msg.bytes.size();
  }

private:
  std::string bytes_;
};

} // namespace batcher::actors::node
