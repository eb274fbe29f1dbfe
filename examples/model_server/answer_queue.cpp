// SPDX-License-Identifier: BSD-3-Clause
//
// Sends what batchers answered, see answer_queue.hpp.

#include "model_server/answer_queue.hpp"

#include <batcher/actors/requests.hpp>

#include <cmath>
#include <string>
#include <utility>

namespace model_server {

namespace {

using batcher::errc;

restinio::http_status_line_t status_of(const caf::error& why) {
  auto is_any_of = [&](auto... codes) { return ((why == caf::make_error(codes)) || ...); };
  if (is_any_of(errc::queue_full, errc::draining, errc::shut_down, errc::no_workers))
    return restinio::status_service_unavailable();
  return restinio::status_internal_server_error();
}

// The batcher explains every error in a sentence, the model mostly.
std::string sentence_of(const caf::error& why) {
  auto text = batcher::actors::text_of(why);
  return text.empty() ? "the model could not be asked" : text;
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
    reply_error(*request, then, status_of(result.error()), sentence_of(result.error()));
  else if (!std::isfinite(*result))
    reply_error(*request, then, restinio::status_internal_server_error(),
                "the model gave no finite number");
  else
    reply_number(*request, then, *result);
}

} // namespace model_server
