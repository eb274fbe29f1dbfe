// SPDX-License-Identifier: BSD-3-Clause

#include "cluster.hpp"

#include "client.hpp"
#include "processes.hpp"

#include "batcher/actors/control.hpp"
#include "batcher/actors/node.hpp"
#include "batcher/actors/spawn.hpp"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace soak {

using namespace std::chrono_literals;
using batcher::actors::node_event;

void attendance::note(const node_event& what) {
  std::lock_guard lock{mutex_};
  ++events_[what.what];
  if (what.what == node_event::kind::connected) ++here_[what.peer];
  if (what.what == node_event::kind::lost || what.what == node_event::kind::left)
    if (--here_[what.peer] == 0) here_.erase(what.peer);
  changed_.notify_all();
}

bool attendance::wait_for(std::size_t nodes, batcher::duration timeout) {
  std::unique_lock lock{mutex_};
  return changed_.wait_for(lock, timeout, [&] { return here_.size() == nodes; });
}

std::uint64_t attendance::of(node_event::kind what) const {
  std::lock_guard lock{mutex_};
  auto it = events_.find(what);
  return it == events_.end() ? 0 : it->second;
}

batcher::options batcher_options(const settings& chosen) {
  batcher::options opts{.name = "cluster",
                        .max_batch_items = chosen.max_batch_items,
                        .max_delay = 5ms,
                        .workers = 0,
                        .max_outage = 60s};
  // As often as it takes: what is promised is that nothing fails for a lost node.
  if (chosen.retry == "idempotent")
    opts.on_failure = batcher::retry::idempotent{.max_attempts = 100, .budget = 10};
  return opts;
}

struct cluster::actors {
  batcher::actors::network_config<> cfg;
  std::unique_ptr<caf::actor_system> system;
  std::shared_ptr<run_counter> runs = std::make_shared<run_counter>();
  std::shared_ptr<attendance> who = std::make_shared<attendance>();
  handle batcher;
  batcher::actors::publication published;
};

cluster::cluster(const settings& chosen, const network& net, const batcher::options& opts)
  : chosen_{chosen}, net_{&net},
    nodes_(chosen.nodes + chosen.clients), actors_{std::make_unique<actors>()} {
  auto& a = *actors_;
  a.cfg.watch_connections(chosen.max_silence());
  if (chosen.tls == "caf") a.cfg.use_tls(tls_of(certificates_.emplace().folder(), "batcher"));
  batcher::actors::compat::set_policy(a.cfg, "sharing");
  a.system = std::make_unique<caf::actor_system>(a.cfg);
  auto watched = opts;
  watched.observer = a.runs;
  auto no_worker = [] {
    return [](std::span<const std::uint64_t>) { return std::vector<std::uint64_t>{}; };
  };
  a.batcher =
    batcher::actors::spawn_batcher<std::uint64_t, std::uint64_t>(*a.system, watched, no_worker);
  a.published = batcher::actors::publish(
    a.batcher, {.bind = chosen.tls == "stunnel" ? "127.0.0.1" : net_->bind_address(),
                .allow_untrusted_network = net_->is_real(),
                .max_silence = chosen.max_silence(),
                .on_event = [who = a.who](auto& x) { who->note(x); }});
  if (chosen.tls == "stunnel") tunnels_.emplace(*net_, nodes_.size(), a.published.port());
  for (std::size_t i = 0; i < chosen_.clients; ++i)
    accounts_.push_back(std::make_unique<shared<account>>());
  for (std::size_t i = 0; i < nodes_.size(); ++i) start(i);
}

cluster::~cluster() {
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i]) kill(i);
  batcher::actors::stop(actors_->batcher);
}

const handle& cluster::batcher() const { return actors_->batcher; }
run_counter& cluster::runs() const { return *actors_->runs; }
attendance& cluster::who() const { return *actors_->who; }
executions& cluster::executed() const { return *executed_; }
const network& cluster::net() const { return *net_; }
std::size_t cluster::size() const { return nodes_.size(); }
std::size_t cluster::workers() const { return chosen_.nodes; }
std::size_t cluster::clients() const { return chosen_.clients; }
account& cluster::account_of(std::size_t client) const { return **accounts_.at(client); }
batcher::duration cluster::max_silence() const { return chosen_.max_silence(); }

std::vector<std::string> cluster::arguments_for(std::size_t node) const {
  bool is_worker = node < workers();
  auto number = is_worker ? node : node - workers();
  auto host = tunnels_ ? "127.0.0.1" : net_->address_for(node);
  auto port = tunnels_ ? tunnels_->port_for(node) : actors_->published.port();
  std::vector<std::string> all{std::filesystem::read_symlink("/proc/self/exe").string(),
                               is_worker ? "worker" : "client", host, std::to_string(port),
                               (is_worker ? "node " : "client ") + std::to_string(number)};
  auto add = [&all](auto x) { all.push_back(std::to_string(x)); };
  add(is_worker ? executed_->file() : accounts_[number]->file());
  add(chosen_.max_silence_ms);
  if (!is_worker) {
    add(executions::first_of_client(number));
    add(chosen_.client_window);
    add(chosen_.overdue_s);
  }
  if (certificates_) all.push_back(certificates_->folder());
  return all;
}

void cluster::start(std::size_t node) {
  nodes_.at(node) = start_process(arguments_for(node), net_->space_of(node));
  on_whole(node);
}

void cluster::kill(std::size_t node) {
  on_disturbed(node);
  send_signal(nodes_.at(node).value(), SIGKILL);
  wait_for_end(*nodes_[node]);
  nodes_[node].reset();
}

bool cluster::leave(std::size_t node) {
  send_signal(nodes_.at(node).value(), SIGTERM);
  auto status = wait_for_end(*nodes_[node]);
  nodes_[node].reset();
  return status == 0;
}

void cluster::freeze(std::size_t node) const {
  on_disturbed(node);
  send_signal(nodes_.at(node).value(), SIGSTOP);
}

void cluster::thaw(std::size_t node) const {
  on_disturbed(node); // what it was owed while it was frozen it could not see
  send_signal(nodes_.at(node).value(), SIGCONT);
  on_whole(node);
}

void cluster::cut(std::size_t node) const {
  on_disturbed(node);
  net_->cut(node);
}

void cluster::heal(std::size_t node) const {
  net_->heal(node);
  on_whole(node);
}

void cluster::on_disturbed(std::size_t node) const {
  if (node < workers()) return;
  auto& own = account_of(node - workers());
  own.whole_since = account::never;
  own.disturbed_at = now_count();
}

void cluster::on_whole(std::size_t node) const {
  if (node >= workers()) account_of(node - workers()).whole_since = now_count();
}

void cluster::look_after() const {
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i] && has_ended(*nodes_[i]))
      throw std::runtime_error{"node " + std::to_string(i) + " has ended by itself"};
}

} // namespace soak
