// SPDX-License-Identifier: BSD-3-Clause
//
// The way back from a batcher to HTTP. A batcher answers from its own thread, a batch at a time;
// this takes the answers over and has an HTTP thread send them, with one hand-over for all that are
// there.

#pragma once

#include "model_server/replies.hpp"
#include "model_server/traffic.hpp"

#include <batcher/actors/caf_compat.hpp>

#include <mutex>
#include <vector>

namespace model_server {

/// Turns answers into responses. Must outlive the batchers; `push` may be called from any thread.
class answer_queue {
public:
  /// `io` runs on the HTTP threads. Both must outlive this object.
  answer_queue(restinio::asio_ns::io_context& io, traffic& counts) : io_{io}, traffic_{counts} {}

  /// Takes over one answer and returns at once.
  void push(restinio::request_handle_t request, afterwards then, caf::expected<double> result);

private:
  struct answer {
    restinio::request_handle_t request;
    afterwards then;
    caf::expected<double> result;
  };

  void send_all();
  static void send(answer& one);

  restinio::asio_ns::io_context& io_;
  traffic& traffic_;
  std::mutex mutex_;
  std::vector<answer> waiting_;
};

} // namespace model_server
