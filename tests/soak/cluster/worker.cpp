// SPDX-License-Identifier: BSD-3-Clause

#include "worker.hpp"

#include "executions.hpp"
#include "processes.hpp"
#include "tunnels.hpp"

#include "batcher/actors/node.hpp"

#include <signal.h>

#include <memory>
#include <span>
#include <thread>
#include <vector>

namespace soak {

using namespace std::chrono_literals;

namespace {

std::vector<std::uint64_t> answer_all(std::span<const std::uint64_t> requests, executions& count) {
  std::vector<std::uint64_t> answers;
  for (auto x : requests) {
    if (x == endless_request) std::this_thread::sleep_for(24h);
    count.add(x);
    answers.push_back(answer_to(x));
  }
  std::this_thread::sleep_for(work_time(requests.size()));
  return answers;
}

} // namespace

int run_worker(const worker_settings& chosen) {
  auto terminate = block_terminate();
  auto count = std::make_shared<executions>(chosen.executions_file);
  auto max_silence = std::chrono::milliseconds{chosen.max_silence_ms};
  batcher::actors::network_config<> cfg;
  // CAF's default lets idle threads look for work, which 16 nodes on two cores would feel.
  batcher::actors::compat::set_policy(cfg, "sharing");
  cfg.watch_connections(max_silence);
  if (!chosen.certificates_folder.empty())
    cfg.use_tls(tls_of(chosen.certificates_folder, "worker"));
  caf::actor_system system{cfg};
  auto make_worker = [count] {
    return [count](std::span<const std::uint64_t> xs) { return answer_all(xs, *count); };
  };
  auto node = batcher::actors::join<std::uint64_t, std::uint64_t>(
    system, chosen.host, chosen.port, make_worker,
    {.name = chosen.name,
     .reconnect = {.connect_timeout = 500ms,
                   .retry_delay = 50ms,
                   .max_retry_delay = 500ms,
                   .max_silence = max_silence}});
  int signal = 0;
  ::sigwait(&terminate, &signal);
  return node.leave(10s) == 0 ? 0 : 1;
}

} // namespace soak
