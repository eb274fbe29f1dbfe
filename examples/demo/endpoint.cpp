// SPDX-License-Identifier: BSD-3-Clause
//
// Serves /metrics with RESTinio, see endpoint.hpp.

#include "demo/endpoint.hpp"

#include <fmt/format.h>
#include <restinio/all.hpp>

#include <exception>
#include <thread>
#include <utility>

namespace demo {

namespace {

namespace asio = restinio::asio_ns;
using batcher::monitoring::metrics;

restinio::request_handling_status_t answer(const metrics& what, restinio::request_t& request) {
  if (request.header().path() != "/metrics")
    return request.create_response(restinio::status_not_found()).set_body("see /metrics\n").done();
  return request.create_response()
    .append_header(restinio::http_field::content_type, std::string{metrics::text_content_type})
    .set_body(what.text())
    .done();
}

} // namespace

struct endpoint::server {
  asio::io_context io;
  restinio::http_server_t<> http;
  std::thread thread;

  explicit server(restinio::server_settings_t<> settings)
    : http{restinio::external_io_context(io), std::move(settings)} {
    http.open_sync();
    thread = std::thread{[this] { io.run(); }};
  }

  ~server() {
    io.stop();
    thread.join();
  }
};

endpoint::endpoint(std::shared_ptr<const metrics> what, std::uint16_t port) {
  restinio::server_settings_t<> settings;
  settings.address(asio::ip::address_v4::loopback())
    .port(port)
    .acceptor_post_bind_hook([this](auto& acceptor) {
      url_ = fmt::format("http://127.0.0.1:{}/metrics", acceptor.local_endpoint().port());
    })
    .request_handler([what = std::move(what)](auto request) { return answer(*what, *request); });
  server_ = std::make_unique<server>(std::move(settings));
}

endpoint::~endpoint() = default;

std::unique_ptr<endpoint> open_endpoint(std::shared_ptr<const metrics> what, std::uint16_t port) {
  std::unique_ptr<endpoint> result;
  try {
    result = std::make_unique<endpoint>(what, port);
  } catch (const std::exception& why) {
    if (port == 0) throw;
    fmt::print("port {} is not free ({}), taking another\n", port, why.what());
    result = std::make_unique<endpoint>(what, 0);
  }
  fmt::print("metrics: {}\n", result->url());
  return result;
}

} // namespace demo
