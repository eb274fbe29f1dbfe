// SPDX-License-Identifier: BSD-3-Clause
//
// Answers to control messages.

#include "batcher/actors/node/commands.hpp"

#include "batcher/actors/node/codec.hpp"

#include <utility>

namespace batcher::actors::node {

namespace {

void deliver(owned_promise& to, command_kind what, const command_reply& x) {
  if (!x.error.empty()) return to.deliver(error_of_bytes(x.error));
  switch (what) {
    case command_kind::is_running:
    case command_kind::cancel: return to.deliver(x.number != 0);
    case command_kind::drain: return to.deliver(x.number);
    case command_kind::credit: return to.deliver(static_cast<std::uint32_t>(x.number));
    case command_kind::pause:
    case command_kind::resume:
    case command_kind::stop: return to.deliver(caf::unit);
    case command_kind::stats: break;
  }
  if (auto stats = stats_of_bytes(x.stats)) return to.deliver(stats_message{*stats});
  to.deliver(caf::make_error(errc::incompatible, "the bytes of the stats are damaged"));
}

} // namespace

void pending_commands::add(const command& what, owned_promise answer) {
  all_.emplace(what.id, pending{what, std::move(answer)});
}

std::vector<command> pending_commands::take_unsent() {
  std::vector<command> out;
  for (auto& [id, one] : all_)
    if (!std::exchange(one.is_sent, true)) out.push_back(one.what);
  return out;
}

void pending_commands::finish(const command_reply& x) {
  auto node = all_.extract(x.id);
  if (!node.empty()) deliver(node.mapped().answer, node.mapped().what.what, x);
}

void pending_commands::fail_sent(const caf::error& why) {
  for (auto it = all_.begin(); it != all_.end();) {
    auto here = it++;
    if (!here->second.is_sent) continue;
    here->second.answer.deliver(why);
    all_.erase(here);
  }
}

void pending_commands::fail_all(const caf::error& why) {
  for (auto& [id, one] : all_) one.answer.deliver(why);
  all_.clear();
}

} // namespace batcher::actors::node
