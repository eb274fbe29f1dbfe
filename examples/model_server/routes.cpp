// SPDX-License-Identifier: BSD-3-Clause
//
// Routes requests, see routes.hpp.

#include "model_server/routes.hpp"
#include "model_server/json.hpp"
#include "model_server/replies.hpp"

#include <batcher/actors/ask.hpp>

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

namespace model_server {

namespace {

using restinio::request_handle_t;

// A connection closes with the first request that came too late. Earlier ones on it keep their
// place, and so get their answers.
afterwards then(const backend& to) {
  return to.counts.is_draining ? afterwards::close : afterwards::keep_alive;
}

void ask_model(const backend& to, const predictor& whom, const request_handle_t& request) {
  examples::row numbers;
  try {
    numbers = parse_row(request->body());
  } catch (const bad_row& why) {
    reply_error(*request, then(to), restinio::status_bad_request(), why.what());
    return;
  }
  ++to.counts.open_requests;
  auto answer = [request, answers = &to.answers, then = then(to)](caf::expected<double> result) {
    answers->push(request, then, std::move(result));
  };
  batcher::actors::ask(whom, numbers, std::move(answer));
}

void ask_unbatched(const backend& to, const request_handle_t& request) {
  ask_model(to, to.predict.unbatched(), request);
}

void ask_batched(const backend& to, const request_handle_t& request) {
  ask_model(to, to.predict.batched(), request);
}

void tell_health(const backend& to, const request_handle_t& request) {
  if (to.counts.is_draining)
    reply_error(*request, then(to), restinio::status_service_unavailable(), "the server is ending");
  else
    reply_text(*request, then(to), "ok", "text/plain; charset=utf-8");
}

void tell_metrics(const backend& to, const request_handle_t& request) {
  reply_text(*request, then(to), to.metrics.text(), to.metrics.text_content_type);
}

struct route {
  std::string_view path;
  restinio::http_method_id_t method;
  void (*act)(const backend&, const request_handle_t&);
};

const std::array<route, 4>& all_routes() {
  static const std::array<route, 4> result{{
    {"/optimized_predict", restinio::http_method_post(), ask_batched},
    {"/predict", restinio::http_method_post(), ask_unbatched},
    {"/metrics", restinio::http_method_get(), tell_metrics},
    {"/healthz", restinio::http_method_get(), tell_health},
  }};
  return result;
}

const route* find_route(std::string_view path) {
  for (const auto& one : all_routes())
    if (one.path == path) return &one;
  return nullptr;
}

std::string text_of_unknown_path() {
  std::string text = "there is nothing here; there is";
  for (const auto& one : all_routes()) text += fmt::format(" {} {}", one.method.c_str(), one.path);
  return text;
}

} // namespace

void handle(const backend& to, const request_handle_t& request) {
  ++to.counts.requests;
  const auto& header = request->header();
  if (is_body_too_long(*request, to.max_body_bytes)) {
    reply_error(*request, afterwards::close, restinio::status_payload_too_large(),
                fmt::format("the body has more than {} bytes", to.max_body_bytes));
    return;
  }
  auto path = header.path();
  auto* found = find_route({path.data(), path.size()});
  if (found == nullptr)
    reply_error(*request, then(to), restinio::status_not_found(), text_of_unknown_path());
  else if (header.method() != found->method)
    reply_wrong_method(*request, then(to), found->method.c_str());
  else
    found->act(to, request);
}

} // namespace model_server
