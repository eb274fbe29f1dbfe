// SPDX-License-Identifier: BSD-3-Clause
//
// Sends what batchers answered, see answer_queue.hpp.

#include "model_server/answer_queue.hpp"

#include <batcher/actors/messages.hpp>

#include <cmath>
#include <string>
#include <utility>

namespace model_server {

namespace {

using batcher::errc;

restinio::http_status_line_t status_of(const caf::error& why) {
  for (auto code : {errc::queue_full, errc::draining, errc::shut_down})
    if (why == code) return restinio::status_service_unavailable();
  return restinio::status_internal_server_error();
}

// The batcher and its workers explain every error in a sentence.
std::string text_of(const caf::error& why) {
  const auto& context = why.context();
  if (context.match_elements<std::string>()) return context.get_as<std::string>(0);
  return "the model could not be asked";
}

} // namespace

void answer_queue::push(restinio::request_handle_t request, afterwards then,
                        caf::expected<double> result) {
  auto was_empty = [&] {
    std::lock_guard guard{mutex_};
    waiting_.push_back({std::move(request), then, std::move(result)});
    return waiting_.size() == 1;
  }();
  if (was_empty) restinio::asio_ns::post(io_, [this] { send_all(); });
}

void answer_queue::send_all() {
  std::vector<answer> ready;
  {
    std::lock_guard guard{mutex_};
    ready.swap(waiting_);
  }
  for (auto& one : ready) send(one);
  traffic_.open_requests -= ready.size();
}

void answer_queue::send(answer& one) {
  auto& [request, then, result] = one;
  if (!result)
    reply_error(*request, then, status_of(result.error()), text_of(result.error()));
  else if (!std::isfinite(*result))
    reply_error(*request, then, restinio::status_internal_server_error(),
                "the model gave no finite number");
  else
    reply_number(*request, then, *result);
}

} // namespace model_server
