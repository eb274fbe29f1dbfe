// SPDX-License-Identifier: BSD-3-Clause

#include "cluster.hpp"
#include "load.hpp"
#include "soak.hpp"

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <thread>

namespace soak {

using namespace std::chrono_literals;

namespace {

// What is promised of 16 nodes, compared with one.
constexpr double least_speedup = 14;
constexpr double least_fill_share = 0.9;

// Full batches that wait for each node besides the two that it holds, so that none ever lacks one.
constexpr std::size_t batches_per_node = 4;

struct step {
  double per_second = 0;
  double fill = 0; ///< Of a batch: 1 is full.
};

step measure(const settings& chosen, const network& net, std::size_t nodes) {
  auto few = chosen;
  few.nodes = nodes;
  few.clients = 0;
  auto in = std::make_shared<ledger>(std::chrono::seconds{chosen.overdue_s});
  cluster on{few, net, batcher_options(few)};
  if (!on.who().wait_for(nodes, 20s)) throw std::runtime_error{"the nodes did not come"};
  load clients{on.batcher(), in, batches_per_node * nodes * chosen.max_batch_items};
  std::this_thread::sleep_for(1s);
  std::uint64_t items = on.runs().items;
  std::uint64_t runs = on.runs().runs;
  auto begin = steady::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(chosen.step_seconds));
  items = on.runs().items - items;
  runs = on.runs().runs - runs;
  auto seconds = std::chrono::duration<double>(steady::now() - begin).count();
  if (runs == 0) throw std::runtime_error{"nothing was executed"};
  return {static_cast<double>(items) / seconds,
          static_cast<double>(items) / static_cast<double>(runs * chosen.max_batch_items)};
}

} // namespace

int run_scale(const settings& chosen, const network& net) {
  auto perfect = static_cast<double>(chosen.max_batch_items)
                 / std::chrono::duration<double>(work_time(chosen.max_batch_items)).count();
  std::printf("batches of %zu, %s; a worker that never waits does %.0f requests/s\n",
              chosen.max_batch_items, net.is_real() ? "nodes in namespaces" : "nodes on loopback",
              perfect);
  std::printf("%6s %12s %9s %10s\n", "nodes", "requests/s", "speedup", "mean fill");
  step first;
  step last;
  for (std::size_t nodes = 1; nodes <= most_nodes; nodes *= 2) {
    last = measure(chosen, net, nodes);
    if (nodes == 1) first = last;
    std::printf("%6zu %12.0f %9.2f %10.3f\n", nodes, last.per_second,
                last.per_second / first.per_second, last.fill);
    std::fflush(stdout);
  }
  bool is_good = last.per_second >= least_speedup * first.per_second
                 && last.fill >= least_fill_share * first.fill;
  std::printf("%s\n", is_good ? "all is well" : "FAILED: too slow or too empty at 16");
  return is_good ? 0 : 1;
}

} // namespace soak
