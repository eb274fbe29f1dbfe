// SPDX-License-Identifier: BSD-3-Clause
//
// Whether every request gets exactly one reply, the right one, while worker nodes, and with --clients
// client nodes, are killed, frozen, cut off and brought back at random. Other modes: how long it takes
// until one of them is given up, a rolling restart, and what more nodes bring. The nodes are processes
// of this program, each in a network namespace of its own (network.hpp).
//
// Exits with 1 if something promised does not hold, with 2 if it could not be tried, and with 77 if
// namespaces (`--require-namespaces`) or slow links (`--delay-ms`, `--loss-percent`) were asked for and
// there are none.

#include "client.hpp"
#include "executions.hpp"
#include "network.hpp"
#include "settings.hpp"
#include "soak.hpp"
#include "worker.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>

namespace {

using namespace soak;

constexpr int status_untried = 2;
constexpr int status_skipped = 77;

void add_options(CLI::App& app, settings& chosen) {
  app.add_option("--seconds", chosen.seconds, "Length of the run")->capture_default_str();
  app.add_option("--seed", chosen.seed, "Of all random choices")->capture_default_str();
  app.add_option("--nodes", chosen.nodes, "Worker nodes")
    ->check(CLI::Range(1, 64))
    ->capture_default_str();
  app.add_option("--clients", chosen.clients, "Client nodes, besides the clients of this process")
    ->check(CLI::Range(std::size_t{0}, executions::most_clients))
    ->capture_default_str();
  app.add_option("--retry", chosen.retry, "What becomes of the batches of a lost node")
    ->check(CLI::IsMember({"idempotent", "never"}))
    ->capture_default_str();
  app.add_option("--max-silence-ms", chosen.max_silence_ms, "Of all connections")
    ->check(CLI::Range(100, 60'000))
    ->capture_default_str();
  app.add_option("--max-batch-items", chosen.max_batch_items)->capture_default_str();
  app.add_option("--window", chosen.window, "Requests that wait at once")->capture_default_str();
  app.add_option("--client-window", chosen.client_window, "The same of each client node")
    ->capture_default_str();
  app.add_option("--overdue-s", chosen.overdue_s, "Longest time to a reply")->capture_default_str();
  app.add_option("--rounds", chosen.rounds, "Faults of each kind for --detect")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--step-seconds", chosen.step_seconds, "Length of each step of --scale")
    ->capture_default_str();
  app.add_option("--tls", chosen.tls, "What encrypts between the nodes")
    ->check(CLI::IsMember({"none", "stunnel", "caf"}))
    ->capture_default_str();
  app.add_option("--delay-ms", chosen.delay_ms, "What each link takes, either way")
    ->check(CLI::Range(0, 10'000))
    ->capture_default_str();
  app
    .add_option("--loss-percent", chosen.loss_percent, "Share of its packets that each link loses")
    ->check(CLI::Range(0.0, 100.0))
    ->capture_default_str();
  app.add_option("--json", chosen.json_file, "File to write what was seen to");
  app.add_flag("--require-namespaces", chosen.require_namespaces,
               "Exit with 77 where they cannot be made");
  app.add_flag("--loopback", chosen.only_loopback, "Make no namespaces: nothing is cut off");
}

// Returns nothing if the run is to be skipped.
std::optional<network> make_network(const settings& chosen, std::size_t nodes) {
  if (chosen.only_loopback) return network{};
  try {
    return network{nodes};
  } catch (const std::exception& why) {
    std::printf("no namespaces here: %s; %s\n", why.what(),
                chosen.require_namespaces ? "skipped" : "on loopback, nothing is cut off");
  }
  if (chosen.require_namespaces) return std::nullopt;
  return network{};
}

// Returns whether the links are as they were asked for; if not, the run is to be skipped.
bool make_links(const settings& chosen, const network& net) {
  if (!chosen.has_slow_links()) return true;
  try {
    if (!net.is_real()) throw std::runtime_error{"there are no namespaces"};
    net.slow_down(std::chrono::milliseconds{chosen.delay_ms}, chosen.loss_percent);
    return true;
  } catch (const std::exception& why) {
    std::printf("no slow links here: %s; skipped\n", why.what());
    return false;
  }
}

struct modes {
  bool detects = false;
  bool rolls = false;
  bool scales = false;
};

int run(const settings& chosen, modes how) {
  auto net = make_network(chosen, how.scales ? most_nodes : chosen.nodes + chosen.clients);
  if (!net || !make_links(chosen, *net)) return status_skipped;
  if (how.detects) return run_detect(chosen, *net);
  if (how.rolls) return run_rolling(chosen, *net);
  if (how.scales) return run_scale(chosen, *net);
  return run_soak(chosen, *net);
}

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  worker_settings work;
  client_settings asking;
  modes how;
  CLI::App app{"Counts replies of a cluster under faults of every kind", "soak_cluster"};
  add_options(app, chosen);
  auto* detect = app.add_flag("--detect", how.detects, "Measure how soon a lost node is given up");
  auto* roll = app.add_flag("--rolling", how.rolls, "Restart all nodes in order, without faults");
  app.add_flag("--scale", how.scales, "Measure 1 to 16 nodes")->excludes(detect)->excludes(roll);
  roll->excludes(detect);
  auto* worker = app.add_subcommand("worker")->group("");
  worker->add_option("host", work.host)->required();
  worker->add_option("port", work.port)->required();
  worker->add_option("name", work.name)->required();
  worker->add_option("executions", work.executions_file)->required();
  worker->add_option("silence", work.max_silence_ms)->required();
  worker->add_option("certificates", work.certificates_folder);
  auto* client = app.add_subcommand("client")->group("");
  client->add_option("host", asking.host)->required();
  client->add_option("port", asking.port)->required();
  client->add_option("name", asking.name)->required();
  client->add_option("account", asking.account_file)->required();
  client->add_option("silence", asking.max_silence_ms)->required();
  client->add_option("first", asking.first_request)->required();
  client->add_option("window", asking.window)->required();
  client->add_option("overdue", asking.overdue_s)->required();
  client->add_option("certificates", asking.certificates_folder);
  CLI11_PARSE(app, argc, argv);
  try {
    if (worker->parsed()) return run_worker(work);
    if (client->parsed()) return run_client(asking);
    return run(chosen, how);
  } catch (const std::exception& why) {
    std::fprintf(stderr, "soak_cluster: %s\n", why.what());
    return status_untried;
  }
}
