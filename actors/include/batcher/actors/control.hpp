// SPDX-License-Identifier: BSD-3-Clause
//
// The life of a batcher, for code without actors: blocking forms of the messages in
// `interfaces.hpp`. Do not call them inside an actor, which would block its thread; send the
// message there.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/refusals.hpp"
#include "batcher/options.hpp"
#include "batcher/stats.hpp"
#include "batcher/time.hpp"

#include <cstdint>

namespace batcher::actors {

namespace detail {

bool is_running(caf::actor_system& system, const caf::actor& batcher);
std::uint64_t drain(caf::actor_system& system, const caf::actor& batcher, duration timeout);
void stop(caf::actor_system& system, const caf::actor& batcher);
void pause(caf::actor_system& system, const caf::actor& batcher);
void resume(caf::actor_system& system, const caf::actor& batcher);
void reconfigure(caf::actor_system& system, const caf::actor& batcher, const options& opts);
batcher_stats stats(caf::actor_system& system, const caf::actor& batcher);

} // namespace detail

/// Returns whether the batcher takes new requests. False also for one that has ended and for an
/// empty handle. Overtakes requests.
template <any_batcher_handle Handle>
[[nodiscard]] bool is_running(const Handle& batcher) {
  return batcher && detail::is_running(batcher.home_system(), caf::actor_cast<caf::actor>(batcher));
}

/// Refuses new requests, waits until those the batcher has are answered, at most for `timeout`, and
/// returns how many it has answered with `errc::shut_down` instead, over its whole life. The
/// workers are told to end, but after a timeout one may still be inside its function: what that
/// refers to must live as long as the actor system. Comes after the requests that the caller sent
/// before. Returns 0 for a batcher that has ended and for an empty handle.
template <any_batcher_handle Handle>
std::uint64_t drain(const Handle& batcher, duration timeout) {
  if (!batcher) return 0;
  return detail::drain(batcher.home_system(), caf::actor_cast<caf::actor>(batcher), timeout);
}

/// Answers everything that the batcher has with `errc::shut_down` and returns when that is done.
/// Overtakes requests, which are answered in the same way when they are read. Workers as in
/// `drain`; an empty handle is left alone.
template <any_batcher_handle Handle>
void stop(const Handle& batcher) {
  if (batcher) detail::stop(batcher.home_system(), caf::actor_cast<caf::actor>(batcher));
}

/// Dispatches nothing from now on until `resume`; what runs goes on. Both return when it is so, and
/// leave a batcher that has ended alone. Resume, drain or stop it before its last handle goes: it
/// stays, and with it the actor system, while an actor waits for its answer.
template <any_batcher_handle Handle>
void pause(const Handle& batcher) {
  if (batcher) detail::pause(batcher.home_system(), caf::actor_cast<caf::actor>(batcher));
}
template <any_batcher_handle Handle>
void resume(const Handle& batcher) {
  if (batcher) detail::resume(batcher.home_system(), caf::actor_cast<caf::actor>(batcher));
}

/// Gives a batcher new options, all but name, observer, shards and shard_by, which stay;
/// `worker_execution` concerns workers that start later. Nothing that waits or runs is lost, even
/// beyond new limits. Throws `invalid_options` with every problem, and then nothing has changed.
/// Leaves a batcher that has ended alone.
template <any_batcher_handle Handle>
void reconfigure(const Handle& batcher, const options& opts) {
  if (batcher)
    detail::reconfigure(batcher.home_system(), caf::actor_cast<caf::actor>(batcher), opts);
}

/// Returns what is going on at one moment; nothing but zeros, and closed, for a batcher that has
/// ended.
template <any_batcher_handle Handle>
[[nodiscard]] batcher_stats stats(const Handle& batcher) {
  batcher_stats ended;
  ended.is_closed = true;
  if (!batcher) return ended;
  return detail::stats(batcher.home_system(), caf::actor_cast<caf::actor>(batcher));
}

} // namespace batcher::actors
