// SPDX-License-Identifier: BSD-3-Clause
//
// What a request costs on its way through a batcher, beside a plain actor that answers each request
// by itself (echo), and beside what is written by hand today (promise queue). All sides do the same
// work, none. The clients are actors that keep 64 requests outstanding each, but for the promise
// queue's, which are threads. In every round each side runs once, the sides taking turns in who is
// first.
//
//     single_over_echo_N          N clients, one request a message; `immediate`, cooperative workers
//     client_over_echo_N          the same, asking with the library's `client` instead of `request`
//     fill_over_echo_16           the same with full windows: `fill` and 2 ms
//     bulk64_over_echo            4 clients, bulks of 64
//     single_over_promise_queue   4 clients
//     observers_on_over_off       16 clients; on: every batch into an observer under a mutex
//     shards_2_over_1             16 clients; two shards with a worker each beside one batcher with two
//     bulk64_shards_2_over_1      the same with 4 clients and bulks of 64
//     lone_over_echo              one request at a time: round trip, so that less is better
//     batcher_over_direct_costly_call  16 clients; the work costs 1 us a call and 10 ns an item,
//                                 and a plain actor calls it for each request; one worker

#include "closed_loop.hpp"
#include "rounds.hpp"
#include "summing_observer.hpp"

#include <CLI/CLI.hpp>

#include <functional>

namespace {

using namespace bench;

struct settings {
  std::size_t rounds = 5;
  std::size_t requests = 400'000;
  std::size_t threads = 2;
  std::string policy = "stealing";
  std::string only;
  std::string json;
};

constexpr std::size_t window = 64;
constexpr std::size_t max_batch_items = 64;

struct config : batcher::actors::system_config<caf::id_block::bench> {
  explicit config(const settings& chosen) {
    batcher::actors::compat::set_policy(*this, chosen.policy);
    batcher::actors::compat::set_threads(*this, chosen.threads);
    batcher::actors::compat::set_scheduler_option(*this, "max-throughput", 300);
  }
};

batcher::options batching(bool is_observed = true) {
  return {
    .max_batch_items = max_batch_items,
    .when_idle = batcher::when_idle::immediate,
    .workers = 2,
    .worker_execution = batcher::worker_execution::cooperative,
    .observer = is_observed ? std::make_shared<summing_observer>() : nullptr,
  };
}

batcher::options sharded() {
  auto opts = batching();
  opts.shards = 2;
  return opts;
}

std::vector<int> no_work(std::span<const int> xs) { return {xs.begin(), xs.end()}; }

// Work with a fixed cost a call, which batching saves.
std::vector<int> costly_call(std::span<const int> xs) {
  for (auto until = steady::now() + 1us + xs.size() * 10ns; steady::now() < until;) continue;
  return no_work(xs);
}

int_actor::behavior_type direct() {
  return {[](int x) { return costly_call({&x, 1}).front(); }};
}

class comparison {
public:
  explicit comparison(const settings& chosen) : chosen_{chosen}, config_{chosen} {}

  void run() {
    for (std::size_t round = 0; round < chosen_.rounds; ++round) {
      for (std::size_t clients : {1, 4, 16}) {
        auto name = "_" + std::to_string(clients);
        compare(round, "single_over_echo" + name,
                {"single" + name, [&] { return batcher_rate(clients, batching()); }},
                {"echo" + name, [&] { return echo_rate(clients); }});
        compare(round, "client_over_echo" + name,
                {"client" + name, [&] { return client_rate(clients); }},
                {"echo" + name, [&] { return echo_rate(clients); }});
      }
      compare(round, "fill_over_echo_16",
              {"fill_16",
               [&] {
                 auto opts = batching();
                 opts.when_idle = batcher::when_idle::fill;
                 return batcher_rate(16, opts);
               }},
              {"echo_16", [&] { return echo_rate(16); }});
      compare(round, "bulk64_over_echo", {"bulk64", [&] { return bulk_rate(4); }},
              {"echo_4", [&] { return echo_rate(4); }});
      compare(round, "bulk64_over_promise_queue", {"bulk64", [&] { return bulk_rate(4); }},
              {"promise_queue", [&] { return by_hand_rate(4); }});
      compare(round, "single_over_promise_queue",
              {"single_4", [&] { return batcher_rate(4, batching()); }},
              {"promise_queue", [&] { return by_hand_rate(4); }});
      compare(round, "observers_on_over_off",
              {"single_16", [&] { return batcher_rate(16, batching()); }},
              {"unobserved_16", [&] { return batcher_rate(16, batching(false)); }});
      compare(round, "shards_2_over_1",
              {"shards_2_16", [&] { return batcher_rate(16, sharded()); }},
              {"single_16", [&] { return batcher_rate(16, batching()); }});
      compare(round, "bulk64_shards_2_over_1",
              {"bulk64_shards_2", [&] { return bulk_rate(4, sharded()); }},
              {"bulk64", [&] { return bulk_rate(4); }});
      compare(round, "batcher_over_direct_costly_call",
              {"costly_call", [&] { return costly_rate(16); }},
              {"direct_costly_call", [&] { return direct_rate(16); }});
      compare(round, "lone_over_echo", {"lone_us", [&] { return lone_us(true); }},
              {"lone_echo_us", [&] { return lone_us(false); }});
    }
  }

  [[nodiscard]] const figures& results() const { return figures_; }

private:
  struct side {
    std::string name;
    std::function<double()> measure;
  };

  void compare(std::size_t round, const std::string& name, const side& ours, const side& theirs) {
    if (!name.starts_with(chosen_.only)) return;
    bool ours_first = round % 2 == 0;
    auto first = ours_first ? ours.measure() : theirs.measure();
    auto second = ours_first ? theirs.measure() : ours.measure();
    auto mine = ours_first ? first : second;
    auto other = ours_first ? second : first;
    figures_.add(ours.name, mine);
    figures_.add(theirs.name, other);
    figures_.add(name, mine / other);
  }

  double echo_rate(std::size_t clients) {
    caf::actor_system system{config_};
    auto to = system.spawn(echo);
    return closed_loop_rate(system, to, clients, chosen_.requests, window);
  }

  double batcher_rate(std::size_t clients, const batcher::options& opts) {
    caf::actor_system system{config_};
    auto to = spawn(system, opts);
    return closed_loop_rate(system, to, clients, chosen_.requests, window);
  }

  double client_rate(std::size_t clients) {
    caf::actor_system system{config_};
    auto to = spawn(system, batching());
    return closed_loop_rate<1, handle, asking_client>(system, to, clients, chosen_.requests,
                                                      window);
  }

  double bulk_rate(std::size_t clients, const batcher::options& opts = batching()) {
    caf::actor_system system{config_};
    auto to = spawn(system, opts);
    return closed_loop_rate<64>(system, to, clients, 4 * chosen_.requests, window);
  }

  double costly_rate(std::size_t clients) {
    caf::actor_system system{config_};
    auto opts = batching();
    opts.workers = 1; // as many as make the calls on the other side
    auto to = batcher::actors::spawn_batcher<int, int>(system, opts, [] { return costly_call; });
    return closed_loop_rate(system, to, clients, chosen_.requests, window);
  }

  double direct_rate(std::size_t clients) {
    caf::actor_system system{config_};
    return closed_loop_rate(system, system.spawn(direct), clients, chosen_.requests, window);
  }

  double by_hand_rate(std::size_t clients) const {
    promise_queue to{max_batch_items};
    return promise_queue_rate(to, clients, chosen_.requests, window);
  }

  // Mean round trip of one request at a time.
  double lone_us(bool is_batched) {
    caf::actor_system system{config_};
    auto requests = chosen_.requests / 8;
    auto rate = is_batched ? closed_loop_rate(system, spawn(system, batching()), 1, requests, 1)
                           : closed_loop_rate(system, system.spawn(echo), 1, requests, 1);
    return 1e6 / rate;
  }

  static handle spawn(caf::actor_system& system, const batcher::options& opts) {
    return batcher::actors::spawn_batcher<int, int>(system, opts, [] { return no_work; });
  }

  settings chosen_;
  config config_;
  figures figures_;
};

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  CLI::App app{"What a request costs beside a plain actor and a hand-written queue."};
  app.add_option("--rounds", chosen.rounds)->check(CLI::Range(1, 1'000))->capture_default_str();
  app.add_option("--requests", chosen.requests, "of each side and round")
    ->check(CLI::Range(10'000, 100'000'000))
    ->capture_default_str();
  app.add_option("--threads", chosen.threads)->check(CLI::Range(1, 256))->capture_default_str();
  app.add_option("--policy", chosen.policy)
    ->check(CLI::IsMember({"stealing", "sharing"}))
    ->capture_default_str();
  app.add_option("--only", chosen.only, "the figures whose names begin so");
  app.add_option("--json", chosen.json, "file for the figures");
  CLI11_PARSE(app, argc, argv);
  comparison all{chosen};
  all.run();
  all.results().print();
  all.results().write_json(chosen.json);
}
