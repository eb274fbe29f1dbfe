// SPDX-License-Identifier: BSD-3-Clause
//
// The demo: one trained model, served by plain actors and then by a batcher, under rising load.
// Joins the parts; what each does stands in its header.
//
//     clients (client.hpp) -> a side (sides.hpp): workers, or a batcher and its workers -> model
//     run_step (load.hpp)   one rate          run_side (trial.hpp)   rising rates of one side
//     comparison.hpp        the figures       table.hpp, report.hpp  how they look

#include "demo/endpoint.hpp"
#include "demo/options.hpp"
#include "demo/report.hpp"
#include "demo/table.hpp"
#include "demo/trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace {

using namespace demo;
using namespace std::chrono_literals;

// The number of the signal that asked the program to end.
std::atomic<int> interrupted = 0;
static_assert(std::atomic<int>::is_always_lock_free);

// The second Ctrl-C ends the program at once.
void catch_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int number) { interrupted = number; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (auto number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

exam make_exam() {
  exam result{.rows = examples::load_rows(rows_file)};
  examples::diabetes_model model{model_file};
  for (const auto& one : result.rows) result.answers.push_back(model.predict({&one, 1}).front());
  return result;
}

batcher::options make_batcher_options(std::size_t workers,
                                      std::shared_ptr<batcher::observer> observer) {
  return {
    .name = "diabetes",
    .max_batch_items = 128,
    .max_delay = 4ms,
    .max_queue_items = 16'384, // what is more would be answered too late
    .workers = workers,
    .worker_credit = 2, // the next batch waits beside the worker, which then need not wait for it
    .observer = std::move(observer),
  };
}

std::string describe_machine(std::size_t cores) {
  std::ifstream info{"/proc/cpuinfo"};
  std::string name = "CPU of unknown model";
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name"))
      name = line.substr(std::min(line.size(), line.find(':') + 2));
  return fmt::format("{}, {} {}", name, cores, cores == 1 ? "core" : "cores");
}

void write_file(const std::string& name, const std::string& content) {
  std::ofstream file{name};
  if (!(file << content << std::flush)) throw std::runtime_error{"cannot write " + name};
}

// An actor system does not end before its actors do.
struct stop_at_end {
  const side& what;
  ~stop_at_end() { what.stop(); }
};

// A little load, so that there is something to see at /metrics.
step_result serve(caf::actor_system& system, const side& what, const exam& questions) {
  fmt::print("serving, with 100 requests/s, until Ctrl-C\n");
  step_result total;
  for (std::uint64_t round = 0; !interrupted; ++round) {
    auto step =
      run_step(system, what.predictors, questions, {100, 5, round}, interrupted, [](double) {});
    for (auto field : {&step_result::served, &step_result::wrong, &step_result::refused,
                       &step_result::failed, &step_result::missing})
      total.*field += step.*field;
  }
  fmt::print("served {} requests; {} wrong, {} refused, {} failed, {} missing\n", total.served,
             total.wrong, total.refused, total.failed, total.missing);
  return total;
}

void publish(const comparison& result, const settings& chosen) {
  fmt::print("\n{}\n", summary(result));
  write_file(chosen.html_file, to_html(result));
  fmt::print("report: {}\n", chosen.html_file);
  if (!chosen.json_file.empty()) write_file(chosen.json_file, to_json(result));
}

int verdict(std::uint64_t wrong, std::uint64_t missing) {
  if (wrong + missing == 0) return exit_ok;
  fmt::print(stderr, "demo: {} replies were wrong and {} missing\n", wrong, missing);
  return exit_failed;
}

int say_interrupted(const progress& display) {
  display.clear_bar();
  fmt::print("interrupted: no figures, no report\n");
  return exit_signal + interrupted;
}

int run(const settings& chosen) {
  auto metrics = std::make_shared<batcher::monitoring::metrics>();
  auto metrics_endpoint = open_endpoint(metrics, chosen.port);
  auto questions = make_exam();
  auto workers = std::max<std::size_t>(1, std::thread::hardware_concurrency());
  auto opts = make_batcher_options(workers, metrics->new_observer());
  comparison result{.workers = workers,
                    .max_batch_items = opts.max_batch_items,
                    .max_delay_ms = 1e3 * batcher::to_seconds(opts.max_delay),
                    .seconds_per_step = chosen.seconds,
                    .machine = describe_machine(workers)};

  batcher::actors::system_config<caf::id_block::demo> cfg;
  batcher::actors::compat::set_policy(cfg, "sharing"); // lower latency than the default
  batcher::actors::compat::set_threads(cfg, workers);  // CAF's least of four would crowd the cores
  caf::actor_system system{cfg};
  progress display{2 * expected_runs_per_side};

  {
    auto unbatched = start_unbatched(system, workers);
    stop_at_end guard{unbatched};
    run_side(system, unbatched, questions, chosen.seconds, interrupted, display, result.unbatched);
  }
  if (interrupted) return say_interrupted(display);
  auto batched = start_batched(system, opts);
  stop_at_end guard{batched};
  run_side(system, batched, questions, chosen.seconds, interrupted, display, result.batched);
  if (interrupted) return say_interrupted(display);
  publish(result, chosen);
  auto later = chosen.serve ? serve(system, batched, questions) : step_result{};
  return verdict(result.replies_wrong() + later.wrong, result.replies_missing() + later.missing);
}

} // namespace

int main(int argc, char** argv) {
  auto chosen = parse_command_line(argc, argv);
  catch_signals();
  std::setvbuf(stdout, nullptr, _IOLBF, 0); // whoever reads a pipe sees each line at once, too
  try {
    return run(chosen);
  } catch (const std::exception& why) {
    fmt::print(stderr, "demo: {}\n", why.what());
    return exit_failed;
  }
}
