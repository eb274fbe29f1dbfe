// SPDX-License-Identifier: BSD-3-Clause
//
// RESTinio's server, the threads it runs on, and how both come to an end. Knows nothing of models.

#pragma once

#include "model_server/http.hpp"
#include "model_server/options.hpp"
#include "model_server/traffic.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace model_server {

/// Speaks HTTP as long as it lives; its end closes every connection. Use it from one thread.
class http_server {
public:
  using handler = std::function<void(const restinio::request_handle_t&)>;

  /// Listens from its return on. `io` must outlive everything that holds a request. Throws
  /// std::runtime_error with address and cause if it cannot listen.
  http_server(restinio::asio_ns::io_context& io, const settings& chosen, handler on_request);
  ~http_server();

  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  /// Returns where it listens, e.g. "http://127.0.0.1:8080", with the port that 0 stood for.
  [[nodiscard]] std::string url() const;

  /// Takes no more connections. Those that are open stay so and are served.
  void stop_accepting();

  /// Waits until no request is open and none has come in for a moment, at most for `timeout`.
  /// Returns whether that has come about.
  bool wait_until_quiet(const traffic& counts, std::chrono::steady_clock::duration timeout);

private:
  using restinio_server = restinio::http_server_t<http_traits>;

  restinio::asio_ns::io_context& io_;
  restinio::asio_ns::executor_work_guard<restinio::asio_ns::io_context::executor_type>
    keep_running_;
  restinio::asio_ns::ip::tcp::endpoint listens_at_;
  restinio_server server_;
  std::vector<std::thread> threads_;
};

} // namespace model_server
