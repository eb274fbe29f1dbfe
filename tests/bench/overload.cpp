// SPDX-License-Identifier: BSD-3-Clause
//
// Whether goodput holds when more is asked for than can be done: open load at rising multiples of
// the capacity, each request with a time limit. The bar: at 3 times the capacity at least 0.95 of the
// goodput at 1 time. The capacity is what full batches reach without a batcher.
//
// The queue is the library's default, far longer than the time limit allows: what cannot be answered
// in time any more leaves before it costs a worker. A shorter one (`--queue`) refuses the newest
// instead, so that clients hear at once. worker_credit is 2, so that a worker never waits for its
// next batch.

#include "load.hpp"
#include "rounds.hpp"

#include "batcher/actors/control.hpp"

#include <CLI/CLI.hpp>

#include <array>
#include <cstdio>
#include <stdexcept>

namespace {

using namespace bench;

constexpr std::array loads{0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0};
constexpr double bar = 0.95;

struct settings {
  std::size_t rounds = 1;
  double seconds = 3;
  double limit_ms = 50;
  double batch_ms = 5;
  double item_ms = 0.05;
  std::size_t queue_items = batcher::options{}.max_queue_items;
  std::string json_file;
};

struct step {
  double load = 0;
  double offered = 0; ///< This and the next four: per second.
  double goodput = 0;
  double refused = 0;
  double expired = 0;
  double dropped = 0;
  double late = 0; ///< Came too late, be it to the batcher or back.
  double failed = 0;
  double wasted_items = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double mean_batch_items = 0;
};

batcher::options make_options(const backend& what, const settings& chosen) {
  return {
    .name = "overload",
    .max_batch_items = what.max_batch_items,
    .max_queue_items = std::max(chosen.queue_items, what.max_batch_items),
    .workers = what.workers,
    .worker_credit = 2,
  };
}

// A batcher of its own for each step: counters start from zero, and nothing is left in the queue.
step run_step(caf::actor_system& system, const backend& model, const settings& chosen,
              double capacity, double load) {
  auto what = model;
  what.count = std::make_shared<backend::tally>();
  auto time_limit = seconds(chosen.limit_ms / 1e3);
  auto b = batcher::actors::spawn_batcher<int, int>(system, make_options(what, chosen),
                                                    [what] { return what; });
  auto came = run_traffic(system, b, {{.rate = load * capacity, .time_limit = time_limit}},
                          chosen.seconds, static_cast<std::uint64_t>(1'000 * load))
                .front();
  auto counters = batcher::actors::stats(b).counters;
  batcher::actors::drain(b, 10s);
  auto per_second = [&](std::uint64_t n) { return static_cast<double>(n) / chosen.seconds; };
  return {
    .load = load,
    .offered = per_second(came.due()),
    .goodput = per_second(came.served_ms.size()),
    .refused = per_second(came.refused),
    .expired = per_second(came.expired),
    .dropped = per_second(came.dropped),
    .late = per_second(came.late + came.unsent),
    .failed = per_second(came.failed),
    .wasted_items = static_cast<double>(counters.wasted_items) / (warm_up_seconds + chosen.seconds),
    .p50_ms = percentile(came.served_ms, 0.50),
    .p99_ms = percentile(came.served_ms, 0.99),
    .mean_batch_items = static_cast<double>(what.count->items)
                        / std::max(1.0, static_cast<double>(what.count->batches)),
  };
}

void print_head() {
  std::printf("%5s %9s %9s %9s %8s %8s %8s %7s %8s %7s %7s %6s\n", "load", "offered", "goodput",
              "refused", "expired", "dropped", "late", "failed", "wasted", "p50 ms", "p99 ms",
              "batch");
}

void print(const step& s) {
  std::printf("%4.2fx %9.0f %9.0f %9.0f %8.0f %8.0f %8.0f %7.0f %8.0f %7.1f %7.1f %6.1f\n", s.load,
              s.offered, s.goodput, s.refused, s.expired, s.dropped, s.late, s.failed,
              s.wasted_items, s.p50_ms, s.p99_ms, s.mean_batch_items);
}

// Returns the goodput at the highest load to that at the capacity.
double run_round(caf::actor_system& system, const backend& model, const settings& chosen) {
  auto capacity = measure_capacity(model);
  std::printf("capacity %.0f items/s\n\n", capacity);
  print_head();
  double at_capacity = 0;
  double last = 0;
  for (auto load : loads) {
    auto came = run_step(system, model, chosen, capacity, load);
    print(came);
    std::fflush(stdout);
    last = came.goodput;
    if (load == 1) at_capacity = last;
  }
  std::printf("\n");
  return last / at_capacity;
}

int run(const settings& chosen) {
  backend model{.per_batch = seconds(chosen.batch_ms / 1e3),
                .per_item = seconds(chosen.item_ms / 1e3)};
  test_bed bed;
  std::printf("%zu workers, full batches of %zu; time limit %.0f ms, max_queue_items %zu; columns "
              "per second\n",
              model.workers, model.max_batch_items, chosen.limit_ms,
              make_options(model, chosen).max_queue_items);
  figures all;
  for (std::size_t round = 0; round < chosen.rounds; ++round)
    all.add("overload_goodput_3x_over_1x", run_round(bed.system, model, chosen));
  all.print();
  all.write_json(chosen.json_file);
  auto ratio = all.of("overload_goodput_3x_over_1x").median;
  std::printf("goodput at 3x / at 1x = %.3f (at least %.2f: %s)\n", ratio, bar,
              ratio >= bar ? "yes" : "NO");
  return ratio >= bar ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  CLI::App app{"Goodput at rising multiples of the capacity", "bench_overload"};
  app.add_option("--rounds", chosen.rounds)->check(CLI::Range(1, 1'000))->capture_default_str();
  app.add_option("--seconds", chosen.seconds, "Length of a step")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--limit-ms", chosen.limit_ms, "Time limit of a request")->capture_default_str();
  app.add_option("--batch-ms", chosen.batch_ms, "What a batch costs")->capture_default_str();
  app.add_option("--item-ms", chosen.item_ms, "What each item adds")->capture_default_str();
  app.add_option("--queue", chosen.queue_items, "max_queue_items")->capture_default_str();
  app.add_option("--json", chosen.json_file, "Write the figures to this file");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(chosen);
  } catch (const std::exception& why) {
    std::fprintf(stderr, "bench_overload: %s\n", why.what());
    return 2;
  }
}
