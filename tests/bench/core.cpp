// SPDX-License-Identifier: BSD-3-Clause
//
// What the core alone costs: time per item for admit, next_batch and complete, with no actor, no
// message and no thread around it. By Google Benchmark, the cases in random order within one run.
//
//     core_ns_per_item_N       batches of N, each item admitted by itself
//     core_ns_per_item_run_64  64 in one call of admit_run, as a burst of plain requests comes
//     core_ns_per_item_X       batches of 64 with X
//     core_X_over_plain        how many times as much that is as without
//     core_backlog_adaptive_over_fill   the same with 10,000 items that wait all the time

#include "rounds.hpp"
#include "summing_observer.hpp"

#include "batcher/batcher_core.hpp"

#include <CLI/CLI.hpp>
#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <stdexcept>

namespace {

using namespace bench;
using namespace std::chrono_literals;
using core = batcher::batcher_core<int>;

struct settings {
  std::size_t rounds = 5;
  double seconds = 0.2;
  std::string json;
};

constexpr std::size_t batch_items = 64;

/// One case: what is admitted before the batches leave.
struct load_case {
  std::string name;
  std::size_t batch_items = ::batch_items;
  std::size_t items = ::batch_items;
  bool is_run = false;
  bool is_observed = false;
  batcher::duration timeout = {};
  std::size_t keys = 1;
  std::size_t tenants = 1;
  std::size_t priorities = 1;
  std::size_t backlog = 0; ///< Items that always stay behind.
  batcher::when_idle when_idle = batcher::when_idle::fill;
};

std::vector<load_case> all_cases() {
  std::vector<load_case> cases;
  for (std::size_t n : {1, 8, 64, 256})
    cases.push_back({.name = std::to_string(n), .batch_items = n, .items = n});
  cases.push_back({.name = "run_64", .is_run = true});
  cases.push_back({.name = "observed", .is_observed = true});
  cases.push_back({.name = "deadlines", .timeout = 1s});
  cases.push_back({.name = "lanes_100", .items = 100 * batch_items, .keys = 100});
  cases.push_back(
    {.name = "tenants_10", .items = 10 * batch_items, .tenants = 10, .priorities = 8});
  cases.push_back({.name = "backlog_fill", .backlog = 10'000});
  cases.push_back(
    {.name = "backlog_adaptive", .backlog = 10'000, .when_idle = batcher::when_idle::adaptive});
  return cases;
}

batcher::options options_of(const load_case& what) {
  return {
    .max_batch_items = what.batch_items,
    .max_delay = 1ms,
    .when_idle = what.when_idle,
    .observer = what.is_observed ? std::make_shared<summing_observer>() : nullptr,
  };
}

/// The placements of the items, in turn.
std::vector<batcher::placement> placements(const load_case& what,
                                           const std::vector<std::string>& names) {
  std::vector<batcher::placement> result(what.items);
  for (std::size_t i = 0; i < what.items; ++i) {
    if (what.keys > 1) result[i].key = names[i % what.keys];
    if (what.tenants > 1) result[i].tenant = names[i % what.tenants];
    result[i].priority = static_cast<std::uint8_t>(i % what.priorities);
    result[i].timeout = what.timeout;
  }
  return result;
}

void admit_all(core& to, batcher::time_point now, const std::vector<batcher::placement>& where,
               bool is_run) {
  if (is_run) {
    if (to.admit_run(now, {}, where.size(), [](std::size_t i) { return static_cast<int>(i); })
        != where.size())
      throw std::logic_error{"there was no room"};
    return;
  }
  for (const auto& one : where)
    if (to.admit(now, 7, one).refused != batcher::errc::none)
      throw std::logic_error{"an item was refused"};
}

void run_batches(core& of, batcher::time_point now, std::size_t items) {
  for (std::size_t served = 0; served < items;) {
    auto due = of.next_batch(now);
    if (!due) throw std::logic_error{"there was no batch"};
    of.complete(now, due->id, {.results = due->items.size(), .executed = 1us});
    for (auto& left : of.departures()) served += left.outcome == batcher::errc::none;
    of.clear_departures();
  }
}

void measure(benchmark::State& state, const load_case& what) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < 100; ++i) names.push_back("name " + std::to_string(i));
  auto where = placements(what, names);
  batcher::time_point now{};
  core subject{options_of(what)};
  while (auto id = subject.next_start(now)) subject.worker_up(now, *id, 1);
  for (std::size_t i = 0; i < what.backlog; ++i) admit_all(subject, now, {{}}, false);
  for (auto _ : state) {
    now += 10us;
    subject.expire(now);
    admit_all(subject, now, where, what.is_run);
    run_batches(subject, now, what.items);
    benchmark::DoNotOptimize(subject.next_deadline());
  }
  state.counters["items"] = static_cast<double>(what.items);
}

/// Keeps what was measured, and prints nothing.
class collector final : public benchmark::BenchmarkReporter {
public:
  bool ReportContext(const Context& /*machine*/) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const auto& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      auto items = run.counters.at("items").value * static_cast<double>(run.iterations);
      ns_per_item_[run.run_name.function_name].push_back(1e9 * run.cpu_accumulated_time / items);
    }
  }

  [[nodiscard]] figures results(const std::vector<load_case>& cases) const {
    figures all;
    for (const auto& what : cases)
      for (auto ns : ns_per_item_.at(what.name)) all.add("core_ns_per_item_" + what.name, ns);
    for (const auto* name : {"run_64", "observed", "deadlines", "lanes_100", "tenants_10"})
      compare(all, "core_" + std::string{name} + "_over_plain", name, std::to_string(batch_items));
    compare(all, "core_backlog_adaptive_over_fill", "backlog_adaptive", "backlog_fill");
    return all;
  }

private:
  void compare(figures& all, const std::string& figure, const std::string& name,
               const std::string& base) const {
    for (std::size_t i = 0; i < ns_per_item_.at(base).size(); ++i)
      all.add(figure, ns_per_item_.at(name)[i] / ns_per_item_.at(base)[i]);
  }

  std::map<std::string, std::vector<double>> ns_per_item_;
};

void run(const settings& chosen) {
  std::array<std::string, 2> words{"bench_core", "--benchmark_enable_random_interleaving=true"};
  std::array<char*, 2> args{words[0].data(), words[1].data()};
  int count = args.size();
  benchmark::Initialize(&count, args.data());
  auto cases = all_cases();
  for (const auto& what : cases)
    benchmark::RegisterBenchmark(what.name.c_str(), measure, what)
      ->Repetitions(static_cast<int>(chosen.rounds))
      ->MinTime(chosen.seconds)
      ->ReportAggregatesOnly(false);
  collector collected;
  benchmark::RunSpecifiedBenchmarks(&collected);
  auto all = collected.results(cases);
  all.print();
  all.write_json(chosen.json);
}

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  CLI::App app{"What the core alone costs", "bench_core"};
  app.add_option("--rounds", chosen.rounds)->check(CLI::Range(1, 1'000))->capture_default_str();
  app.add_option("--seconds", chosen.seconds, "of each case and round")
    ->check(CLI::Range(0.001, 60.0))
    ->capture_default_str();
  app.add_option("--json", chosen.json, "file for the figures");
  CLI11_PARSE(app, argc, argv);
  try {
    run(chosen);
  } catch (const std::exception& why) {
    std::fprintf(stderr, "bench_core: %s\n", why.what());
    return 2;
  }
}
