// SPDX-License-Identifier: BSD-3-Clause
//
// The HTTP endpoint that Prometheus scrapes, on the server that prometheus-cpp brings along. No TLS
// and no password: it binds to the loopback address unless told otherwise. Besides the metrics it
// is given it serves three of its own, named `exposer_...`.

#pragma once

#include "batcher/monitoring/metrics.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace prometheus {
class Exposer;
}

namespace batcher::monitoring {

/// Where the endpoint listens.
struct exposition_options {
  /// Numeric IPv4 address, or IPv6 where prometheus-cpp's HTTP server takes it; Debian's does not.
  /// "0.0.0.0" opens it to everybody who can reach this machine.
  std::string bind = "127.0.0.1";

  /// TCP port. 0: any free one; ask `port()`. The default is the one in monitoring/prometheus.yml.
  std::uint16_t port = 9464;

  /// Threads that answer scrapes; a client that is slow to ask holds one. 0 is refused.
  std::size_t threads = 2;
};

/// Answers `GET /metrics` as long as it lives.
///
/// The server inside gives its threads stacks of 100 KiB. A process with more thread-local data
/// than that (LibTorch with OpenBLAS has 103 KiB) cannot start them: there, answer with
/// `metrics::text()` from a server of your own, as examples/demo does.
///
/// Thread rule: the queries may be called from any thread. Scrapes run on threads of its own, never
/// on a batcher's. The destructor waits for the scrapes that run and for the server to notice,
/// which it does every 2 seconds. It keeps the metrics alive.
class exposition {
public:
  /// Listens from its return on. Throws std::runtime_error with address, cause and remedy if it
  /// cannot, as when the port is in use.
  explicit exposition(std::shared_ptr<metrics> what, exposition_options opts = {});
  ~exposition();

  exposition(const exposition&) = delete;
  exposition& operator=(const exposition&) = delete;

  /// Returns the port that it listens on, also where 0 was asked for.
  [[nodiscard]] std::uint16_t port() const noexcept { return opts_.port; }

  /// Returns the address to scrape, e.g. "http://127.0.0.1:9464/metrics".
  [[nodiscard]] std::string url() const;

private:
  exposition_options opts_;
  std::shared_ptr<metrics> metrics_; // the server holds it weakly
  std::unique_ptr<prometheus::Exposer> server_;
};

} // namespace batcher::monitoring
