// SPDX-License-Identifier: BSD-3-Clause
//
// The control messages of a link that are not answered yet. Knows no user's type.

#pragma once

#include "batcher/actors/node/wire.hpp"
#include "batcher/actors/reply.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace batcher::actors::node {

class pending_commands {
public:
  /// Keeps one that is to be sent.
  void add(const command& what, owned_promise answer);

  /// Returns those that have not been sent, in order; they count as sent from now on.
  [[nodiscard]] std::vector<command> take_unsent();

  /// Answers one as the other side has; one that is not there any more is left alone.
  void finish(const command_reply& x);

  /// Answers those that were sent with an error, or all.
  void fail_sent(const caf::error& why);
  void fail_all(const caf::error& why);

private:
  struct pending {
    command what;
    owned_promise answer;
    bool is_sent = false;
  };

  std::map<std::uint64_t, pending> all_; // in the order of their ids
};

} // namespace batcher::actors::node
