// SPDX-License-Identifier: BSD-3-Clause
//
// Whether every request gets exactly one reply, and memory stays where it is, while everything that
// can go wrong does so at once on the real scheduler: three batchers, one of which feeds another,
// blocking threads and actors as clients, and a main thread that pauses, reconfigures and at last
// stops, drains and kills them under load. ledger.hpp counts, faults.hpp breaks things, clients.hpp sends.
//
// Exits with 1 if a reply is missing, doubled or wrong, if a batcher counts otherwise than its
// callers, or if resident memory grew by more than a tenth and 10 MiB after the warm-up.

#include "clients.hpp"
#include "faults.hpp"
#include "ledger.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace soak;
using namespace std::chrono_literals;

constexpr double warm_up_share = 0.25;
constexpr std::size_t allowed_growth_kib = 10 * 1'024;

// Sanitizers keep freed memory for a while.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool judges_memory = false;
#else
constexpr bool judges_memory = true;
#endif

struct settings {
  double seconds = 60;
  std::size_t threads = 8;
  std::size_t actors = 8;
  std::uint64_t seed = 1;
};

std::size_t resident_kib() {
  std::ifstream status{"/proc/self/status"};
  for (std::string word; status >> word;)
    if (word == "VmRSS:") {
      std::size_t kib = 0;
      status >> kib;
      return kib;
    }
  return 0;
}

struct memory {
  std::size_t after_warm_up = 0;
  std::size_t largest = 0;
  std::size_t at_end = 0;

  void look() {
    at_end = resident_kib();
    largest = std::max(largest, at_end);
  }

  [[nodiscard]] bool is_steady() const {
    return at_end <= after_warm_up + after_warm_up / 10 + allowed_growth_kib;
  }
};

// Turns the knobs at random until the time is up.
void disturb(caf::actor_system& system, stage& on, const settings& chosen, memory& seen) {
  randomness random{chosen.seed};
  auto begin = steady::now();
  auto end = begin + std::chrono::duration<double>(chosen.seconds);
  auto warm_at = begin + std::chrono::duration<double>(warm_up_share * chosen.seconds);
  while (steady::now() < end) {
    std::this_thread::sleep_for(50ms);
    const auto& b = on.batchers[random.below(on.batchers.size())];
    if (random.chance(0.1)) {
      batcher::actors::pause(b);
      std::this_thread::sleep_for(20ms);
      batcher::actors::resume(b);
    }
    if (random.chance(0.3)) batcher::actors::reconfigure(on.faulty.batcher, random_options(random));
    system.spawn<mortal>(on.batchers, random.next());
    seen.look();
    if (steady::now() >= warm_at && seen.after_warm_up == 0) seen.after_warm_up = seen.at_end;
  }
}

// Ends each batcher in another way, under load, the outer one before the inner one; then asks them
// once more.
std::uint64_t end_batchers(stage& on) {
  batcher::actors::stop(on.chained.batcher);
  auto unfinished = batcher::actors::drain(on.faulty.batcher, 3s);
  for (const auto* b : {&on.cooperative.batcher, &on.sharded.batcher}) {
    caf::anon_send_exit(*b, caf::exit_reason::kill);
    while (batcher::actors::is_running(*b)) std::this_thread::sleep_for(1ms);
  }
  for (const auto& b : on.batchers)
    for (int i = 0; i < 100; ++i) ask_once(on, b, {.request = i});
  return unfinished;
}

bool judge(const watched& one) {
  batcher::counter_values of;
  for (const auto& shard : one.keeper->counters) of.add_totals(shard->read());
  auto is_balanced = of.requests == of.replied();
  std::printf("a batcher counts %lu requests, %lu replies; %lu halved, %lu late, %lu wasted, "
              "%lu coalesced, %lu restarts%s\n",
              of.requests, of.replied(), of.bisections, of.late_answers, of.wasted_items,
              of.coalesced, of.restarts, is_balanced ? "" : "  NOT BALANCED");
  return is_balanced;
}

bool judge(const stage& on, const memory& seen) {
  auto is_good = print(on.count);
  for (const auto* one : {&on.faulty, &on.cooperative, &on.sharded, &on.chained})
    is_good &= judge(*one);
  auto is_steady = seen.is_steady() || !judges_memory;
  std::printf("resident: %zu KiB after warm-up, %zu at most, %zu at the end%s\n",
              seen.after_warm_up, seen.largest, seen.at_end,
              !judges_memory ? " (not judged)"
              : is_steady    ? ""
                             : "  GREW");
  return is_good && is_steady;
}

int run(const settings& chosen) {
  config cfg;
  caf::actor_system system{cfg};
  stage on{system};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < chosen.threads; ++i)
    threads.emplace_back([&, i] { run_thread_client(on, chosen.seed + 100 + i); });
  for (std::size_t i = 0; i < chosen.actors; ++i)
    system.spawn<actor_client>(on, chosen.seed + 200 + i);
  memory seen;
  disturb(system, on, chosen, seen);
  auto unfinished = end_batchers(on);
  on.is_over = true;
  for (auto& t : threads) t.join();
  for (auto patience = 100; patience > 0 && !on.count.is_balanced(); --patience)
    std::this_thread::sleep_for(100ms);
  seen.look();
  std::printf("%.0f s, %zu threads and %zu actors; the drain left %lu unfinished\n", chosen.seconds,
              chosen.threads, chosen.actors, unfinished);
  auto is_good = judge(on, seen);
  std::printf("%s\n", is_good ? "all is well" : "FAILED");
  std::fflush(stdout);
  // Clients that miss a reply would keep the actor system from ending.
  if (!is_good) std::_Exit(1);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  CLI::App app{"Counts replies and memory under faults of every kind", "soak_replies"};
  app.add_option("--seconds", chosen.seconds, "Length of the run")->capture_default_str();
  app.add_option("--threads", chosen.threads, "Client threads")->capture_default_str();
  app.add_option("--actors", chosen.actors, "Client actors")->capture_default_str();
  app.add_option("--seed", chosen.seed, "Of all random choices")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(chosen);
  } catch (const std::exception& why) {
    std::fprintf(stderr, "soak_replies: %s\n", why.what());
    std::_Exit(1);
  }
}
