// SPDX-License-Identifier: BSD-3-Clause
//
// Reads bodies up to a limit and counts connections, see http.hpp.

#include "model_server/http.hpp"

#include <algorithm>
#include <cstdint>

namespace model_server {

namespace {

using restinio::impl::http_parser_ctx_t;

http_parser_ctx_t& context_of(http_parser* parser) {
  return *static_cast<http_parser_ctx_t*>(parser->data);
}

std::uint64_t room_for(const http_parser_ctx_t& ctx) {
  return ctx.m_limits.max_body_size() + 1 - ctx.m_body.size();
}

// A client that asks first hears at once; the others have begun to send.
bool waits_for_permission(const http_parser_ctx_t& ctx) {
  return ctx.m_header.has_field(restinio::http_field::expect);
}

int on_headers_complete(http_parser* parser) {
  auto& ctx = context_of(parser);
  auto has_length = parser->content_length != ULLONG_MAX;
  if (!has_length || parser->content_length <= ctx.m_limits.max_body_size())
    return restinio::impl::restinio_headers_complete_cb(parser);
  ctx.m_leading_headers_completed = true; // as RESTinio's own does
  ctx.m_header.content_length(parser->content_length);
  if (waits_for_permission(ctx))
    return restinio::impl::restinio_message_complete_cb<http_methods>(parser);
  return 0;
}

int on_body(http_parser* parser, const char* data, std::size_t length) {
  auto kept = std::min<std::uint64_t>(length, room_for(context_of(parser)));
  context_of(parser).m_body.append(data, static_cast<std::size_t>(kept));
  return 0;
}

// RESTinio would note the place of every chunk, however many there are; nobody here asks for them.
int on_chunk_header(http_parser*) { return 0; }

} // namespace

void connection_count::state_changed(const restinio::connection_state::notice_t& what) noexcept {
  namespace state = restinio::connection_state;
  if (restinio::holds_alternative<state::accepted_t>(what.cause())) ++open_;
  if (restinio::holds_alternative<state::closed_t>(what.cause())) --open_;
}

bool is_body_too_long(const restinio::request_t& request, std::size_t limit) {
  return request.body().size() > limit || request.header().content_length() > limit;
}

http_parser_settings make_parser_settings() noexcept {
  auto result = restinio::impl::create_parser_settings<restinio::default_http_methods_t>();
  result.on_headers_complete = on_headers_complete;
  result.on_body = on_body;
  result.on_chunk_header = on_chunk_header;
  return result;
}

} // namespace model_server
