// SPDX-License-Identifier: BSD-3-Clause
//
// Builds responses, see replies.hpp.

#include "model_server/replies.hpp"
#include "model_server/json.hpp"

#include <fmt/format.h>

#include <utility>

namespace model_server {

namespace {

using restinio::http_field;

constexpr auto json_type = "application/json";

auto begin(restinio::request_t& request, afterwards then, restinio::http_status_line_t status) {
  auto response = request.create_response(std::move(status));
  response.append_header_date_field();
  if (then == afterwards::close) response.connection_close();
  return response;
}

} // namespace

void reply_text(restinio::request_t& request, afterwards then, std::string text,
                std::string_view content_type) {
  begin(request, then, restinio::status_ok())
    .append_header(http_field::content_type, std::string{content_type})
    .set_body(std::move(text))
    .done();
}

void reply_number(restinio::request_t& request, afterwards then, double value) {
  reply_text(request, then, number_body(value), json_type);
}

void reply_error(restinio::request_t& request, afterwards then, restinio::http_status_line_t status,
                 std::string_view message) {
  auto response = begin(request, then, std::move(status));
  response.append_header(http_field::content_type, json_type);
  if (response.header().status_code() == restinio::status_code::service_unavailable)
    response.append_header(http_field::retry_after, "1");
  response.set_body(error_body(message)).done();
}

void reply_wrong_method(restinio::request_t& request, afterwards then, std::string_view allowed) {
  auto is_head =
    request.header().method() == restinio::http_method_head(); // a body would be misread
  auto response = begin(request, then, restinio::status_method_not_allowed());
  response.append_header(http_field::allow, std::string{allowed})
    .append_header(http_field::content_type, json_type);
  auto text = fmt::format("use {} here", allowed);
  response.set_body(is_head ? std::string{} : error_body(text)).done();
}

} // namespace model_server
