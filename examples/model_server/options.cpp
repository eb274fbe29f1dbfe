// SPDX-License-Identifier: BSD-3-Clause
//
// Reads the command line with CLI11, see options.hpp.

#include "model_server/options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <restinio/asio_include.hpp>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace model_server {

namespace {

constexpr auto about =
  "Serves a trained model over HTTP.\n"
  "  POST /predict            one call of the model per request\n"
  "  POST /optimized_predict  requests that are there together go through the model together\n"
  "  GET  /metrics, /healthz  for Prometheus and for a load balancer\n"
  "The body is a JSON array of 10 numbers, the answer a number.";

constexpr auto footer =
  "SIGTERM and Ctrl-C answer what is open, then end the server. Exit code: 0 ended "
  "so, 1 could not start, 2 a mistake in the options.";

std::string why_no_address(const std::string& text) {
  restinio::asio_ns::error_code failed;
  restinio::asio_ns::ip::make_address(text, failed);
  return failed ? text + " is no numeric IP address" : std::string{};
}

void add_http_options(CLI::App& app, settings& result) {
  app.add_option("--bind", result.bind, "Numeric address to listen on; 0.0.0.0: open to everybody")
    ->check(why_no_address)
    ->capture_default_str();
  app.add_option("--port", result.port, "Port to listen on; 0: any free one")
    ->capture_default_str();
  app.add_option("--threads", result.threads, "Threads that speak HTTP")
    ->check(CLI::Range(1, 64))
    ->capture_default_str();
  app.add_option("--max-body-bytes", result.max_body_bytes, "Longest body of a request")
    ->check(CLI::Range(1, 1 << 30))
    ->capture_default_str();
  app
    .add_option_function<unsigned>(
      "--drain-timeout", [&result](unsigned n) { result.drain_timeout = std::chrono::seconds{n}; },
      "Seconds that open requests have at the end [10]")
    ->check(CLI::Range(0, 3'600));
}

void add_model_options(CLI::App& app, settings& result) {
  auto& batching = result.batching;
  app.add_option("--model", result.model_file, "TorchScript file: [n, 10] numbers in, [n, 1] out")
    ->check(CLI::ExistingFile)
    ->capture_default_str();
  app.add_option("--workers", batching.workers, "Threads that run the model, for each endpoint")
    ->capture_default_str();
  app.add_option("--max-batch-items", batching.max_batch_items, "Most requests in a batch")
    ->capture_default_str();
  app
    .add_option("--max-queue-items", batching.max_queue_items,
                "Most requests that wait for a worker, for each endpoint; more get 503")
    ->capture_default_str();
  app.add_option_function<std::uint32_t>(
    "--max-delay-us", [&](std::uint32_t n) { batching.max_delay = std::chrono::microseconds{n}; },
    fmt::format("Longest wait for a batch to fill, with `--when-idle fill` or `adaptive` [{}]",
                std::chrono::duration_cast<std::chrono::microseconds>(batching.max_delay).count()));
  auto set_when_idle = [&](const std::string& name) {
    batching.when_idle = name == "fill"       ? batcher::when_idle::fill
                         : name == "adaptive" ? batcher::when_idle::adaptive
                                              : batcher::when_idle::immediate;
  };
  app
    .add_option_function<std::string>(
      "--when-idle", set_when_idle,
      "What an idle worker does: wait for a batch to fill, take what "
      "is there, or wait as long as that pays [immediate]")
    ->check(CLI::IsMember({"fill", "immediate", "adaptive"}));
}

[[noreturn]] void end_with(const std::vector<std::string>& problems) {
  for (const auto& text : problems) fmt::print(stderr, "model_server: {}\n", text);
  std::exit(exit_bad_options);
}

} // namespace

batcher::options without_batching(batcher::options opts) {
  opts.name = "predict";
  opts.max_batch_items = 1;
  opts.when_idle = batcher::when_idle::immediate;
  return opts;
}

settings parse_command_line(int argc, const char* const* argv) {
  settings result;
  CLI::App app{about, "model_server"};
  app.footer(footer);
  add_http_options(app, result);
  add_model_options(app, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& why) {
    std::exit(app.exit(why) == 0 ? exit_ok : exit_bad_options);
  }
  auto problems = validate(result.batching);
  if (result.batching.workers == 0)
    problems.emplace_back("workers is 0, but must be 1 or more: none joins from elsewhere");
  if (!problems.empty()) end_with(problems);
  return result;
}

} // namespace model_server
