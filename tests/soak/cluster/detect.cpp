// SPDX-License-Identifier: BSD-3-Clause
//
// A node is given a batch that never ends, then it is killed, frozen or cut off, and the time is taken
// until that batch has failed with `worker_lost`.

#include "cluster.hpp"
#include "ledger.hpp"
#include "soak.hpp"
#include "worker.hpp"

#include "batcher/actors/ask.hpp"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <vector>

namespace soak {

using namespace std::chrono_literals;

namespace {

constexpr auto patience = 60s;

void do_to_node(event what, cluster& on) {
  if (what == event::kill)
    on.kill(0);
  else if (what == event::freeze)
    on.freeze(0);
  else
    on.cut(0);
}

struct measured {
  steady::duration taken;  ///< Since it was begun to strike.
  steady::duration struck; ///< How long that took: the fault came some time in it.
};

// Starts anew in the end, whatever happened.
measured detect_once(event what, cluster& on, steady::duration after) {
  if (!on.who().wait_for(1, 20s)) throw std::runtime_error{"the node did not come"};
  auto reply = batcher::actors::ask(on.batcher(), endless_request);
  std::this_thread::sleep_for(after);
  auto begin = steady::now();
  do_to_node(what, on);
  auto struck = steady::now() - begin;
  if (reply.wait_for(patience) != std::future_status::ready)
    throw std::runtime_error{"the node was never given up"};
  auto taken = steady::now() - begin;
  auto result = reply.get();
  if (result || result.error() != caf::make_error(batcher::errc::worker_lost))
    throw std::runtime_error{"the batch has ended otherwise than by worker_lost"};
  if (what != event::kill) on.kill(0);
  if (what == event::cut) on.heal(0);
  if (!on.who().wait_for(0, patience)) throw std::runtime_error{"the gate has not noticed"};
  on.start(0);
  return {taken, struck};
}

// What the timer itself may add to a silence. A death needs none.
constexpr auto most_of_timer = 2ms;

bool detect(event what, cluster& on, const settings& chosen, steady::duration bound) {
  auto timer = what == event::kill ? 0ms : most_of_timer;
  bool is_good = true;
  std::vector<double> ms;
  for (std::size_t i = 0; i < chosen.rounds; ++i) {
    // At another moment between two signs of life each time.
    auto after = 200ms + i * chosen.max_silence() / (4 * chosen.rounds);
    auto [taken, struck] = detect_once(what, on, after);
    ms.push_back(std::chrono::duration<double, std::milli>(taken).count());
    is_good &= taken - struck <= bound + timer;
  }
  std::sort(ms.begin(), ms.end());
  auto most = std::chrono::duration<double, std::milli>(bound).count();
  std::printf("%-7s %6zu %10.1f %10.1f %10.1f %10.0f  %s\n", to_string(what).data(), ms.size(),
              ms.front(), ms[ms.size() / 2], ms.back(), most, is_good ? "ok" : "FAILED");
  std::fflush(stdout);
  return is_good;
}

} // namespace

int run_detect(const settings& chosen, const network& net) {
  auto only_one = chosen;
  only_one.nodes = 1;
  only_one.clients = 0;
  only_one.retry = "never";
  cluster on{only_one, net, batcher_options(only_one)};
  std::printf("ms until a node is given up, %s, max_silence %zu ms\n",
              on.net().is_real() ? "in a namespace" : "on loopback", chosen.max_silence_ms);
  std::printf("%-7s %6s %10s %10s %10s %10s\n", "fault", "rounds", "least", "median", "most",
              "bound");
  bool is_good = detect(event::kill, on, chosen, 100ms);
  is_good &= detect(event::freeze, on, chosen, chosen.max_silence());
  if (on.net().is_real()) is_good &= detect(event::cut, on, chosen, chosen.max_silence());
  return is_good ? 0 : 1;
}

} // namespace soak
