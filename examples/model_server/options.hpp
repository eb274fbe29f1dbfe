// SPDX-License-Identifier: BSD-3-Clause
//
// The server's command line.

#pragma once

#include <batcher/options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace model_server {

/// Exit codes, as `--help` explains them.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_bad_options = 2;

struct settings {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 8080;
  std::size_t threads = 1;
  std::size_t max_body_bytes = 65'536;
  std::string model_file = BATCHER_EXAMPLE_MODEL_DIR "/diabetes.pt";
  std::chrono::seconds drain_timeout{10};

  /// The batcher of /optimized_predict. `without_batching` makes that of /predict of it.
  batcher::options batching = {
    .name = "optimized_predict",
    .max_batch_items = 128,
    .max_delay = std::chrono::milliseconds{2},
    .when_idle = batcher::when_idle::immediate,
    .max_queue_items = 8'192,
    .workers = 1,
  };
};

/// Returns the options of the batcher of /predict: one call of the model per request.
[[nodiscard]] batcher::options without_batching(batcher::options opts);

/// Reads the command line. Where there is nothing to run, after `--help` or because of a mistake,
/// it prints what there is to say and ends the program.
[[nodiscard]] settings parse_command_line(int argc, const char* const* argv);

} // namespace model_server
