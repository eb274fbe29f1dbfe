// SPDX-License-Identifier: BSD-3-Clause
//
// The batcher's process, see parts.hpp.

#include "cluster/console.hpp"
#include "cluster/messages.hpp"
#include "cluster/parts.hpp"

#include <batcher/actors/control.hpp>
#include <batcher/actors/node.hpp>
#include <batcher/actors/spawn.hpp>
#include <batcher/monitoring/exposition.hpp>

#include <caf/actor_system.hpp>

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace cluster {

namespace {

namespace actors = batcher::actors;
namespace monitoring = batcher::monitoring;

// What a batcher of this process would work with; `workers` is 0, so nobody calls it.
auto no_work() {
  return [](std::span<const question>) { return std::vector<answer>{}; };
}

int drain_and_tell(const actors::batcher_handle<question, answer>& batcher,
                   batcher::duration timeout) {
  say("draining: answering what is here");
  auto unanswered = actors::drain(batcher, timeout);
  if (unanswered == 0) {
    say("drained: no request was left unanswered");
    return exit_ok;
  }
  complain(std::to_string(unanswered) + " requests were left unanswered at the end of the drain");
  return exit_failed;
}

} // namespace

int run(const batcher_settings& chosen) {
  auto metrics = std::make_shared<monitoring::metrics>();
  std::optional<monitoring::exposition> http;
  if (chosen.metrics_port)
    http.emplace(metrics, monitoring::exposition_options{.bind = chosen.metrics_bind,
                                                         .port = *chosen.metrics_port});
  actors::network_config<caf::id_block::cluster> cfg;
  actors::compat::set_policy(cfg, "sharing"); // lower latency than the default
  cfg.watch_connections(chosen.publishing.max_silence);
  if (wants_tls(chosen.tls)) cfg.use_tls(chosen.tls);
  caf::actor_system system{cfg};
  auto opts = chosen.batching;
  auto how = chosen.publishing;
  if (http) how.observer = opts.observer = metrics->new_observer();
  auto batcher = actors::spawn_batcher<question, answer>(system, std::move(opts), no_work);
  how.on_event = [](const actors::node_event& event) { say(text_of(event)); };
  auto port = actors::publish(batcher, std::move(how), chosen.batching.name);
  if (http) say("metrics: " + http->url());
  say("listening on " + chosen.publishing.bind + ":" + std::to_string(port.port()));
  wait_for_end();
  return drain_and_tell(batcher, chosen.drain_timeout);
}

} // namespace cluster
