// SPDX-License-Identifier: BSD-3-Clause
//
// What one item that breaks the batch function costs its 255 neighbours, under each of the three
// ways to deal with a failed batch, and at every place in the batch. Counts calls; measures no time.

#include "load.hpp"

#include "batcher/actors/ask.hpp"
#include "batcher/actors/control.hpp"

#include <CLI/CLI.hpp>

#include <bit>
#include <cstdio>
#include <future>
#include <stdexcept>

namespace {

using namespace bench;

constexpr std::size_t batch_items = 256;
constexpr std::size_t fewest_served = batch_items - 1;
constexpr std::size_t most_calls = 1 + 2 * (std::bit_width(batch_items) - 1);

/// The smallest and the largest of some numbers.
struct range {
  std::size_t min = SIZE_MAX;
  std::size_t max = 0;

  void add(std::size_t x) {
    min = std::min(min, x);
    max = std::max(max, x);
  }
};

struct way {
  const char* name;
  batcher::retry_policy policy;
  range calls = {};
  range served = {};
  range failed = {};
  range executed = {};
};

// A batcher of its own each time: a run must not live on the retry budget that another one left.
void run_once(caf::actor_system& system, way& how, std::size_t poison) {
  auto calls = std::make_shared<std::atomic<std::size_t>>(0);
  auto items = std::make_shared<std::atomic<std::size_t>>(0);
  auto make_worker = [=] {
    return [=](std::span<const int> xs) -> std::vector<int> {
      ++*calls;
      *items += xs.size();
      if (std::find(xs.begin(), xs.end(), static_cast<int>(poison)) != xs.end())
        throw std::runtime_error{"poison"};
      return {xs.begin(), xs.end()};
    };
  };
  auto b = batcher::actors::spawn_batcher<int, int>(
    system, {.max_batch_items = batch_items, .on_failure = how.policy}, make_worker);
  batcher::actors::bulk<int> all{.requests = std::vector<int>(batch_items)};
  std::iota(all.requests.begin(), all.requests.end(), 0);
  std::promise<batcher::actors::bulk_results<int>> answer;
  batcher::actors::ask_all(b, std::move(all), [&](auto xs) { answer.set_value(std::move(xs)); });
  auto results = answer.get_future().get();
  std::size_t served = 0;
  for (std::size_t i = 0; i < results.size(); ++i)
    served += results[i] && *results[i] == static_cast<int>(i);
  how.calls.add(*calls);
  how.executed.add(*items);
  how.served.add(served);
  how.failed.add(results.size() - served);
  batcher::actors::drain(b, 10s);
}

void print(const way& how) {
  std::printf("%-16s", how.name);
  for (const auto& x : {how.calls, how.executed, how.served, how.failed})
    std::printf(" %6zu %6zu", x.min, x.max);
  std::printf("\n");
}

} // namespace

int main(int argc, char** argv) {
  std::size_t step = 1;
  CLI::App app{"What one bad item costs its neighbours", "bench_poison"};
  app.add_option("--step", step, "Of the places, look at every so many-th only")
    ->check(CLI::Range(std::size_t{1}, batch_items))
    ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  test_bed bed;
  std::vector<way> ways{
    {"failing whole", batcher::retry::never{}},
    {"retrying whole", batcher::retry::idempotent{.bisect = false}},
    {"bisecting", batcher::retry::idempotent{}},
  };
  std::printf("one poison item in a batch of %zu, at %zu of its places; min and max\n\n"
              "%-16s %13s %13s %13s %13s\n",
              batch_items, (batch_items + step - 1) / step, "", "calls", "items run", "served",
              "failed");
  for (auto& how : ways) {
    for (std::size_t poison = 0; poison < batch_items; poison += step)
      run_once(bed.system, how, poison);
    print(how);
  }
  const auto& bisecting = ways.back();
  auto is_good = bisecting.served.min >= fewest_served && bisecting.calls.max <= most_calls;
  std::printf("\nbisecting serves at least %zu with at most %zu calls: %s\n", fewest_served,
              most_calls, is_good ? "yes" : "NO");
  return is_good ? 0 : 1;
}
