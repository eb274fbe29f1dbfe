// SPDX-License-Identifier: BSD-3-Clause
//
// Several batchers behind one handle (`options::shards`). Requests go to a shard in the thread of
// whoever sends them, and never through the mailbox; what concerns all shards comes here, goes to
// each of them, and is answered once all have answered.
//
//     client --request--> its shard --> ...
//     client --drain--> sharded batcher --drain--> every shard
//
// Messages of one sender reach a shard in the order in which they were sent: while one that concerns
// all waits in the mailbox, requests that come later are held until it has gone to the shards.
//
// One actor for all types, compiled once: what depends on them is a function each.

#pragma once

#include "batcher/actors/batcher_actor.hpp"
#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/intake.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/live_counters.hpp"
#include "batcher/options.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace batcher::actors {

/// How to look at the shards of a batcher and at their messages.
struct shard_access {
  /// Returns whether a message is a request.
  bool (*is_request)(const caf::mailbox_element& msg);
  /// Returns the key of a request.
  std::string_view (*key_of)(const caf::mailbox_element& msg);
  /// Returns what a shard has to do.
  work_load (*load_of)(const caf::abstract_actor* shard);
};

template <class Request, class Response>
[[nodiscard]] std::string_view key_of_request(const caf::mailbox_element& msg) {
  auto find = [](const std::shared_ptr<payload>& carried, auto* type) -> std::string_view {
    auto* found = dynamic_cast<decltype(type)>(carried.get());
    return found ? std::string_view{found->what.key} : std::string_view{};
  };
  auto& content = msg.content();
  if (compat::is_of<submit_message>(msg))
    return find(content.template get_as<submit_message>(0).request,
                static_cast<submit_payload<Request>*>(nullptr));
  if (compat::is_of<external_message>(msg))
    return find(content.template get_as<external_message>(0).request,
                static_cast<external_request<Request, Response>*>(nullptr));
  if (compat::is_of<bulk_message>(msg))
    return find(content.template get_as<bulk_message>(0).requests,
                static_cast<bulk_payload<Request>*>(nullptr));
  return {};
}

template <class Request, class Response>
[[nodiscard]] shard_access access_to_shards() {
  return {
    intake<Request, Response>::is_request,
    key_of_request<Request, Response>,
    [](const caf::abstract_actor* shard) {
      return static_cast<const batcher_actor<Request, Response>*>(shard)->load();
    },
  };
}

/// Starts the actor in front of `shards`, which are those of `opts`. Precondition: `validate(opts)` is
/// empty.
[[nodiscard]] caf::actor spawn_sharded_batcher(caf::actor_system& system, const options& opts,
                                               std::vector<caf::actor> shards, shard_access how);

} // namespace batcher::actors
