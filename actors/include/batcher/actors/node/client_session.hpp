// SPDX-License-Identifier: BSD-3-Clause
//
// A client on another node, beside the batcher: hands its requests in and its answers back. What
// came in one message goes to the batcher in one; what is answered while this actor is busy goes
// back in one.

#pragma once

#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/node/codec.hpp"
#include "batcher/actors/node/packing.hpp"
#include "batcher/actors/node/session.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/requests.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace batcher::actors::node {

/// The answers to one client that have not been sent yet. Filled by whoever has the batcher.
template <class Response>
class outbox {
public:
  using answers = std::vector<std::pair<std::uint64_t, caf::expected<Response>>>;

  explicit outbox(caf::weak_actor_ptr session) : session_{std::move(session)} {}

  /// Takes, and moves from, answers to requests, whose ids become 0.
  void put(std::span<std::uint64_t> ids, std::span<caf::expected<Response>> results) {
    if (is_closed()) return;
    {
      std::lock_guard lock{mutex_};
      for (std::size_t i = 0; i < ids.size(); ++i)
        waiting_.emplace_back(std::exchange(ids[i], 0), std::move(results[i]));
      if (std::exchange(is_announced_, true)) return;
    }
    if (auto session = caf::actor_cast<caf::actor>(session_))
      compat::anon_send(session, flush_atom_v);
  }

  void put(std::uint64_t id, caf::expected<Response> result) { put({&id, 1}, {&result, 1}); }

  [[nodiscard]] answers take() {
    std::lock_guard lock{mutex_};
    is_announced_ = false;
    return std::exchange(waiting_, {});
  }

  /// Nobody wants the answers any more.
  void close() noexcept { is_closed_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool is_closed() const noexcept {
    return is_closed_.load(std::memory_order_relaxed);
  }

private:
  caf::weak_actor_ptr session_;
  std::mutex mutex_;
  answers waiting_;
  bool is_announced_ = false;
  std::atomic<bool> is_closed_ = false;
};

/// Takes the answers to the requests of one message.
template <class Response>
class outbox_sink final : public answer_sink<Response> {
public:
  /// `ids`: of the parts, none of them 0.
  outbox_sink(std::shared_ptr<outbox<Response>> to, std::vector<std::uint64_t> ids)
    : to_{std::move(to)}, ids_{std::move(ids)} {}
  ~outbox_sink() {
    for (auto id : ids_)
      if (id != 0) to_->put(id, batcher_has_ended());
  }

  [[nodiscard]] bool is_abandoned() const override { return to_->is_closed(); }

private:
  void answer(std::size_t first, std::span<caf::expected<Response>> results) override {
    to_->put({ids_.data() + first, results.size()}, results);
  }

  std::shared_ptr<outbox<Response>> to_;
  std::vector<std::uint64_t> ids_;
};

template <class Request, class Response>
class client_session final : public session {
public:
  client_session(caf::actor_config& cfg, session_seed seed,
                 batcher_handle<Request, Response> batcher)
    : session{cfg, std::move(seed)}, batcher_{std::move(batcher)} {}

  const char* name() const override { return "batcher.client_session"; }

private:
  caf::message_handler further_handlers() override {
    return {[this](flush_atom) { send_answers(); }};
  }

  void take(frame_kind kind, frame& msg) override {
    if (kind == frame_kind::requests)
      take_requests(msg);
    else if (kind == frame_kind::command)
      take_command(msg);
  }

  void on_end() override {
    send_answers();
    outbox_->close();
    batcher_ = batcher_handle<Request, Response>{};
  }

  // -- requests -----------------------------------------------------------------------------------

  void take_requests(const frame& msg) {
    byte_reader from{msg.bytes};
    std::size_t seen = 0;
    auto damaged = caf::make_error(errc::invalid_request, "the bytes of the request are damaged");
    while (from.remaining() > 0) {
      group_head head;
      read(from, head);
      bulk<Request> all{.requests = {},
                        .timeout = duration{head.timeout_ns},
                        .priority = head.priority,
                        .key = std::move(head.key),
                        .tenant = std::move(head.tenant)};
      std::vector<std::uint64_t> ids;
      auto requests = from.count();
      seen += requests;
      if (seen > most_requests) return drop_peer();
      for (std::size_t i = 0; i < requests; ++i) {
        auto id = head.first_id + i;
        auto request = read_sized<Request>(from);
        if (from.has_failed()) return drop_peer();
        if (!request || id == 0) {
          outbox_->put(id, damaged);
          continue;
        }
        all.requests.push_back(std::move(*request));
        ids.push_back(id);
      }
      if (from.has_failed()) return drop_peer();
      if (head.is_cancellable || head.on_credit)
        hand_in_one_by_one(head, std::move(all), ids);
      else if (!ids.empty())
        hand_in(std::move(all), std::move(ids));
    }
  }

  void hand_in(bulk<Request> all, std::vector<std::uint64_t> ids) {
    counters().on_requests(ids.size());
    std::shared_ptr<answer_sink<Response>> sink =
      std::make_shared<outbox_sink<Response>>(outbox_, std::move(ids));
    compat::send(
      context(), nullptr, batcher(),
      bulk_message{std::make_shared<bulk_payload<Request>>(std::move(all), std::move(sink))});
  }

  // What a bulk cannot say.
  void hand_in_one_by_one(const group_head& head, bulk<Request> all,
                          const std::vector<std::uint64_t>& ids) {
    counters().on_requests(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      submit<Request> one{.request = std::move(all.requests[i]),
                          .timeout = all.timeout,
                          .priority = all.priority,
                          .key = all.key,
                          .tenant = all.tenant,
                          .tag = head.is_cancellable ? ids[i] : 0,
                          .on_credit = head.on_credit};
      using external = callback_request<Request, Response>;
      auto outside = std::make_shared<external>(
        std::move(one), [to = outbox_, id = ids[i]](caf::expected<Response> result) {
          to->put(id, std::move(result));
        });
      compat::send(context(), caf::strong_actor_ptr{ctrl()}, batcher(),
                   external_message{std::move(outside)});
    }
  }

  caf::abstract_actor* batcher() const { return caf::actor_cast<caf::abstract_actor*>(batcher_); }

  // -- answers ------------------------------------------------------------------------------------

  void send_answers() {
    auto most = seed().max_message_bytes;
    frame out = frame_of(frame_kind::answers);
    std::string scratch;
    std::string one;
    for (auto& [id, result] : outbox_->take()) {
      one.clear();
      byte_writer to{one};
      to.number(id);
      write_result(to, result, scratch);
      if (one.size() > most) {
        one.clear();
        to.number(id);
        to.number(false);
        write_error(to,
                    result ? caf::make_error(errc::batch_failed,
                                             "the response takes " + std::to_string(scratch.size())
                                               + " bytes, more than max_message_bytes")
                           : result.error(),
                    most / 2);
      }
      if (out.bytes.size() + one.size() > most)
        send_to_peer(std::exchange(out, frame_of(frame_kind::answers)));
      out.bytes += one;
    }
    if (!out.bytes.empty()) send_to_peer(std::move(out));
  }

  // -- commands -----------------------------------------------------------------------------------

  void take_command(const frame& msg) {
    auto what = content_of<command>(msg);
    if (!what) return drop_peer();
    auto id = what->id;
    auto plain = [this, id] { reply_to_command({.id = id}); };
    auto failed = [this, id](const caf::error& why) {
      reply_to_command({.id = id, .error = bytes_of_error(why, seed().max_message_bytes / 2)});
    };
    auto number = [this, id](std::uint64_t n) { reply_to_command({.id = id, .number = n}); };
    switch (what->what) {
      case command_kind::is_running:
        ask(is_running_atom_v).then([number](bool x) { number(x); }, failed);
        break;
      case command_kind::stats:
        ask(stats_atom_v)
          .then(
            [this, id](const stats_message& x) {
              reply_to_command({.id = id, .stats = bytes_of_stats(x.stats)});
            },
            failed);
        break;
      case command_kind::pause: ask(pause_atom_v).then(plain, failed); break;
      case command_kind::resume: ask(resume_atom_v).then(plain, failed); break;
      case command_kind::drain:
        ask(drain_atom_v, caf::timespan{what->argument}).then(number, failed);
        break;
      case command_kind::stop: ask(stop_atom_v).then(plain, failed); break;
      case command_kind::credit:
        ask(credit_atom_v, static_cast<std::uint32_t>(what->argument))
          .then([number](std::uint32_t n) { number(n); }, failed);
        break;
      case command_kind::cancel:
        ask(cancel_atom_v, static_cast<std::uint64_t>(what->argument))
          .then([number](bool x) { number(x); }, failed);
        break;
      default: drop_peer();
    }
  }

  template <class... Ts>
  auto ask(Ts... xs) {
    return compat::request(this, batcher_, xs...);
  }

  void reply_to_command(const command_reply& x) {
    send_answers(); // those that came before it
    send_to_peer(frame_of(frame_kind::command_reply, x));
  }

  batcher_handle<Request, Response> batcher_;
  std::shared_ptr<outbox<Response>> outbox_ =
    std::make_shared<outbox<Response>>(caf::actor_cast<caf::weak_actor_ptr>(this));
};

} // namespace batcher::actors::node
