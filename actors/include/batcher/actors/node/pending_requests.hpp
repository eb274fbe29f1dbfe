// SPDX-License-Identifier: BSD-3-Clause
//
// The requests of a link that are not answered yet, sent or not, and who waits for each. Knows
// neither whether there is a connection nor what time it is.

#pragma once

#include "batcher/actors/node/packing.hpp"
#include "batcher/actors/node/wire.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/request_item.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/time.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher::actors::node {

template <class Request, class Response>
class pending_requests {
public:
  /// How many there are.
  [[nodiscard]] std::size_t count() const noexcept { return all_.size(); }

  /// Returns the one with that tag.
  [[nodiscard]] std::optional<std::uint64_t> find(const tag_key& tag) const {
    auto it = tags_.find(tag);
    return it == tags_.end() ? std::nullopt : std::optional{it->second};
  }

  /// Keeps one that is to be sent; returns when its time is over. Precondition: its tag is not in
  /// use.
  time_point add(submit<Request> what, reply<Response> answer, std::optional<tag_key> tag,
                 time_point at) {
    auto id = ++last_id_;
    if (tag) tags_.emplace(*tag, id);
    all_.emplace(id, pending{std::move(answer), std::move(tag)});
    unsent_.push_back({id, std::move(what), at});
    return end_of(unsent_.back());
  }

  /// Returns those that have not been sent and are still wanted, in order, as frames of at most
  /// `most_bytes`; they count as sent from now on. Those that cannot travel are answered.
  [[nodiscard]] std::vector<frame> take_unsent(time_point at, std::size_t most_bytes) {
    auto chosen = std::exchange(unsent_, {});
    std::erase_if(chosen, [this](const unsent& x) { return !is_wanted(x.id); });
    auto out = pack<Request>(chosen, at, most_bytes);
    for (auto& [id, why] : out.refused) deliver(id, std::move(why));
    for (auto& x : chosen)
      if (auto it = all_.find(x.id); it != all_.end()) it->second.is_sent = true;
    return std::move(out.frames);
  }

  /// Answers one; one that is not there any more is left alone.
  void deliver(std::uint64_t id, caf::expected<Response> result) {
    auto node = all_.extract(id);
    if (node.empty()) return;
    auto& [answer, tag, is_sent] = node.mapped();
    if (tag) tags_.erase(*tag);
    answer.deliver(std::move(result));
  }

  /// Answers one with an error unless it was sent; returns whether it did. Precondition: it is
  /// here.
  bool fail_if_unsent(std::uint64_t id, caf::error why) {
    if (all_.at(id).is_sent) return false;
    deliver(id, std::move(why));
    return true;
  }

  /// Answers those that were sent with an error, or the others.
  void fail_sent(const caf::error& why) {
    std::vector<std::uint64_t> sent;
    for (auto& [id, one] : all_)
      if (one.is_sent) sent.push_back(id);
    for (auto id : sent) deliver(id, why);
  }
  void fail_unsent(const caf::error& why) {
    for (auto& one : std::exchange(unsent_, {})) deliver(one.id, why);
  }

  /// Answers those with an error that were not sent in their time.
  void expire_unsent(time_point at, const caf::error& why) {
    std::erase_if(unsent_, [&](const unsent& one) {
      bool is_over = at >= end_of(one);
      if (is_over) deliver(one.id, why);
      return is_over;
    });
  }

  /// Returns when the time of the first one is over that was not sent.
  [[nodiscard]] time_point next_expiry() const {
    auto first = time_point::max();
    for (auto& one : unsent_) first = std::min(first, end_of(one));
    return first;
  }

  /// Lets all go, which answers them.
  void clear() {
    unsent_.clear();
    all_.clear();
    tags_.clear();
  }

private:
  struct pending {
    reply<Response> answer;
    std::optional<tag_key> tag;
    bool is_sent = false;
  };

  using unsent = unsent_request<Request>;

  static time_point end_of(const unsent& one) {
    return one.what.timeout != duration::zero() ? saturating_add(one.since, one.what.timeout)
                                                : time_point::max();
  }

  bool is_wanted(std::uint64_t id) {
    auto it = all_.find(id);
    if (it == all_.end()) return false;
    if (!it->second.answer.is_abandoned()) return true;
    deliver(id, caf::make_error(errc::cancelled, "the sender of the request has ended"));
    return false;
  }

  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, pending> all_;
  std::vector<unsent> unsent_;
  std::map<tag_key, std::uint64_t> tags_;
};

} // namespace batcher::actors::node
