// SPDX-License-Identifier: BSD-3-Clause

#include "soak.hpp"

#include "client.hpp"
#include "cluster.hpp"
#include "faults.hpp"
#include "load.hpp"
#include "report.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace soak {

using namespace std::chrono_literals;

namespace {

void disturb(cluster& on, ledger& in, const settings& chosen) {
  faults all{on, in, chosen.seed};
  auto end = steady::now() + std::chrono::duration<double>(chosen.seconds);
  for (auto now = steady::now(); now < end; now = steady::now()) {
    all.look(now);
    std::this_thread::sleep_for(10ms);
  }
  all.repair_all();
}

// Fails if a node leaves something unfinished.
void restart_in_turn(cluster& on, ledger& in, const settings& chosen) {
  auto end = steady::now() + std::chrono::duration<double>(chosen.seconds);
  for (std::size_t i = 0; steady::now() < end; i = (i + 1) % on.workers()) {
    in.on_event(event::leave);
    bool has_finished = on.leave(i);
    if (!has_finished) throw std::runtime_error{"a node has left with batches"};
    if (!on.who().wait_for(on.size() - 1, 20s)) throw std::runtime_error{"a node did not leave"};
    in.on_event(event::start);
    on.start(i);
    if (!on.who().wait_for(on.size(), 20s)) throw std::runtime_error{"a node did not come"};
  }
}

// What is still missing then is overdue.
void wait_for_replies(const ledger& in, const settings& chosen) {
  auto end = steady::now() + std::chrono::seconds{chosen.overdue_s};
  while (steady::now() < end) {
    auto seen = in.read();
    if (seen.replies == seen.requests) return;
    std::this_thread::sleep_for(10ms);
  }
}

// What timers and a busy machine add to when a client is told of its loss.
constexpr auto client_timer = 500ms;

report report_of(const cluster& on, const ledger& in, const settings& chosen, bool has_faults) {
  using kind = batcher::actors::node_event::kind;
  auto& runs = on.runs();
  report r{.retry = chosen.retry,
           .has_faults = has_faults,
           .has_namespaces = on.net().is_real(),
           .seconds = chosen.seconds,
           .seed = chosen.seed,
           .seen = in.read(),
           .clients = {},
           .counted = runs.counters->read(),
           .retries = runs.retries,
           .retried_items = runs.retried_items,
           .nodes_connected = on.who().of(kind::connected),
           .nodes_lost = on.who().of(kind::lost)};
  r.seen.overdue += r.seen.requests - r.seen.replies;
  auto count_executions = [&](std::uint64_t first, std::uint64_t requests) {
    for (auto i = first; i < first + requests; ++i) {
      auto n = on.executed().of(i);
      r.executed += n;
      r.executed_again += n > 1 ? n - 1 : 0;
    }
  };
  count_executions(0, r.seen.requests);
  for (std::size_t i = 0; i < on.clients(); ++i) {
    add(r.clients, on.account_of(i));
    count_executions(executions::first_of_client(i), on.account_of(i).sent);
  }
  r.clients.nodes = on.clients();
  r.clients.most_until_lost = chosen.max_silence() + client_max_outage + client_timer;
  return r;
}

// Waits until every client has got a result after all is well again.
bool wait_for_service(const cluster& on) {
  auto begin = now_count();
  auto end = steady::now() + time_to_recover(on.max_silence());
  auto is_served = [&](std::size_t client) { return on.account_of(client).last_ok_at > begin; };
  for (std::size_t i = 0; i < on.clients(); ++i)
    while (!is_served(i)) {
      if (steady::now() > end) return false;
      std::this_thread::sleep_for(10ms);
    }
  return true;
}

// Returns whether every client has got all replies.
bool end_clients(cluster& on) {
  bool have_all = true;
  for (auto i = on.workers(); i < on.size(); ++i) have_all &= on.leave(i);
  return have_all;
}

int judge(const report& seen, const settings& chosen) {
  print(seen);
  if (!chosen.json_file.empty()) write_json(seen, chosen.json_file);
  auto problems = problems_of(seen);
  for (const auto& x : problems) std::printf("FAILED: %s\n", x.c_str());
  std::printf("%s\n", problems.empty() ? "all is well" : "FAILED");
  std::fflush(stdout);
  return problems.empty() ? 0 : 1;
}

int run(const settings& chosen, const network& net, bool has_faults) {
  auto in = std::make_shared<ledger>(std::chrono::seconds{chosen.overdue_s});
  cluster on{chosen, net, batcher_options(chosen)};
  if (!on.who().wait_for(on.size(), 20s)) throw std::runtime_error{"the nodes did not come"};
  load clients{on.batcher(), in, chosen.window};
  if (has_faults)
    disturb(on, *in, chosen);
  else
    restart_in_turn(on, *in, chosen);
  auto are_served = wait_for_service(on);
  auto have_all = end_clients(on);
  clients.stop();
  wait_for_replies(*in, chosen);
  auto seen = report_of(on, *in, chosen, has_faults);
  seen.clients.are_served = are_served;
  seen.clients.have_all = have_all;
  return judge(seen, chosen);
}

} // namespace

int run_soak(const settings& chosen, const network& net) { return run(chosen, net, true); }

int run_rolling(const settings& chosen, const network& net) { return run(chosen, net, false); }

} // namespace soak
