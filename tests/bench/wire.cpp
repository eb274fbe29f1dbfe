// SPDX-License-Identifier: BSD-3-Clause
//
// What a request costs that crosses processes. One process has a batcher that does no work, and a bare
// actor that does as little; four client nodes, processes of this program, ask over loopback. Requests
// are strings of 1 KiB, answers their length. Each node has small requesters: actors that keep a few
// requests outstanding each by CAF's `request`. All sides have the same load, and take turns in who is
// first.
//
//     plain      the requesters share the handle of `connect`; what they send together travels together
//     forwarder  they ask a batcher of their own node, whose worker is `forward_to` of that handle
//     bare       they ask the bare actor through CAF's own remote handle: a message for each request
//
//     wire_forwarder_over_plain, wire_forwarder_over_bare, wire_plain_over_bare
//                requests/s of all nodes together
//
// Every node asks for a while before and after it counts, so that all are asking while one counts.

#include "load.hpp"
#include "rounds.hpp"

#include "batcher/actors/ask.hpp"
#include "batcher/actors/node.hpp"
#include "batcher/actors/spawn.hpp"

#include <CLI/CLI.hpp>
#include <caf/io/middleman.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>

namespace {

using namespace bench;

using text_handle = batcher::actors::batcher_handle<std::string, std::uint64_t>;
using bare_actor = batcher::actors::compat::typed_actor<caf::result<std::uint64_t>(std::string)>;

struct settings {
  std::size_t rounds = 5;
  double seconds = 2;
  std::size_t nodes = 4;
  std::size_t requesters = 64;
  std::size_t outstanding = 16;
  std::size_t request_bytes = 1'024;
  std::size_t threads = 2;
  std::string policy = "stealing";
  std::string json;
};

struct node_settings {
  std::string side;
  std::uint16_t port = 0;
};

struct config : batcher::actors::network_config<caf::id_block::bench> {
  explicit config(const settings& chosen) {
    batcher::actors::compat::set_policy(*this, chosen.policy);
    batcher::actors::compat::set_threads(*this, chosen.threads);
    batcher::actors::compat::set_scheduler_option(*this, "max-throughput", 300);
  }
};

constexpr std::size_t max_batch_items = 256;

batcher::options batching() {
  return {.max_batch_items = max_batch_items,
          .when_idle = batcher::when_idle::immediate,
          .worker_execution = batcher::worker_execution::cooperative};
}

std::vector<std::uint64_t> measure_texts(std::span<const std::string> xs) {
  std::vector<std::uint64_t> lengths;
  lengths.reserve(xs.size());
  for (const auto& x : xs) lengths.push_back(x.size());
  return lengths;
}

// -- a client node --------------------------------------------------------------------------------

struct progress {
  explicit progress(std::size_t requesters) : at_work{static_cast<std::ptrdiff_t>(requesters)} {}

  std::latch at_work;
  std::atomic<std::uint64_t> answered = 0;
  std::atomic<bool> is_over = false;
};

template <class Handle>
class requester final : public caf::event_based_actor {
public:
  requester(caf::actor_config& cfg, Handle to, const settings& chosen, progress& seen)
    : caf::event_based_actor{cfg}, to_{std::move(to)},
      text_(chosen.request_bytes, 'x'), under_way_{chosen.outstanding}, seen_{seen} {}

protected:
  caf::behavior make_behavior() override {
    for (std::size_t i = 0; i < under_way_; ++i) send_next();
    return {[](wake_atom) {}};
  }

private:
  void send_next() {
    batcher::actors::compat::request(this, to_, text_)
      .then([this](std::uint64_t length) { on_answer(length); },
            [](const caf::error& why) {
              std::fprintf(stderr, "a request failed: %s\n", batcher::actors::text_of(why).c_str());
              std::abort();
            });
  }

  void on_answer(std::uint64_t length) {
    if (length != text_.size()) std::abort();
    seen_.answered.fetch_add(1, std::memory_order_relaxed);
    if (!seen_.is_over.load(std::memory_order_relaxed)) return send_next();
    if (--under_way_ > 0) return;
    quit();
    seen_.at_work.count_down();
  }

  Handle to_;
  std::string text_;
  std::size_t under_way_;
  progress& seen_;
};

// Prints the requests per second.
template <class Handle>
void ask_for_a_while(caf::actor_system& system, const Handle& to, const settings& chosen) {
  progress seen{chosen.requesters};
  for (std::size_t i = 0; i < chosen.requesters; ++i)
    system.spawn<requester<Handle>>(to, chosen, seen);
  constexpr auto margin = 500ms;
  std::this_thread::sleep_for(margin);
  auto begin = steady::now();
  std::uint64_t before = seen.answered;
  std::this_thread::sleep_for(seconds(chosen.seconds));
  auto answered = static_cast<double>(seen.answered - before);
  auto taken = std::chrono::duration<double>(steady::now() - begin).count();
  std::this_thread::sleep_for(margin);
  seen.is_over = true;
  seen.at_work.wait();
  std::printf("%.3f\n", answered / taken);
}

void run_node(const node_settings& own, const settings& chosen) {
  config cfg{chosen};
  caf::actor_system system{cfg};
  if (own.side == "bare") {
    auto to = system.middleman().remote_actor<bare_actor>("127.0.0.1", own.port);
    if (!to) throw std::runtime_error{"cannot connect to the bare actor"};
    return ask_for_a_while(system, *to, chosen);
  }
  auto far = batcher::actors::connect<std::string, std::uint64_t>(system, "127.0.0.1", own.port);
  if (own.side == "plain") return ask_for_a_while(system, far, chosen);
  auto near = batcher::actors::spawn_batcher<std::string, std::uint64_t>(
    system,
    {.max_batch_items = max_batch_items,
     .worker_credit = 4,
     .worker_execution = batcher::worker_execution::cooperative},
    batcher::actors::forward_to(far));
  ask_for_a_while(system, near, chosen);
}

// -- the process in the middle --------------------------------------------------------------------

class comparison {
public:
  explicit comparison(const settings& chosen)
    : chosen_{chosen}, config_{chosen}, system_{config_},
      batcher_{batcher::actors::spawn_batcher<std::string, std::uint64_t>(
        system_, batching(), [] { return measure_texts; })},
      published_{batcher::actors::publish(batcher_)}, bare_{system_.spawn([]() {
        return bare_actor::behavior_type{
          [](const std::string& x) -> std::uint64_t { return x.size(); }};
      })} {
    auto port = system_.middleman().publish(bare_, 0, "127.0.0.1");
    if (!port) throw std::runtime_error{"cannot publish the bare actor"};
    bare_port_ = *port;
  }
  comparison(const comparison&) = delete;
  comparison& operator=(const comparison&) = delete;
  ~comparison() { caf::anon_send_exit(bare_, caf::exit_reason::kill); } // CAF would keep it

  void run() {
    std::array<std::string, 3> sides{"plain", "forwarder", "bare"};
    for (std::size_t round = 0; round < chosen_.rounds; ++round) {
      std::map<std::string, double> rates;
      for (auto& side : sides) rates[side] = rate_of(side);
      std::rotate(sides.begin(), sides.begin() + 1, sides.end());
      for (auto& [side, rate] : rates) figures_.add("wire_" + side, rate);
      for (auto [one, other] :
           {std::pair{"forwarder", "plain"}, {"forwarder", "bare"}, {"plain", "bare"}})
        figures_.add(std::string{"wire_"} + one + "_over_" + other, rates[one] / rates[other]);
    }
  }

  [[nodiscard]] const figures& results() const { return figures_; }

private:
  struct closing {
    void operator()(std::FILE* file) const { ::pclose(file); }
  };

  [[nodiscard]] std::string command_for(const std::string& side) const {
    auto port = side == "bare" ? bare_port_ : published_.port();
    return "exec '" + std::filesystem::read_symlink("/proc/self/exe").string() + "' --seconds "
           + std::to_string(chosen_.seconds) + " --requesters " + std::to_string(chosen_.requesters)
           + " --outstanding " + std::to_string(chosen_.outstanding) + " --request-bytes "
           + std::to_string(chosen_.request_bytes) + " --threads " + std::to_string(chosen_.threads)
           + " --policy " + chosen_.policy + " node " + side + " " + std::to_string(port);
  }

  double rate_of(const std::string& side) {
    std::vector<std::unique_ptr<std::FILE, closing>> nodes;
    for (std::size_t i = 0; i < chosen_.nodes; ++i) {
      nodes.emplace_back(::popen(command_for(side).c_str(), "r"));
      if (!nodes.back()) throw std::runtime_error{"cannot start a node"};
    }
    double sum = 0;
    for (auto& node : nodes) {
      double rate = 0;
      if (std::fscanf(node.get(), "%lf", &rate) != 1)
        throw std::runtime_error{"a node of side " + side + " broke off"};
      sum += rate;
    }
    return sum;
  }

  settings chosen_;
  config config_;
  caf::actor_system system_;
  text_handle batcher_;
  batcher::actors::publication published_;
  bare_actor bare_;
  std::uint16_t bare_port_ = 0;
  figures figures_;
};

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  node_settings own;
  CLI::App app{"What a request costs that crosses processes, plain, forwarded and bare."};
  app.add_option("--rounds", chosen.rounds)->check(CLI::Range(1, 1'000))->capture_default_str();
  app.add_option("--seconds", chosen.seconds, "of each side and round")
    ->check(CLI::Range(0.1, 3'600.0))
    ->capture_default_str();
  app.add_option("--nodes", chosen.nodes)->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--requesters", chosen.requesters, "of each node")
    ->check(CLI::Range(1, 10'000))
    ->capture_default_str();
  app.add_option("--outstanding", chosen.outstanding, "of each requester")
    ->check(CLI::Range(1, 10'000))
    ->capture_default_str();
  app.add_option("--request-bytes", chosen.request_bytes)
    ->check(CLI::Range(1, 1'000'000))
    ->capture_default_str();
  app.add_option("--threads", chosen.threads, "of CAF in each process")
    ->check(CLI::Range(1, 256))
    ->capture_default_str();
  app.add_option("--policy", chosen.policy)
    ->check(CLI::IsMember({"stealing", "sharing"}))
    ->capture_default_str();
  app.add_option("--json", chosen.json, "file for the figures");
  auto* node = app.add_subcommand("node")->group("");
  node->add_option("side", own.side)->required();
  node->add_option("port", own.port)->required();
  CLI11_PARSE(app, argc, argv);
  try {
    if (node->parsed()) {
      run_node(own, chosen);
      return 0;
    }
    comparison all{chosen};
    all.run();
    all.results().print();
    all.results().write_json(chosen.json);
  } catch (const std::exception& why) {
    std::fprintf(stderr, "bench_wire: %s\n", why.what());
    return 2;
  }
}
