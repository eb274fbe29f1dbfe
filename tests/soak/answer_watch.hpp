// SPDX-License-Identifier: BSD-3-Clause
//
// Tells a second answer to an actor's request from the first one, which CAF does not: it drops without
// a word what nobody waits for.

#pragma once

#include <caf/mailbox_element.hpp>

#include <cstddef>
#include <mutex>
#include <vector>

namespace soak {

/// Looks at every message to one actor, in its `enqueue`. Any thread. An answer without content is not
/// counted: that is how `client` wakes its actor, twice perhaps.
class answer_watch {
public:
  /// Returns whether the message answers a request that was answered before.
  [[nodiscard]] bool is_second(const caf::mailbox_element& msg) {
    if (!msg.mid.is_response() || msg.content().empty()) return false;
    auto number = static_cast<std::size_t>(msg.mid.request_id().integer_value()); // 1, 2, ...
    std::lock_guard lock{mutex_};
    if (number >= answered_.size()) answered_.resize(2 * number + 1);
    if (answered_[number]) return true;
    answered_[number] = true;
    return false;
  }

private:
  std::mutex mutex_;
  std::vector<bool> answered_;
};

} // namespace soak
