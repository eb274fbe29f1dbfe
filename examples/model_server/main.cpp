// SPDX-License-Identifier: BSD-3-Clause
//
// The model server: a trained model behind HTTP, without batching at /predict and with it at
// /optimized_predict. Joins the parts; what each does stands in its header.
//
//     HTTP thread: http_server -> routes -> json -> ask(batcher)        predictors
//     batcher:     answer -> answer_queue -> HTTP thread -> replies
//
// No thread waits for a request: thousands may be open on one.

#include "model_server/http_server.hpp"
#include "model_server/options.hpp"
#include "model_server/predictors.hpp"
#include "model_server/routes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <future>

namespace {

using namespace model_server;
using std::chrono::steady_clock;

// Handlers, not sigwait: OpenBLAS starts threads before main, and they would take the signals.
class end_signals {
public:
  explicit end_signals(restinio::asio_ns::io_context& io) : signals_{io, SIGINT, SIGTERM} {
    signals_.async_wait([this](const auto& failed, int) {
      if (!failed) arrived_.set_value();
    });
  }

  /// Blocks until one arrives. The second ends the program at once.
  void wait() {
    arrived_.get_future().wait();
    signals_.clear();
  }

private:
  restinio::asio_ns::signal_set signals_;
  std::promise<void> arrived_;
};

void say(const std::string& text) {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

// Clients that have connected before the end began are heard, and told that it has; more than this
// is for those who would go on for ever.
constexpr auto longest_farewell = std::chrono::seconds{5};

void shut_down(http_server& server, predictors& predict, traffic& counts, const settings& chosen) {
  auto end = steady_clock::now() + chosen.drain_timeout;
  counts.is_draining = true;
  auto late = predict.drain(chosen.drain_timeout);
  if (late > 0)
    fmt::print(stderr, "model_server: {} requests got 503 at the end of the drain\n", late);
  auto farewell_was_quiet = server.wait_until_quiet(counts, longest_farewell);
  server.stop_accepting();
  auto left = std::max<steady_clock::duration>(end - steady_clock::now(), longest_farewell);
  if (!farewell_was_quiet && !server.wait_until_quiet(counts, left))
    fmt::print(stderr, "model_server: requests kept coming in until the end\n");
}

// The order is that of the ends: who gives answers goes before who takes them.
void run(const settings& chosen) {
  batcher::monitoring::metrics metrics;
  traffic counts;
  restinio::asio_ns::io_context io{static_cast<int>(chosen.threads)};
  end_signals signals{io};
  answer_queue answers{io, counts};
  batcher::actors::system_config<caf::id_block::model_server> cfg;
  batcher::actors::compat::set_policy(cfg, "sharing"); // lower latency than the default
  caf::actor_system system{cfg};
  predictors predict{system, chosen, metrics};
  backend to{predict, metrics, answers, counts, chosen.max_body_bytes};
  http_server server{io, chosen, [&to](const auto& request) { handle(to, request); }};
  say("listening on " + server.url());
  signals.wait();
  say("ending: answering what is open");
  shut_down(server, predict, counts, chosen);
}

} // namespace

int main(int argc, char** argv) {
  auto chosen = parse_command_line(argc, argv);
  try {
    run(chosen);
    return exit_ok;
  } catch (const std::exception& why) {
    fmt::print(stderr, "model_server: {}\n", why.what());
    return exit_failed;
  }
}
