// SPDX-License-Identifier: BSD-3-Clause
//
// Blocking requests to a batcher's life-cycle messages. A batcher that has ended answers with an
// error, which here means: not running, nothing left to do.

#include "batcher/actors/control.hpp"

#include <memory>
#include <utility>

namespace batcher::actors::detail {

namespace {

void ignore(const caf::error&) {}

template <class... Ts>
void tell(caf::actor_system& system, const caf::actor& batcher, Ts&&... xs) {
  caf::scoped_actor self{system};
  compat::urgent_request(self.ptr(), batcher, std::forward<Ts>(xs)...).receive([] {}, ignore);
}

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
  tell(system, batcher, stop_atom_v);
}

void pause(caf::actor_system& system, const caf::actor& batcher) {
  tell(system, batcher, pause_atom_v);
}

void resume(caf::actor_system& system, const caf::actor& batcher) {
  tell(system, batcher, resume_atom_v);
}

void reconfigure(caf::actor_system& system, const caf::actor& batcher, const options& opts) {
  if (auto problems = validate(opts); !problems.empty())
    throw invalid_options{text_of_problems(problems)};
  tell(system, batcher, reconfigure_message{std::make_shared<const options>(opts)});
}

batcher_stats stats(caf::actor_system& system, const caf::actor& batcher) {
  caf::scoped_actor self{system};
  batcher_stats answer;
  answer.is_closed = true;
  compat::urgent_request(self.ptr(), batcher, stats_atom_v)
    .receive([&](const stats_message& msg) { answer = msg.stats; }, ignore);
  return answer;
}

} // namespace batcher::actors::detail
