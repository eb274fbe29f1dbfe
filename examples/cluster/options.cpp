// SPDX-License-Identifier: BSD-3-Clause
//
// Reads the command line with CLI11, see options.hpp.

#include "cluster/options.hpp"

#include "command_line/batcher_options.hpp"
#include "command_line/options.hpp"
#include "command_line/output_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <utility>
#include <vector>

#include <unistd.h>

namespace cluster {

namespace {

using command_line::add_choice;
using command_line::add_count;
using command_line::add_number;
using command_line::add_time;

constexpr auto about =
  R"(A batcher, its workers and its clients, each a process of its own. In three terminals:

  cluster batcher
  cluster worker
  cluster client

Times need a unit (250us, 2ms, 1.5s); numbers may end in k or M. `cluster batcher --help` and so on
say what there is to set.)";

constexpr auto footer =
  R"(SIGTERM and Ctrl-C end each part in order: the batcher answers what it has, a worker finishes what
it holds, a client says what came so far. A second one ends it at once. The file of --config has a
section for each part: [batcher], [worker], [client], with lines like max-delay = "5ms".

Exit code: 0 all is well, 1 it could not start, or requests, answers or batches were lost, 2 a mistake
in the options.)";

enum class retry_choice { never, idempotent };

// What becomes options only when all of it is known.
struct raw_settings {
  batcher_settings of_batcher;
  worker_settings of_worker;
  client_settings of_client;
  retry_choice retry = retry_choice::never;
  batcher::retry::idempotent retries;
};

// CLI11 takes an empty text for a number, or for an option that was not given.
std::string problem_of_empty(const std::string& text) {
  return text.empty() ? "is empty; give a value or leave it out" : "";
}

template <class T>
void add_plain(CLI::App& app, const std::string& name, T& to, const std::string& what) {
  app.add_option(name, to, what)->check(problem_of_empty)->capture_default_str();
}

void add_tls(CLI::App& app, batcher::actors::tls_options& to) {
  app.option_defaults()->group("TLS (all three files, on all nodes, or none)");
  auto add_file = [&](const std::string& name, std::string& path, const std::string& what) {
    app.add_option(name, path, what)->check(problem_of_empty)->type_name("FILE");
  };
  add_file("--tls-certificate", to.certificate, "This node's certificate, PEM");
  add_file("--tls-key", to.key, "Its private key");
  add_file("--tls-ca", to.ca_file, "Certificate of the authority of all nodes");
  app.add_flag(
    "--tls-allow-busy-handshakes", to.allow_busy_handshakes,
    "With CAF 0.17 only: use TLS although a stranger who says nothing costs a core, and one who "
    "says nonsense others their connection");
}

// -- the batcher ----------------------------------------------------------------------------------

void add_publishing(CLI::App& app, batcher_settings& to) {
  app.option_defaults()->group("Network");
  auto& p = to.publishing;
  add_plain(app, "--port", p.port, "Port to listen on; 0: any free one");
  add_plain(app, "--bind", p.bind, "Address to listen on; 0.0.0.0: all there are");
  app.add_flag(
    "--allow-untrusted-network", p.allow_untrusted_network,
    "Listen where others can reach it although there is no TLS, so that nobody is asked who he "
    "is, or that of CAF 0.17");
  add_count(app, "--max-message-bytes", p.max_message_bytes, "Most bytes in one message");
  add_count(app, "--max-nodes", p.max_nodes, "Most clients and workers at once");
  add_time(app, "--max-silence", p.max_silence,
           "Who is silent for longer is given up; the same for all nodes");
  app
    .add_option("--metrics-port", to.metrics_port,
                "Serve metrics for Prometheus on this port, usually 9464; 0: any free one")
    ->check(problem_of_empty)
    ->type_name("UINT");
  add_plain(app, "--metrics-bind", to.metrics_bind, "Address to serve them on");
}

void add_failure(CLI::App& app, raw_settings& raw) {
  app.option_defaults()->group("Failure");
  auto& o = raw.of_batcher.batching;
  add_choice(app, "--retry", raw.retry,
             {{"never", retry_choice::never}, {"idempotent", retry_choice::idempotent}},
             "Whether a batch that failed or lost its worker runs again");
  add_count(app, "--attempts", raw.retries.max_attempts, "With idempotent: runs of a batch");
  add_number(app, "--retry-budget", raw.retries.budget, "With idempotent: retries per batch");
  app
    .add_option("--bisect", raw.retries.bisect,
                "With idempotent: halve a batch that failed instead of repeating it")
    ->capture_default_str();
  add_time(app, "--max-outage", o.max_outage, "How long requests wait when there is no worker");
  add_time(app, "--restart-delay", o.restart_delay,
           "How long a worker that fails again and again is put aside, at first");
  add_time(app, "--max-restart-delay", o.max_restart_delay, "And at most");
  add_time(app, "--drain-timeout", raw.of_batcher.drain_timeout,
           "How long requests may take to be answered at the end");
}

void add_batcher(CLI::App& app, raw_settings& raw) {
  auto& o = raw.of_batcher.batching;
  add_publishing(app, raw.of_batcher);
  add_tls(app, raw.of_batcher.tls);
  app.option_defaults()->group("Batcher (libbatcher/include/batcher/options.hpp says more)");
  add_plain(app, "--name", o.name, "Names it in errors and metrics");
  command_line::add_batch_options(app, o);
  command_line::add_limit_options(app, o);
  add_count(app, "--max-lanes", o.max_lanes, "Most keys at once");
  add_failure(app, raw);
}

// -- who dials in ---------------------------------------------------------------------------------

void add_connection(CLI::App& app, batcher_address& to, batcher::actors::reconnect_options& how) {
  app.option_defaults()->group("Network");
  add_plain(app, "--host", to.host, "Where the batcher is");
  add_plain(app, "--port", to.port, "Its port");
  add_time(app, "--connect-timeout", how.connect_timeout,
           "How long an attempt to connect may take");
  add_time(app, "--retry-delay", how.retry_delay, "Wait after the first attempt that failed");
  add_time(app, "--max-retry-delay", how.max_retry_delay, "Longest such wait");
  add_count(app, "--max-attempts", how.max_attempts,
            "Attempts in a row that may fail before it gives up; 0: any");
  add_time(app, "--max-silence", how.max_silence,
           "A batcher that is silent for longer is given up; the same for all nodes");
}

void add_worker(CLI::App& app, worker_settings& to) {
  app.option_defaults()->group("Worker");
  add_plain(app, "--name", to.joining.name, "Names it to the batcher, and in each answer");
  add_count(app, "--workers", to.joining.workers, "Workers of this process");
  add_count(app, "--credit", to.joining.credit, "Batches that each may hold at once");
  add_time(app, "--restart-delay", to.joining.restart_delay,
           "How long a dead worker waits for its replacement");
  command_line::add_work_times(app, to.batch_time, to.item_time);
  add_time(app, "--leave-timeout", to.leave_timeout, "How long it may finish what it holds");
  add_connection(app, to.batcher, to.joining.reconnect);
  add_tls(app, to.tls);
}

void add_client(CLI::App& app, client_settings& to) {
  app.option_defaults()->group("Client");
  add_plain(app, "--name", to.connecting.name, "Names it to the batcher");
  add_count(app, "--requests", to.requests, "Requests to send");
  add_count(app, "--outstanding", to.outstanding, "Most requests without an answer at once");
  add_number(app, "--rate", to.rate, "Requests per second; 0: as fast as answers come");
  add_count(app, "--request-bytes", to.request_bytes, "Length of a request's text");
  add_count(app, "--keys", to.keys, "Different keys; requests of two keys share no batch");
  add_time(app, "--timeout", to.timeout, "How long a request may take; 0: any");
  command_line::add_file(app, "--json", to.json_file, "Write the results to this file");
  add_connection(app, to.batcher, to.connecting.reconnect);
  add_time(app, "--max-outage", to.connecting.max_outage,
           "How long requests wait for the batcher to come back");
  add_tls(app, to.tls);
}

// -- from options to settings ---------------------------------------------------------------------

[[noreturn]] void end_with(const std::vector<std::string>& problems) {
  for (auto& problem : problems) std::cerr << "cluster: " << problem << '\n';
  std::cerr << "Run with --help for what there is.\n";
  std::exit(exit_bad_options);
}

// CLI11 says "INI was not able to parse part.option", "part.++" of a section.
std::string named_in(const std::string& said) {
  auto name = said.substr(said.rfind(' ') + 1);
  auto end = name.rfind(".++");
  return end == std::string::npos ? name : '[' + name.substr(0, end) + ']';
}

settings finish(raw_settings& raw, const std::string& part) {
  std::vector<std::string> problems;
  auto add = [&](const std::vector<std::string>& more) {
    problems.insert(problems.end(), more.begin(), more.end());
  };
  auto check = [&](const batcher::actors::tls_options& opts) {
    if (wants_tls(opts)) add(validate(opts));
  };
  auto check_peer = [&](const batcher_address& peer) {
    if (peer.port == 0) add({"port is 0, but must be that of the batcher, 1 to 65535"});
  };
  settings result;
  if (part == "batcher") {
    if (raw.retry == retry_choice::idempotent) raw.of_batcher.batching.on_failure = raw.retries;
    add(validate(raw.of_batcher.batching));
    bool has_safe_tls = wants_tls(raw.of_batcher.tls) && batcher::actors::tls_keeps_strangers_out();
    add(validate(raw.of_batcher.publishing, has_safe_tls));
    check(raw.of_batcher.tls);
    result = raw.of_batcher;
  } else if (part == "worker") {
    add(validate(raw.of_worker.joining));
    check(raw.of_worker.tls);
    check_peer(raw.of_worker.batcher);
    result = raw.of_worker;
  } else {
    auto& client = raw.of_client;
    client.connecting.max_outstanding = std::max<std::size_t>(client.outstanding, 1);
    if (client.outstanding == 0) add({"outstanding is 0, but must be 1 or more"});
    if (client.keys == 0) add({"keys is 0, but must be 1 or more"});
    add(validate(client.connecting));
    check(client.tls);
    check_peer(client.batcher);
    command_line::check_writable(client.json_file);
    result = client;
  }
  if (!problems.empty()) end_with(problems);
  return result;
}

} // namespace

bool wants_tls(const batcher::actors::tls_options& x) {
  return !x.certificate.empty() || !x.key.empty() || !x.ca_file.empty() || x.allow_busy_handshakes;
}

settings parse_command_line(int argc, const char* const* argv) {
  raw_settings raw;
  raw.of_worker.joining.name = "worker-" + std::to_string(getpid());
  raw.of_client.connecting.name = "client-" + std::to_string(getpid());
  CLI::App app{about, "cluster"};
  app.footer(footer);
  app.get_formatter()->column_width(42);
  app.require_subcommand(1);
  app.fallthrough(); // --config may come behind the subcommand
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_config("--config", "", "Read options from this file; those given here count more")
    ->check(problem_of_empty)
    ->type_name("FILE");
  add_batcher(*app.add_subcommand("batcher", "Takes requests and hands them out in batches"), raw);
  add_worker(*app.add_subcommand("worker", "Works for a batcher"), raw.of_worker);
  add_client(*app.add_subcommand("client", "Sends requests and checks the answers"), raw.of_client);
  try {
    app.parse(argc, argv);
    return finish(raw, app.get_subcommands().front()->get_name());
  } catch (const CLI::ConfigError& e) {
    end_with({"--config: no such option or section, or not in a file: " + named_in(e.what())});
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e) == 0 ? exit_ok : exit_bad_options);
  } catch (const std::invalid_argument& e) {
    end_with({e.what()});
  }
}

} // namespace cluster
