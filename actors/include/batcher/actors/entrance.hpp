// SPDX-License-Identifier: BSD-3-Clause
//
// How messages get into a batcher. It is an actor like any other, but what comes in great numbers,
// requests and finished jobs, need not pass through its mailbox one by one:
//
//   - While the batcher has nothing to do, such a message is handled at once, in the thread of whoever
//     sends it. A lone request so reaches a worker with no detour. Not if that may be CAF's clock.
//     Finished jobs and bulks, which need no others to be worth a visit, are handled so whenever
//     nobody else is being handled.
//   - Otherwise it joins the one before it, which is being handled or waits in the mailbox, and is
//     handled with it. What many senders ask for at once is one message to the actor.
//
// Whoever handles messages has the batcher for itself, and messages of one sender are handled in the
// order in which they were sent: none joins one that lies before another message in the mailbox.
//
//     in the mailbox:   R0        control        R3
//     its burst:        R0 R1 R2                 R3 R4
//
// Measured beside a plain actor that gets each request through its mailbox (bench_hot_path): without
// bursts a batcher has half of its throughput, and a lone request takes four turns of the scheduler
// instead of two.
//
// Thread rule: any thread.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/reply.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace batcher::actors {

/// A message that nobody has handled: if it is destroyed, it is answered.
class unread_message {
public:
  explicit unread_message(caf::mailbox_element_ptr msg) : msg_{std::move(msg)} {}
  unread_message(unread_message&&) noexcept = default;
  unread_message& operator=(unread_message&&) = delete;
  ~unread_message() { reset(); }

  [[nodiscard]] caf::mailbox_element& operator*() const noexcept { return *msg_; }

  /// Frees the message; answers its sender if that is still in there.
  void reset() {
    if (!msg_) return;
    if (msg_->sender) compat::return_path{*msg_}.send(nullptr, batcher_has_ended());
    msg_ = nullptr;
  }

private:
  caf::mailbox_element_ptr msg_;
};

/// A lock for a few instructions at a time.
class short_lock {
public:
  void lock() noexcept {
    while (is_held_.test_and_set(std::memory_order_acquire))
      for (int i = 0; is_held_.test(std::memory_order_relaxed); ++i)
        if (i >= most_spins) std::this_thread::yield(); // its holder may have lost the processor
  }
  void unlock() noexcept { is_held_.clear(std::memory_order_release); }

private:
  static constexpr int most_spins = 64;
  std::atomic_flag is_held_;
};

class entrance {
public:
  using burst = std::vector<unread_message>;

  /// What a message is to the entrance.
  enum class kind {
    /// A request: handled at once if the batcher is idle, or joins others, or goes to the mailbox.
    request,
    /// A request whose sender must not be held up: joins others, or goes to the mailbox.
    passing_request,
    /// A finished job, or many requests: the same, but the batcher need not be idle.
    prompt,
    /// Goes to the mailbox, and what comes later waits for it.
    ordered,
    /// Goes to the mailbox; the order does not matter.
    other,
  };

  /// Lets a message in: `run(message)` handles it in this thread and calls `next` until that returns
  /// nothing; `to_mailbox(message)` leaves it to the actor. Returns what that returns.
  template <class Run, class ToMailbox>
  compat::enqueue_result admit(caf::mailbox_element_ptr msg, kind how, Run run,
                               ToMailbox to_mailbox) {
    std::unique_lock lock{lock_};
    if (has_ended_ || how == kind::other) {
      lock.unlock(); // a closed mailbox destroys the message, which may run anything
      return to_mailbox(std::move(msg));
    }
    if (how != kind::ordered) {
      if (is_open_) {
        bursts_.back().emplace_back(std::move(msg));
        note_joined(1);
        return compat::enqueue_result(true);
      }
      begin_burst();
      bool may_run = how == kind::prompt || (how == kind::request && is_idle_);
      if (in_mailbox_ == 0 && !is_busy_ && may_run) {
        is_busy_ = true;
        lock.unlock();
        run(std::move(msg));
        return compat::enqueue_result(true);
      }
    } else {
      is_open_ = false;
    }
    ++in_mailbox_;
    return to_mailbox(std::move(msg)); // locked, or a later message could overtake it
  }

  /// Lets a finished job in that is no message, if nobody is in and nothing waits: whoever brings it
  /// handles it in this thread, and calls `next` until that returns false.
  [[nodiscard]] bool enter_at_once() {
    std::lock_guard lock{lock_};
    if (has_ended_ || is_open_ || is_busy_ || in_mailbox_ > 0) return false;
    begin_burst();
    is_busy_ = true;
    return true;
  }

  /// Fills in what has joined the message that is being handled; false if nothing has: whoever
  /// handles it must go now, the entrance is free. `joined`: empty, its memory is used again.
  /// `was_in_mailbox`: whether that message came through the mailbox. `closes`: whether nothing more
  /// may join. `is_idle`: whether the batcher has nothing to do.
  [[nodiscard]] bool next(burst& joined, bool was_in_mailbox, bool closes, bool is_idle) {
    std::lock_guard lock{lock_};
    auto& first = bursts_.front();
    if (bursts_.size() == 1 && (closes || first.empty())) is_open_ = false;
    if (!first.empty()) {
      joined.swap(first);
      note_joined(-joined.size());
      return true;
    }
    spare_.swap(joined.capacity() > first.capacity() ? joined : first);
    bursts_.pop_front();
    free_entrance(was_in_mailbox, is_idle);
    return false;
  }

  /// Waits until nobody else handles anything.
  void enter() {
    std::unique_lock lock{lock_};
    while (is_busy_) {
      ++waiting_;
      auto times = freed_.load();
      lock.unlock();
      freed_.wait(times);
      lock.lock();
      --waiting_;
    }
    is_busy_ = true;
  }

  /// Ends what `enter` began. `was_ordered`: whether the message that was handled is of that kind.
  void leave(bool was_ordered, bool is_idle) {
    std::lock_guard lock{lock_};
    free_entrance(was_ordered, is_idle);
  }

  /// Ends: everything goes to the mailbox from now on. What has joined and was not handled is
  /// answered.
  void end() {
    std::deque<burst> unread;
    std::lock_guard lock{lock_};
    has_ended_ = true;
    unread.swap(bursts_);
  }

  /// Returns how many messages have joined others and are not handled yet. Not exact while others
  /// come in.
  [[nodiscard]] std::size_t joined() const noexcept {
    return joined_.load(std::memory_order_relaxed);
  }

private:
  // While locked. Wraps around for fewer.
  void note_joined(std::size_t more) noexcept {
    joined_.store(joined_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }

  void begin_burst() {
    bursts_.emplace_back().swap(spare_);
    is_open_ = true;
  }

  void free_entrance(bool was_in_mailbox, bool is_idle) {
    if (was_in_mailbox) --in_mailbox_;
    is_busy_ = false;
    is_idle_ = is_idle;
    if (waiting_ == 0) return;
    ++freed_;
    freed_.notify_all();
  }

  short_lock lock_;
  std::atomic<std::uint32_t> freed_ = 0; // how often while somebody waited
  std::deque<burst> bursts_; // each of a request that is being handled or in the mailbox
  burst spare_;
  std::atomic<std::size_t> joined_ = 0; // messages, over all bursts
  std::size_t in_mailbox_ = 0;          // requests and ordered messages
  std::size_t waiting_ = 0;
  bool is_open_ = false; // the last burst
  bool is_busy_ = false;
  bool is_idle_ = false;
  bool has_ended_ = false;
};

} // namespace batcher::actors
