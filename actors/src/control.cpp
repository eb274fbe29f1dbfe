// SPDX-License-Identifier: BSD-3-Clause
//
// Blocking requests to a batcher's life-cycle messages. A batcher that has ended answers with an
// error, which here means: not running, nothing left to do.

#include "batcher/actors/control.hpp"

namespace batcher::actors::detail {

namespace {

void ignore(const caf::error&) {}

} // namespace

bool is_running(caf::actor_system& system, const caf::actor& batcher) {
  caf::scoped_actor self{system};
  auto answer = false;
  compat::urgent_request(self.ptr(), batcher, is_running_atom_v)
    .receive([&](bool running) { answer = running; }, ignore);
  return answer;
}

std::uint64_t drain(caf::actor_system& system, const caf::actor& batcher, duration timeout) {
  caf::scoped_actor self{system};
  std::uint64_t answer = 0;
  compat::request(self.ptr(), batcher, drain_atom_v, caf::timespan{timeout})
    .receive([&](std::uint64_t unfinished) { answer = unfinished; }, ignore);
  return answer;
}

void stop(caf::actor_system& system, const caf::actor& batcher) {
  caf::scoped_actor self{system};
  compat::urgent_request(self.ptr(), batcher, stop_atom_v).receive([] {}, ignore);
}

} // namespace batcher::actors::detail
