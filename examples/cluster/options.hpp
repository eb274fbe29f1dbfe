// SPDX-License-Identifier: BSD-3-Clause
//
// The command line: a subcommand for each part of a cluster, and a file that may set their options.

#pragma once

#include <batcher/actors/node/options.hpp>
#include <batcher/options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace cluster {

/// Exit codes, as `--help` explains them.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_bad_options = 2;

inline constexpr std::uint16_t default_port = 4711;

/// Returns whether any option of TLS is set. Then all must be good.
[[nodiscard]] bool wants_tls(const batcher::actors::tls_options& x);

struct batcher_settings {
  batcher::options batching = {
    .name = "cluster",
    .workers = 0, // all of them dial in
    .max_outage = std::chrono::seconds{10},
  };
  batcher::actors::publish_options publishing = {.port = default_port};
  batcher::actors::tls_options tls;
  std::string metrics_bind = "127.0.0.1";
  std::optional<std::uint16_t> metrics_port; // nothing: none are served
  batcher::duration drain_timeout = std::chrono::seconds{10};
};

/// Where the batcher is.
struct batcher_address {
  std::string host = "127.0.0.1";
  std::uint16_t port = default_port;
};

struct worker_settings {
  batcher_address batcher;
  batcher::actors::tls_options tls;
  batcher::actors::join_options joining;
  /// What a batch takes, and what each of its items adds.
  batcher::duration batch_time = std::chrono::milliseconds{5};
  batcher::duration item_time = std::chrono::microseconds{50};
  batcher::duration leave_timeout = std::chrono::seconds{30};
};

struct client_settings {
  batcher_address batcher;
  batcher::actors::tls_options tls;
  batcher::actors::connect_options connecting;
  std::size_t requests = 10'000;
  std::size_t outstanding = 256; // at most; 1 and up
  double rate = 0;               // per second; 0: as fast as answers come
  std::size_t request_bytes = 32;
  std::size_t keys = 1;
  batcher::duration timeout = batcher::duration::zero();
  std::string json_file; // empty: none
};

using settings = std::variant<batcher_settings, worker_settings, client_settings>;

/// Reads the command line. Where there is nothing to run, after `--help` or because of a mistake,
/// it prints what there is to say and ends the program.
[[nodiscard]] settings parse_command_line(int argc, const char* const* argv);

} // namespace cluster
