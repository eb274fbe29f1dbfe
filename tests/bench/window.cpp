// SPDX-License-Identifier: BSD-3-Clause
//
// How late a window closes: a lone request to an idle batcher with `fill`, whose batch must leave
// max_delay after the request was sent. Lateness is what passes from then until the batch function
// starts, so it holds the timer, the batcher and the way to the worker. Beside it, in turns, the
// lateness of a bare condition_variable::wait_until, which is the machine's own.
//
//     window_lateness_us_Nms           cooperative worker, max_delay of N ms; median of a round
//     window_detached_lateness_us_Nms  a worker with a thread of its own
//     bare_lateness_us_Nms             condition_variable::wait_until
//     window_over_bare_us_Nms          the difference of the medians; so for detached
//     window_over_bare_us              the same with all N together

#include "load.hpp"
#include "rounds.hpp"

#include "batcher/actors/ask.hpp"
#include "batcher/actors/control.hpp"

#include <CLI/CLI.hpp>

#include <array>
#include <condition_variable>
#include <mutex>

namespace {

using namespace bench;

struct settings {
  std::size_t rounds = 5;
  std::size_t samples = 80;
  std::string policy = "stealing";
  std::string json;
};

constexpr std::array delays{1ms, 5ms, 20ms};

struct config : batcher::actors::system_config<caf::id_block::bench> {
  explicit config(const settings& chosen) {
    batcher::actors::compat::set_policy(*this, chosen.policy);
    batcher::actors::compat::set_threads(
      *this, std::max<std::size_t>(1, std::thread::hardware_concurrency()));
  }
};

double to_us(steady::duration d) { return 1e3 * to_ms(d); }

/// A batcher that notes when its function starts.
class window {
public:
  window(caf::actor_system& system, steady::duration delay, batcher::worker_execution how)
    : delay_{delay} {
    batcher::options opts{.max_delay = delay, .worker_execution = how};
    batcher_ = batcher::actors::spawn_batcher<int, int>(system, opts, [started = started_] {
      return [started](std::span<const int> xs) -> std::vector<int> {
        *started = steady::now();
        return {xs.begin(), xs.end()};
      };
    });
    lateness_us(); // the first request also waits for the worker
  }
  window(const window&) = delete;
  window& operator=(const window&) = delete;
  ~window() { batcher::actors::stop(batcher_); }

  double lateness_us() {
    auto sent = steady::now();
    auto answer = batcher::actors::ask(batcher_, 7).get();
    if (!answer || *answer != 7) throw std::runtime_error{"a request failed"};
    return to_us(*started_ - (sent + delay_));
  }

private:
  steady::duration delay_;
  handle batcher_;
  // The answer tells that it was written.
  std::shared_ptr<steady::time_point> started_ = std::make_shared<steady::time_point>();
};

double bare_lateness_us(steady::duration delay) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock{mutex};
  auto until = steady::now() + delay;
  never.wait_until(lock, until, [] { return false; });
  return to_us(steady::now() - until);
}

/// The lateness of the sides in one round.
struct sample_set {
  std::vector<double> cooperative = {};
  std::vector<double> detached = {};
  std::vector<double> bare = {};

  void append(const sample_set& more) {
    cooperative.insert(cooperative.end(), more.cooperative.begin(), more.cooperative.end());
    detached.insert(detached.end(), more.detached.begin(), more.detached.end());
    bare.insert(bare.end(), more.bare.begin(), more.bare.end());
  }
};

sample_set measure(window& cooperative, window& detached, steady::duration delay,
                   std::size_t samples) {
  sample_set result;
  for (std::size_t i = 0; i < samples; ++i) {
    result.cooperative.push_back(cooperative.lateness_us());
    result.bare.push_back(bare_lateness_us(delay));
    result.detached.push_back(detached.lateness_us());
  }
  return result;
}

void add_differences(figures& all, const sample_set& of, const std::string& suffix) {
  auto bare = summarize(of.bare).median;
  all.add("window_over_bare_us" + suffix, summarize(of.cooperative).median - bare);
  all.add("window_detached_over_bare_us" + suffix, summarize(of.detached).median - bare);
}

void run(const settings& chosen, figures& all) {
  config cfg{chosen};
  caf::actor_system system{cfg};
  for (std::size_t round = 0; round < chosen.rounds; ++round) {
    sample_set together;
    for (auto delay : delays) {
      window cooperative{system, delay, batcher::worker_execution::cooperative};
      window detached{system, delay, batcher::worker_execution::detached};
      auto came = measure(cooperative, detached, delay, chosen.samples);
      auto suffix = "_" + std::to_string(delay.count()) + "ms";
      all.add("window_lateness_us" + suffix, summarize(came.cooperative).median);
      all.add("window_detached_lateness_us" + suffix, summarize(came.detached).median);
      all.add("bare_lateness_us" + suffix, summarize(came.bare).median);
      add_differences(all, came, suffix);
      together.append(came);
    }
    add_differences(all, together, "");
  }
}

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  CLI::App app{"How late a window closes, beside a bare wait_until", "bench_window"};
  app.add_option("--rounds", chosen.rounds)->check(CLI::Range(1, 1'000))->capture_default_str();
  app.add_option("--samples", chosen.samples, "of each side, delay and round")
    ->check(CLI::Range(1, 100'000))
    ->capture_default_str();
  app.add_option("--policy", chosen.policy)
    ->check(CLI::IsMember({"stealing", "sharing"}))
    ->capture_default_str();
  app.add_option("--json", chosen.json, "file for the figures");
  CLI11_PARSE(app, argc, argv);
  try {
    figures all;
    run(chosen, all);
    all.print();
    all.write_json(chosen.json);
  } catch (const std::exception& why) {
    std::fprintf(stderr, "bench_window: %s\n", why.what());
    return 2;
  }
}
