// SPDX-License-Identifier: BSD-3-Clause
//
// What this server asks of RESTinio, and two things that RESTinio 0.6 does not give:
//
// It answers a body over its limit by closing the connection, without a word. Here such a body is
// read to its end and thrown away, so that the client, which may still be sending, gets a 413 that
// it can read.
//
// It stops accepting for good when the process has no file descriptor left. Here connections are
// counted, for a limit below that. (RESTinio's own limit outlives its server in connections that
// are still open at the end.)
//
// What it does not do: route or answer. A handler asks `is_body_too_long` first.

#pragma once

#include <restinio/all.hpp>

#include <atomic>
#include <cstddef>

namespace model_server {

/// Names the parser settings below. The methods themselves are RESTinio's.
struct http_methods : restinio::default_http_methods_t {};

/// Counts the connections that are open. May be read from any thread.
class connection_count {
public:
  [[nodiscard]] std::size_t open() const noexcept { return open_; }

  /// RESTinio calls it, from its threads.
  void state_changed(const restinio::connection_state::notice_t& what) noexcept;

private:
  std::atomic<std::size_t> open_ = 0;
};

struct http_traits : restinio::default_traits_t {
  using http_methods_mapper_t = http_methods;
  using connection_state_listener_t = connection_count;
};

/// Returns whether the request had a body of more than `limit` bytes. Precondition: RESTinio was
/// given the same limit in `incoming_http_msg_limits`.
[[nodiscard]] bool is_body_too_long(const restinio::request_t& request, std::size_t limit);

/// Parser callbacks that keep one byte more than the limit allows and forget the rest.
[[nodiscard]] http_parser_settings make_parser_settings() noexcept;

} // namespace model_server

/// RESTinio looks its callbacks up here, by the type of the methods.
template <>
inline http_parser_settings
restinio::impl::create_parser_settings<model_server::http_methods>() noexcept {
  return model_server::make_parser_settings();
}
