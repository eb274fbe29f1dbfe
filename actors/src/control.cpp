// SPDX-License-Identifier: BSD-3-Clause
//
// Blocking requests to a batcher's life-cycle messages. A batcher that has ended answers with an
// error, which here means: not running, nothing left to do.

#include "batcher/actors/control.hpp"

namespace batcher::actors::detail {

namespace {

template <class Result, class... Ts>
Result ask_or(Result otherwise, caf::actor_system& system, const caf::actor& batcher, Ts... xs) {
  caf::scoped_actor self{system};
  auto answer = otherwise;
  compat::request(self.ptr(), batcher, xs...)
    .receive([&](Result result) { answer = result; }, [](const caf::error&) {});
  return answer;
}

} // namespace

bool is_running(caf::actor_system& system, const caf::actor& batcher) {
  return ask_or(false, system, batcher, is_running_atom_v);
}

std::uint64_t drain(caf::actor_system& system, const caf::actor& batcher, duration timeout) {
  return ask_or(std::uint64_t{0}, system, batcher, drain_atom_v, caf::timespan{timeout});
}

void stop(caf::actor_system& system, const caf::actor& batcher) {
  caf::scoped_actor self{system};
  compat::request(self.ptr(), batcher, stop_atom_v).receive([] {}, [](const caf::error&) {});
}

} // namespace batcher::actors::detail
