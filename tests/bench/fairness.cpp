// SPDX-License-Identifier: BSD-3-Clause
//
// Who waits for whom, in two parts.
//
// 1. One tenant asks for ten times its share beside nine polite ones, in the same lane, with equal
//    weights. How much longer do the polite ones wait than without it? The bar: their p99 grows to
//    at most 1.5 times, and none of their requests goes unserved.
//
//    Turns (lane.hpp) keep the noisy tenant's items from being served first, but not from filling
//    the queue: that is what `max_tenant_items` is for. A share of the queue for each tenant, and
//    nobody is refused because of another. `--limit` shows what happens without: with a bound of
//    the whole queue alone, polite requests find it full; with `drop_oldest` the noisy tenant's
//    items are at the old end, and it pays for its own excess, as long as the queue holds several
//    batches: in a short one polite items become the oldest, too.
//
// 2. Urgent requests (priority 7) ask for more than can be done, beside a trickle of priority 0. How
//    long does the trickle wait? The bound of lane.hpp: an item is overtaken only by those that come
//    less than 7 * head_start after it, and what came before that instant is at most a full queue
//    and the batches that workers hold. Here, up to the reply and with a worker_credit of 1,
//
//        7 * head_start + max_queue_items / capacity + 2 * time of a full batch
//
//    The queue refuses the newest: `drop_oldest` would drop the trickle, which is the oldest. Part of
//    the trickle therefore finds the queue full; the bound is for what is admitted.

#include "load.hpp"
#include "rounds.hpp"

#include "batcher/actors/control.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <stdexcept>
#include <tuple>

namespace {

using namespace bench;

constexpr std::size_t polite_tenants = 9;
constexpr double polite_share_used = 0.6;
constexpr double noisy_factor = 10;
constexpr double bar = 1.5;
constexpr double urgent_load = 1.3;
constexpr double trickle_rate = 20;
constexpr auto lateness = 50ms; // of clients, scheduler and timers, on a busy machine

struct settings {
  double seconds = 3;
  std::size_t rounds = 5;
  std::size_t queue_items = 1'024;
  std::string limit = "tenant";
  std::string json_file;
};

// Requests per second of a tenant that asks for what is its own.
double fair_rate(double capacity) { return capacity / (polite_tenants + 1); }

struct outcome {
  double p50_ms = 0;
  double p99_ms = 0;
  std::uint64_t due = 0;
  std::uint64_t unserved = 0;
  double noisy_served_per_second = 0;
};

batcher::options make_options(const backend& what, const settings& chosen) {
  batcher::options opts{
    .max_batch_items = what.max_batch_items,
    .max_queue_items = chosen.queue_items,
    .workers = what.workers,
  };
  if (chosen.limit == "tenant") opts.max_tenant_items = chosen.queue_items / (polite_tenants + 1);
  if (chosen.limit == "drop_oldest") opts.overload = batcher::overload::drop_oldest;
  return opts;
}

outcome run_tenants(caf::actor_system& system, const backend& what, const settings& chosen,
                    double capacity, bool with_noise, std::uint64_t seed) {
  auto b = batcher::actors::spawn_batcher<int, int>(system, make_options(what, chosen),
                                                    [what] { return what; });
  std::vector<traffic> groups;
  for (std::size_t i = 0; i < polite_tenants; ++i)
    groups.push_back({.rate = polite_share_used * fair_rate(capacity),
                      .tenant = "polite " + std::to_string(i),
                      .clients = 2});
  if (with_noise)
    groups.push_back(
      {.rate = noisy_factor * fair_rate(capacity), .tenant = "noisy", .clients = 16});
  auto came = run_traffic(system, b, groups, chosen.seconds, seed);
  batcher::actors::drain(b, 10s);
  tally polite;
  for (std::size_t i = 0; i < polite_tenants; ++i) polite += came[i];
  return {
    .p50_ms = percentile(polite.served_ms, 0.50),
    .p99_ms = percentile(polite.served_ms, 0.99),
    .due = polite.due(),
    .unserved = polite.due() - polite.served_ms.size(),
    .noisy_served_per_second =
      with_noise ? static_cast<double>(came.back().served_ms.size()) / chosen.seconds : 0,
  };
}

bool run_noisy_neighbour(caf::actor_system& system, const backend& what, const settings& chosen,
                         double capacity, figures& all) {
  std::printf(
    "1. nine tenants at %.1f of their share of %.0f items/s, one at %.0f times its own\n\n"
    "%6s %9s %9s %9s %9s %6s %12s %12s\n",
    polite_share_used, capacity, noisy_factor, "round", "p50 ms", "+ noisy", "p99 ms", "+ noisy",
    "ratio", "unserved", "noisy got/s");
  constexpr auto name = "fairness_p99_noisy_over_quiet";
  std::uint64_t unserved = 0;
  for (std::size_t round = 0; round < chosen.rounds; ++round) {
    auto seed = 1'000 * (round + 1);
    // Which of the two comes first changes, so that a drift of the machine favours neither.
    auto first = run_tenants(system, what, chosen, capacity, round % 2 == 1, seed);
    auto second = run_tenants(system, what, chosen, capacity, round % 2 == 0, seed);
    const auto& [quiet, noisy] = round % 2 == 0 ? std::tie(first, second) : std::tie(second, first);
    auto ratio = noisy.p99_ms / quiet.p99_ms;
    all.add(name, ratio);
    unserved += noisy.unserved;
    std::printf("%6zu %9.1f %9.1f %9.1f %9.1f %6.2f %5lu/%6lu %12.0f\n", round + 1, quiet.p50_ms,
                noisy.p50_ms, quiet.p99_ms, noisy.p99_ms, ratio, noisy.unserved, noisy.due,
                noisy.noisy_served_per_second);
    std::fflush(stdout);
  }
  auto ratios = all.of(name);
  auto is_good = ratios.median <= bar && unserved == 0;
  std::printf("\npolite p99, with / without the noisy one: median %.2f, from %.2f to %.2f (at most "
              "%.1f, and all of them served: %s)\n\n",
              ratios.median, ratios.min, ratios.max, bar, is_good ? "yes" : "NO");
  return is_good;
}

bool run_trickle(caf::actor_system& system, const backend& what, const settings& chosen,
                 double capacity, figures& all) {
  batcher::options opts{
    .max_batch_items = what.max_batch_items,
    .max_queue_items = chosen.queue_items,
    .workers = what.workers,
  };
  auto head_start = to_ms(opts.priority_head_start);
  auto bound_ms = 7 * head_start + 1e3 * static_cast<double>(opts.max_queue_items) / capacity
                  + 2 * to_ms(what.longest_batch());
  auto b = batcher::actors::spawn_batcher<int, int>(system, opts, [what] { return what; });
  auto came = run_traffic(system, b,
                          {{.rate = urgent_load * capacity, .priority = 7},
                           {.rate = trickle_rate, .priority = 0, .clients = 2}},
                          2 * chosen.seconds, 7);
  batcher::actors::drain(b, 10s);
  auto& urgent = came[0];
  auto& trickle = came[1];
  auto longest = trickle.served_ms.empty()
                   ? 0.0
                   : *std::max_element(trickle.served_ms.begin(), trickle.served_ms.end());
  all.add("fairness_longest_wait_over_bound", longest / bound_ms);
  auto is_good = !trickle.served_ms.empty() && longest <= bound_ms + to_ms(lateness)
                 && trickle.served_ms.size() + trickle.refused == trickle.due();
  std::printf("2. priority 7 at %.1f times the capacity, a trickle of priority 0\n\n"
              "%10s %8s %8s %8s %8s %8s %8s\n",
              urgent_load, "", "due", "served", "refused", "p50 ms", "p99 ms", "max ms");
  for (auto [name, group] : {std::pair{"priority 7", &urgent}, std::pair{"priority 0", &trickle}})
    std::printf("%10s %8lu %8zu %8lu %8.0f %8.0f %8.0f\n", name, group->due(),
                group->served_ms.size(), group->refused, percentile(group->served_ms, 0.5),
                percentile(group->served_ms, 0.99), percentile(group->served_ms, 1));
  std::printf("\nlongest wait of priority 0: %.0f ms; bound 7 * %.0f + %.0f + 2 * %.1f = %.0f ms "
              "(and %.0f for lateness): %s\n",
              longest, head_start, 1e3 * static_cast<double>(opts.max_queue_items) / capacity,
              to_ms(what.longest_batch()), bound_ms, to_ms(lateness), is_good ? "held" : "BROKEN");
  return is_good;
}

int run(const settings& chosen) {
  backend what;
  auto capacity = measure_capacity(what);
  test_bed bed;
  figures all;
  auto is_fair = run_noisy_neighbour(bed.system, what, chosen, capacity, all);
  auto is_bounded = run_trickle(bed.system, what, chosen, capacity, all);
  all.write_json(chosen.json_file);
  return is_fair && is_bounded ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  CLI::App app{"Noisy neighbours and starvation", "bench_fairness"};
  app.add_option("--seconds", chosen.seconds, "Length of a run")->capture_default_str();
  app.add_option("--rounds", chosen.rounds, "Pairs of runs with and without the noisy tenant")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--queue", chosen.queue_items, "max_queue_items")->capture_default_str();
  app.add_option("--limit", chosen.limit, "What keeps the noisy tenant from filling the queue")
    ->check(CLI::IsMember({"tenant", "drop_oldest", "none"}))
    ->capture_default_str();
  app.add_option("--json", chosen.json_file, "Write the figures to this file");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(chosen);
  } catch (const std::exception& why) {
    std::fprintf(stderr, "bench_fairness: %s\n", why.what());
    return 2;
  }
}
