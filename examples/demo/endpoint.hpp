// SPDX-License-Identifier: BSD-3-Clause
//
// The demo's /metrics, on the loopback address, served by RESTinio. batcher::monitoring has an
// endpoint of its own, `exposition`, but its HTTP server gives its threads a fixed stack of
// 100 KiB, which is less than the thread-local variables of LibTorch and OpenBLAS take, so that it
// cannot start here.

#pragma once

#include <batcher/monitoring/metrics.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace demo {

/// Answers `GET /metrics` as long as it lives, from one thread of its own.
class endpoint {
public:
  /// Listens from its return on, on `port`; 0: any free one. Throws std::exception if it cannot.
  endpoint(std::shared_ptr<const batcher::monitoring::metrics> what, std::uint16_t port);
  ~endpoint();

  /// Where to scrape.
  [[nodiscard]] const std::string& url() const noexcept { return url_; }

private:
  struct server;

  std::string url_;
  std::unique_ptr<server> server_;
};

/// Opens an endpoint on `port`, or on any free port if that one is taken, and says where on
/// standard output.
[[nodiscard]] std::unique_ptr<endpoint>
open_endpoint(std::shared_ptr<const batcher::monitoring::metrics> what, std::uint16_t port);

} // namespace demo
