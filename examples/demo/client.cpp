// SPDX-License-Identifier: BSD-3-Clause
//
// The client actor, see client.hpp.

#include "demo/client.hpp"

#include <batcher/errc.hpp>

#include <algorithm>
#include <cmath>

namespace demo {

namespace {

// A timer per request would cost more than the request. What becomes due between two wakes is sent
// at the second; its latency counts from when it was due all the same.
constexpr auto shortest_nap = std::chrono::milliseconds{2};
constexpr auto longest_nap = std::chrono::milliseconds{50};

steady::duration seconds(double s) {
  return std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(s));
}

} // namespace

bool exam::is_right(std::size_t i, double answer) const {
  return std::abs(answer - answers[i]) <= tolerance * std::max(1.0, std::abs(answers[i]));
}

void finish_line::cross() {
  std::lock_guard lock{mutex_};
  ++clients_;
  crossed_.notify_all();
}

bool finish_line::wait_for(std::size_t clients, std::chrono::milliseconds timeout) {
  std::unique_lock lock{mutex_};
  return crossed_.wait_for(lock, timeout, [&] { return clients_ >= clients; });
}

client::client(caf::actor_config& cfg, const step_plan& plan, std::size_t number, client_log& log)
  : caf::event_based_actor{cfg}, plan_{plan}, log_{log}, next_question_{number},
    random_{plan.seed + number}, gap_seconds_{plan.rate / static_cast<double>(plan.clients)},
    next_due_{plan.begin}, end_{plan.begin + plan.sending} {
  auto expected = plan.rate * std::chrono::duration<double>(plan.sending).count();
  if (std::isfinite(expected))
    log_.latencies_ms.reserve(static_cast<std::size_t>(1.2 * expected) / plan.clients + 64);
  draw_next();
}

caf::behavior client::make_behavior() {
  wake();
  return {[this](wake_atom) { wake(); }};
}

void client::draw_next() {
  if (std::isfinite(plan_.rate)) next_due_ += seconds(gap_seconds_(random_));
}

void client::wake() {
  if (is_finished_) return;
  auto now = steady::now();
  if (plan_.interrupted) return finish();
  send_due(now);
  if (!is_sending() && outstanding_ == 0) return finish();
  if (now >= end_ + plan_.patience) {
    log_.missing = outstanding_;
    return finish();
  }
  auto nap = is_sending() ? next_due_ - now : longest_nap;
  nap = std::clamp<steady::duration>(nap, shortest_nap, longest_nap);
  batcher::actors::compat::delayed_send(this, caf::actor_cast<caf::actor>(this), nap, wake_atom_v);
}

void client::send_due(steady::time_point now) {
  // Without a rate everything is due from the beginning, and time alone ends it.
  if (!std::isfinite(plan_.rate) && now >= end_) next_due_ = end_;
  while (is_sending() && next_due_ <= now && outstanding_ < plan_.max_outstanding) {
    send_one(next_due_);
    draw_next();
  }
}

void client::send_one(steady::time_point due) {
  const auto& questions = plan_.questions;
  auto question = next_question_ % questions.rows.size();
  const auto& to = plan_.predictors[log_.sent++ % plan_.predictors.size()];
  next_question_ += plan_.clients;
  ++outstanding_;
  batcher::actors::compat::request(this, to, questions.rows[question])
    .then(
      [this, due, question](double answer) {
        auto now = steady::now();
        log_.latencies_ms.push_back(std::chrono::duration<float, std::milli>(now - due).count());
        if (!plan_.questions.is_right(question, answer)) ++log_.wrong;
        settle(now);
      },
      [this](const caf::error& why) {
        ++(why == caf::make_error(batcher::errc::queue_full) ? log_.refused : log_.failed);
        settle(steady::now());
      });
}

void client::settle(steady::time_point now) {
  --outstanding_;
  log_.last_reply = now;
  if (outstanding_ + 1 == plan_.max_outstanding) send_due(now);
  if (!is_sending() && outstanding_ == 0) finish();
}

void client::finish() {
  is_finished_ = true;
  quit();
  plan_.finished.cross();
}

} // namespace demo
