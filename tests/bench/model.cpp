// SPDX-License-Identifier: BSD-3-Clause
//
// A real model near its limit: the examples' network on LibTorch, open load at 90 % of the rate
// that full batches reach when called directly. Each round measures that rate anew, as many
// threads as workers calling one full batch after the other, and then the batcher.
//
//     model_served_over_offered   answered with a result, per second until the last answer, to what
//                                 was due per second; near 1: the load is sustained
//     model_p99_over_batch_time   99th percentile of the latency to the time of a full batch
//
// A thread that asks needs a processor as well, and latency counts from when a request was due. So
// there is one worker less than there are processors, if there is more than one.

#include "load.hpp"
#include "rounds.hpp"

#include "batcher/actors/ask.hpp"
#include "batcher/actors/control.hpp"

#include <CLI/CLI.hpp>
#include <model/diabetes_model.hpp>

#include <cstdio>
#include <filesystem>

namespace {

using namespace bench;
using examples::diabetes_model;
using examples::row;

struct settings {
  std::size_t rounds = 5;
  double seconds = 4;
  double load = 0.9;
  std::size_t workers = std::max(2U, std::thread::hardware_concurrency()) - 1;
  std::size_t batch_items = 128;
  std::size_t credit = 1;
  std::string when_idle = "adaptive";
  std::string json;
};

const std::filesystem::path model_dir{BATCHER_EXAMPLE_MODEL_DIR};

/// Full batches, called directly.
struct direct {
  double rate = 0; ///< Unit: items per second, all threads together.
  double batch_ms = 0;
};

direct call_directly(const settings& chosen, const std::vector<row>& rows) {
  std::vector<std::vector<double>> took(chosen.workers);
  std::vector<std::thread> threads;
  std::latch ready{static_cast<std::ptrdiff_t>(chosen.workers) + 1};
  auto length = seconds(std::max(0.5, chosen.seconds / 4));
  for (auto& mine : took)
    threads.emplace_back([&] {
      diabetes_model model{model_dir / "diabetes.pt"};
      std::vector<row> batch(chosen.batch_items);
      for (std::size_t i = 0; i < batch.size(); ++i) batch[i] = rows[i % rows.size()];
      ready.arrive_and_wait();
      for (auto begin = steady::now(), last = begin; last - begin < length;) {
        if (model.predict(batch).size() != batch.size()) std::abort();
        auto now = steady::now();
        mine.push_back(to_ms(now - last));
        last = now;
      }
    });
  ready.arrive_and_wait();
  auto begin = steady::now();
  for (auto& t : threads) t.join();
  auto elapsed = std::chrono::duration<double>(steady::now() - begin).count();
  std::vector<double> all;
  for (auto& mine : took) all.insert(all.end(), mine.begin(), mine.end());
  auto items = static_cast<double>(all.size() * chosen.batch_items);
  return {items / elapsed, summarize(all).median};
}

// A request is the number of a row; the answer is the prediction, rounded.
auto make_worker(const std::vector<row>& rows) {
  return [&rows] {
    auto model = std::make_shared<diabetes_model>(model_dir / "diabetes.pt");
    return [model, &rows](std::span<const int> numbers) {
      std::vector<row> batch;
      batch.reserve(numbers.size());
      for (auto i : numbers) batch.push_back(rows[static_cast<std::size_t>(i) % rows.size()]);
      auto predicted = model->predict(batch);
      return std::vector<int>{predicted.begin(), predicted.end()};
    };
  };
}

/// What came of an open load.
struct outcome {
  std::vector<double> served_ms;
  double offered = 0; ///< Unit, here and below: requests per second.
  double served = 0;
};

// Each request is asked by itself. One thread is enough: it keeps no table of what is outstanding.
outcome run_open_load(const handle& to, double rate, double for_seconds, std::uint64_t seed) {
  auto requests = static_cast<std::size_t>(rate * for_seconds);
  std::vector<double> took(requests, -1);
  std::latch answered{static_cast<std::ptrdiff_t>(requests)};
  std::mt19937_64 random{seed};
  std::exponential_distribution<double> gap_seconds{rate};
  auto begin = steady::now();
  auto due = begin;
  for (std::size_t i = 0; i < requests; ++i) {
    due += seconds(gap_seconds(random));
    while (steady::now() < due) std::this_thread::sleep_until(due);
    batcher::actors::ask(to, static_cast<int>(i), [&, i, due](const caf::expected<int>& answer) {
      if (answer) took[i] = to_ms(steady::now() - due);
      answered.count_down();
    });
  }
  answered.wait();
  auto per_second = [](std::size_t n, steady::duration d) {
    return static_cast<double>(n) / std::chrono::duration<double>(d).count();
  };
  auto until_last = steady::now() - begin;
  std::erase(took, -1.0);
  auto served = took.size();
  return {std::move(took), per_second(requests, due - begin), per_second(served, until_last)};
}

void run_round(caf::actor_system& system, const settings& chosen, const std::vector<row>& rows,
               std::uint64_t seed, figures& all) {
  auto capacity = call_directly(chosen, rows);
  batcher::options opts{.name = "model",
                        .max_batch_items = chosen.batch_items,
                        .max_delay = seconds(capacity.batch_ms / 1e3),
                        .when_idle = chosen.when_idle == "adaptive" ? batcher::when_idle::adaptive
                                                                    : batcher::when_idle::immediate,
                        .workers = chosen.workers,
                        .worker_credit = chosen.credit};
  auto b = batcher::actors::spawn_batcher<int, int>(system, opts, make_worker(rows));
  run_open_load(b, 0.5 * capacity.rate, 0.5, seed); // workers start, and the batcher learns
  auto came = run_open_load(b, chosen.load * capacity.rate, chosen.seconds, seed);
  batcher::actors::drain(b, 10s);
  auto p99 = percentile(came.served_ms, 0.99);
  all.add("model_direct_rate", capacity.rate);
  all.add("model_batch_ms", capacity.batch_ms);
  all.add("model_p50_ms", percentile(came.served_ms, 0.5));
  all.add("model_p99_ms", p99);
  all.add("model_served_over_offered", came.served / came.offered);
  all.add("model_p99_over_batch_time", p99 / capacity.batch_ms);
}

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  CLI::App app{"A real model near its limit", "bench_model"};
  app.add_option("--rounds", chosen.rounds)->check(CLI::Range(1, 1'000))->capture_default_str();
  app.add_option("--seconds", chosen.seconds, "of load, each round")
    ->check(CLI::Range(0.5, 3'600.0))
    ->capture_default_str();
  app.add_option("--load", chosen.load, "share of what full batches reach")
    ->check(CLI::Range(0.01, 2.0))
    ->capture_default_str();
  app.add_option("--workers", chosen.workers)->check(CLI::Range(1, 256))->capture_default_str();
  app.add_option("--batch", chosen.batch_items, "max_batch_items")
    ->check(CLI::Range(1, 65'536))
    ->capture_default_str();
  app.add_option("--credit", chosen.credit, "worker_credit")
    ->check(CLI::Range(1, 1'024))
    ->capture_default_str();
  app.add_option("--when-idle", chosen.when_idle)
    ->check(CLI::IsMember({"adaptive", "immediate"}))
    ->capture_default_str();
  app.add_option("--json", chosen.json, "file for the figures");
  CLI11_PARSE(app, argc, argv);
  try {
    auto rows = examples::load_rows(model_dir / "diabetes.csv");
    test_bed bed;
    figures all;
    for (std::size_t round = 0; round < chosen.rounds; ++round)
      run_round(bed.system, chosen, rows, round, all);
    all.print();
    all.write_json(chosen.json);
  } catch (const std::exception& why) {
    std::fprintf(stderr, "bench_model: %s\n", why.what());
    return 2;
  }
}
