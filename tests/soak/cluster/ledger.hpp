// SPDX-License-Identifier: BSD-3-Clause
//
// Who was promised a reply, what came, and how long the faults held it up. Any thread.

#pragma once

#include "executions.hpp"
#include "worker.hpp"

#include "batcher/actors/messages.hpp"
#include "batcher/errc.hpp"

#include <caf/expected.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace soak {

using steady = std::chrono::steady_clock;

/// What is done to nodes.
enum class event : std::uint8_t { kill, freeze, cut, leave, start, thaw, heal };

inline constexpr std::array all_events{event::kill,  event::freeze, event::cut, event::leave,
                                       event::start, event::thaw,   event::heal};

constexpr std::string_view to_string(event x) {
  constexpr std::array<std::string_view, all_events.size()> names{"kill",  "freeze", "cut", "leave",
                                                                  "start", "thaw",   "heal"};
  return names[static_cast<std::size_t>(x)];
}

/// One reading.
struct totals {
  std::uint64_t requests = 0;
  std::uint64_t replies = 0; ///< First ones.
  std::uint64_t doubled = 0;
  std::uint64_t wrong = 0;
  std::uint64_t overdue = 0;
  std::uint64_t ok = 0;
  std::map<std::string, std::uint64_t> errors = {};
  std::map<event, std::uint64_t> events = {};
  /// For each kind, the longest time from such an event to the reply to a request that was waiting
  /// when it came. Where faults overlap, what the others cost is in it.
  std::map<event, steady::duration> longest_after = {};
  steady::duration longest_reply = {};
};

class ledger {
public:
  explicit ledger(steady::duration overdue) : overdue_{overdue}, answered_(executions::capacity) {}

  /// Returns the number of a new request.
  std::uint64_t open() { return requests_++; }

  void on_reply(std::uint64_t request, steady::time_point sent,
                const caf::expected<std::uint64_t>& reply) {
    auto now = steady::now();
    std::lock_guard lock{mutex_};
    if (answered_[request]) {
      ++seen_.doubled;
      return;
    }
    answered_[request] = true;
    ++seen_.replies;
    if (!reply)
      ++seen_.errors[name_of(reply.error())];
    else
      ++(*reply == answer_to(request) ? seen_.ok : seen_.wrong);
    if (now - sent > overdue_) ++seen_.overdue;
    seen_.longest_reply = std::max(seen_.longest_reply, now - sent);
    for (auto it = history_.rbegin(); it != history_.rend() && it->at > sent; ++it) {
      auto& longest = seen_.longest_after[it->what];
      longest = std::max(longest, now - it->at);
    }
  }

  /// Counts a reply that reaches no `on_reply`.
  void on_second_reply() {
    std::lock_guard lock{mutex_};
    ++seen_.doubled;
  }

  void on_event(event what) {
    std::lock_guard lock{mutex_};
    history_.push_back({what, steady::now()});
    ++seen_.events[what];
  }

  [[nodiscard]] totals read() const {
    std::lock_guard lock{mutex_};
    auto result = seen_;
    result.requests = requests_;
    return result;
  }

private:
  struct moment {
    event what;
    steady::time_point at;
  };

  // Errors that a batcher does not give are as bad as none, and told apart.
  static std::string name_of(const caf::error& why) {
    if (why.category() == caf::make_error(batcher::errc::expired).category())
      return std::string{to_string(static_cast<batcher::errc>(why.code()))};
    return "foreign";
  }

  steady::duration overdue_;
  std::atomic<std::uint64_t> requests_ = 0;
  mutable std::mutex mutex_;
  std::vector<bool> answered_;
  std::vector<moment> history_;
  totals seen_;
};

} // namespace soak
