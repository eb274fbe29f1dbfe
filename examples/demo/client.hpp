// SPDX-License-Identifier: BSD-3-Clause
//
// One client of the demo: sends rows at random instants, checks every reply, writes down how long
// it took. Its load is open: when a request is due depends on the drawn instants alone, never on
// earlier replies, and latency counts from that instant. A client that falls behind therefore hides
// nothing.
//
// A client keeps few requests outstanding (the step's rate is spread over many clients), because
// CAF searches an actor's outstanding requests one by one.

#pragma once

#include "demo/messages.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <vector>

namespace demo {

using steady = std::chrono::steady_clock;

/// The rows to send and what the model says to each when it is asked for that row alone.
struct exam {
  std::vector<row> rows;
  std::vector<double> answers = {};

  /// A batch goes through other matrix kernels than a single row, which round differently.
  static constexpr double tolerance = 1e-4;

  /// True if `answer` is right for row `i`, up to `tolerance` times the right answer (or times 1).
  [[nodiscard]] bool is_right(std::size_t i, double answer) const;
};

/// What one client has seen. Written by the client, read by others after it has finished.
struct client_log {
  std::vector<float> latencies_ms; ///< Of right and wrong replies.
  std::uint64_t sent = 0;
  std::uint64_t wrong = 0;
  std::uint64_t refused = 0; ///< `errc::queue_full`
  std::uint64_t failed = 0;  ///< Any other error.
  std::uint64_t missing = 0; ///< Sent, and without any reply when the time was up.
  steady::time_point last_reply;
};

/// Where clients report that they are done. Any thread.
class finish_line {
public:
  void cross();
  /// Waits until `clients` have crossed, at most for `timeout`; returns whether they have.
  [[nodiscard]] bool wait_for(std::size_t clients, std::chrono::milliseconds timeout);

private:
  std::mutex mutex_;
  std::condition_variable crossed_;
  std::size_t clients_ = 0;
};

/// What all clients of one step share. Outlives them.
struct step_plan {
  const exam& questions;
  std::vector<predictor> predictors; ///< Taken in turn.
  std::size_t clients = 1;
  /// Requests that become due per second, all clients together. Infinite: all are due at once, and
  /// `max_outstanding` alone sets the pace.
  double rate = 0;
  steady::time_point begin;
  steady::duration sending = {};    ///< Requests become due from `begin` on for so long.
  steady::duration patience = {};   ///< Then replies are waited for at most so long.
  std::size_t max_outstanding = {}; ///< Per client.
  std::uint64_t seed = 0;
  const std::atomic<int>& interrupted; ///< Not zero: end now, and call nothing missing.
  finish_line& finished;
};

/// A client actor. Ends by itself: when all is answered, when the patience is over, or when
/// interrupted.
class client final : public caf::event_based_actor {
public:
  /// `number` is below `plan.clients`; `log` outlives the client.
  client(caf::actor_config& cfg, const step_plan& plan, std::size_t number, client_log& log);

  const char* name() const override { return "demo.client"; }

protected:
  caf::behavior make_behavior() override;

private:
  void wake();
  void send_due(steady::time_point now);
  void send_one(steady::time_point due);
  void settle(steady::time_point now);
  void draw_next();
  [[nodiscard]] bool is_sending() const { return next_due_ < end_; }
  void finish();

  const step_plan& plan_;
  client_log& log_;
  std::size_t next_question_;
  std::size_t outstanding_ = 0;
  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_seconds_;
  steady::time_point next_due_;
  steady::time_point end_;
  bool is_finished_ = false;
};

} // namespace demo
