// SPDX-License-Identifier: BSD-3-Clause
//
// A worker's process, see parts.hpp.

#include "cluster/console.hpp"
#include "cluster/messages.hpp"
#include "cluster/parts.hpp"

#include <batcher/actors/node.hpp>

#include <caf/actor_system.hpp>

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace cluster {

namespace {

namespace actors = batcher::actors;

// Each worker has a thread of its own, so that it may sleep.
auto make_work(const worker_settings& chosen) {
  return
    [=, name = chosen.joining.name, batch_time = chosen.batch_time, item_time = chosen.item_time] {
      return [=](std::span<const question> batch) {
        auto items = static_cast<std::uint32_t>(batch.size());
        std::this_thread::sleep_for(batch_time + items * item_time);
        std::vector<answer> answers;
        for (auto& x : batch) answers.push_back({digest_of(x.number, x.text), name, items});
        return answers;
      };
    };
}

} // namespace

int run(const worker_settings& chosen) {
  std::atomic<bool> has_given_up = false;
  actors::network_config<caf::id_block::cluster> cfg;
  actors::compat::set_policy(cfg, "sharing");
  cfg.watch_connections(chosen.joining.reconnect.max_silence);
  if (wants_tls(chosen.tls)) cfg.use_tls(chosen.tls);
  caf::actor_system system{cfg};
  auto opts = chosen.joining;
  opts.on_event = [&has_given_up](const actors::node_event& event) {
    using enum actors::node_event::kind;
    say(text_of(event));
    if (event.what == given_up) has_given_up = true;
    if (event.what == given_up || event.what == left) ask_for_end();
  };
  auto node = actors::join<question, answer>(system, chosen.batcher.host, chosen.batcher.port,
                                             make_work(chosen), std::move(opts));
  wait_for_end();
  if (has_given_up) return exit_failed;
  say("leaving: finishing what is here");
  auto unfinished = node.leave(chosen.leave_timeout);
  if (unfinished == 0) return exit_ok;
  complain(std::to_string(unfinished) + " batches were left unfinished");
  return exit_failed;
}

} // namespace cluster
