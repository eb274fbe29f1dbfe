// SPDX-License-Identifier: BSD-3-Clause
//
// What the whole server knows about its traffic. Decides nothing.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace model_server {

/// Written by the HTTP threads, read by whoever shuts the server down. Every member may be read and
/// written from any thread.
struct traffic {
  /// Set once, when the server begins to end.
  std::atomic<bool> is_draining = false;
  /// HTTP requests that have come in, of every kind.
  std::atomic<std::uint64_t> requests = 0;
  /// Those of them that wait for a prediction.
  std::atomic<std::size_t> open_requests = 0;
};

} // namespace model_server
