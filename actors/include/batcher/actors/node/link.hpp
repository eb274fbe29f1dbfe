// SPDX-License-Identifier: BSD-3-Clause
//
// A batcher on another node, as its clients here see it: takes every message that a batcher takes.
// It owns the answer to everything that it has sent, since CAF answers nobody when a peer is lost.
//
//     clients --requests--> link --line--> session, batcher
//
// Requests that lie in the mailbox together travel in one message: each is put with those that are to
// be sent, and the first one sends the link a message of its own that comes behind the others.
//
// A request is answered
//   - with what the batcher answers, or
//   - with `errc::batcher_lost` when the connection is lost after it was sent (it may have run), or,
//     not sent, when the connection has been down for `max_outage`, or
//   - with `errc::incompatible` as soon as the other side says so, or
//   - with `errc::expired` when its time is over while the connection is down, or
//   - without being sent: with `errc::queue_full` (`max_outstanding`), `errc::invalid_request` (it
//     cannot be written down, or its tag is in use), `errc::too_costly` (`max_message_bytes`),
//     `errc::cancelled`, or `errc::shut_down` when the link ends.
// What the batcher answers later than that is dropped.

#pragma once

#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/node/codec.hpp"
#include "batcher/actors/node/commands.hpp"
#include "batcher/actors/node/line.hpp"
#include "batcher/actors/node/pending_requests.hpp"
#include "batcher/actors/node/wire.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/request_item.hpp"
#include "batcher/actors/requests.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace batcher::actors::node {

/// A link, as its line sees it.
template <class Request, class Response>
using link_interface =
  compat::extend<batcher_handle<Request, Response>,
                 // Its line: this came from the other side.
                 caf::result<void>(frame),
                 // Its line: the connection was made, lost, or not made, or something may be over.
                 caf::result<void>(line_event),
                 // Itself: send what has been collected.
                 caf::result<void>(flush_atom)>;

template <class Request, class Response>
class link final : public link_interface<Request, Response>::base {
public:
  using super = typename link_interface<Request, Response>::base;
  using behavior_type = typename link_interface<Request, Response>::behavior_type;

  link(caf::actor_config& cfg, connect_options opts, std::string host, std::uint16_t port,
       caf::actor connector)
    : super{cfg}, opts_{std::move(opts)}, peer_{host + ":" + std::to_string(port)},
      settings_{.host = std::move(host),
                .port = port,
                .reconnect = opts_.reconnect,
                .connector = std::move(connector),
                .owner = {}} {
    compat::ignore_errors(this);
  }

  const char* name() const override { return "batcher.link"; }

  void on_exit() override {
    if (line_) compat::anon_send(line_, line_stop{});
    line_ = nullptr;
    requests_.clear();
    commands_.fail_all(batcher_has_ended());
    super::on_exit();
  }

protected:
  behavior_type make_behavior() override {
    open_line();
    auto forward = [this](command_kind what, std::int64_t argument = 0) {
      send_command(what, argument, promise());
    };
    return {
      [this](Request& request) -> caf::result<Response> {
        take({.request = std::move(request)}, reply_type{promise()}, {});
        return caf::delegated<Response>{};
      },
      [this](submit_message& msg) -> caf::result<Response> {
        take(msg);
        return caf::delegated<Response>{};
      },
      [this](bulk_message& msg) -> caf::result<bulk_reply_message> {
        take(msg);
        return caf::delegated<bulk_reply_message>{};
      },
      [this](cancel_atom, std::uint64_t tag) -> caf::result<bool> { return cancel(tag); },
      [forward](credit_atom, std::uint32_t items) -> caf::result<std::uint32_t> {
        forward(command_kind::credit, items);
        return caf::delegated<std::uint32_t>{};
      },
      [forward](is_running_atom) -> caf::result<bool> {
        forward(command_kind::is_running);
        return caf::delegated<bool>{};
      },
      [forward](stats_atom) -> caf::result<stats_message> {
        forward(command_kind::stats);
        return caf::delegated<stats_message>{};
      },
      [forward](pause_atom) -> caf::result<void> {
        forward(command_kind::pause);
        return caf::delegated<void>{};
      },
      [forward](resume_atom) -> caf::result<void> {
        forward(command_kind::resume);
        return caf::delegated<void>{};
      },
      [this](const reconfigure_message&) -> caf::result<void> {
        return caf::make_error(errc::incompatible,
                               "the batcher at " + peer_
                                 + " takes new options from its own process only");
      },
      [forward](drain_atom, caf::timespan timeout) -> caf::result<std::uint64_t> {
        forward(command_kind::drain, timeout.count());
        return caf::delegated<std::uint64_t>{};
      },
      [forward](stop_atom) -> caf::result<void> {
        forward(command_kind::stop);
        return caf::delegated<void>{};
      },
      [this](external_message& msg) { take(msg); },
      [this](const frame& msg) { receive(msg); },
      [this](line_event& msg) { follow(msg); },
      [this](flush_atom) {
        is_flush_sent_ = false;
        send_unsent();
      },
    };
  }

private:
  using reply_type = reply<Response>;
  using external = external_request<Request, Response>;

  time_point now() const { return this->clock().now(); }
  owned_promise promise() { return owned_promise{*this->current_mailbox_element()}; }

  void open_line() {
    settings_.owner = caf::actor_cast<caf::weak_actor_ptr>(this);
    line_ = spawn_line(this->system(), std::move(settings_));
    hello greeting;
    greeting.as = role::client;
    greeting.name = opts_.name;
    greeting.request_type = compat::name_of_type<Request>();
    greeting.response_type = compat::name_of_type<Response>();
    greeting.max_silence_ns = opts_.reconnect.max_silence.count();
    compat::anon_send(line_, line_start{std::move(greeting)});
    lost_ = caf::make_error(errc::batcher_lost, peer_ + " was not reached yet");
    down_since_ = now();
    arm();
  }

  // -- requests -----------------------------------------------------------------------------------

  void take(submit<Request> what, reply_type answer, std::optional<tag_key> tag) {
    if (is_out()) return answer.deliver(lost_);
    if (requests_.count() >= opts_.max_outstanding)
      return answer.deliver(caf::make_error(
        errc::queue_full, std::to_string(opts_.max_outstanding) + " requests to " + peer_
                            + " are not answered yet, the limit (max_outstanding)"));
    if (tag && requests_.find(*tag))
      return answer.deliver(
        caf::make_error(errc::invalid_request, "the tag of the request is in use"));
    auto until = requests_.add(std::move(what), std::move(answer), std::move(tag), now());
    if (!is_up_) return arm_at(until);
    if (!std::exchange(is_flush_sent_, true))
      compat::send(this->context(), nullptr, this, flush_atom_v);
  }

  void take(submit_message& msg) {
    auto carried = take_as<submit_payload<Request>>(msg.request);
    if (!carried) return refuse();
    auto from = caf::actor_cast<caf::actor_addr>(this->current_sender());
    take(std::move(carried->what), reply_type{promise()}, tag_of(carried->what, std::move(from)));
  }

  void take(external_message& msg) {
    auto outside = take_as<external>(msg.request);
    if (!outside) return refuse();
    auto what = std::move(outside->what);
    outside->expect(outside, 1);
    auto tag = tag_of(what, {});
    take(std::move(what), reply_type{*outside, 0}, std::move(tag));
  }

  void take(bulk_message& msg) {
    auto carried = take_as<bulk_payload<Request>>(msg.requests);
    if (!carried) return refuse();
    auto& all = carried->what;
    auto whole = std::static_pointer_cast<answer_sink<Response>>(std::move(carried->collector));
    if (!whole)
      whole = collect_for<Response>(all.requests.size(), bulk_promise<Response>{promise()});
    if (all.requests.empty()) return;
    whole->expect(whole, all.requests.size());
    for (std::size_t i = 0; i < all.requests.size(); ++i)
      take({.request = std::move(all.requests[i]),
            .timeout = all.timeout,
            .priority = all.priority,
            .key = all.key,
            .tenant = all.tenant},
           reply_type{*whole, i}, {});
  }

  void refuse() {
    promise().deliver(
      caf::make_error(errc::invalid_request, "the message holds no request of the type that "
                                               + peer_ + " takes, or was sent before"));
  }

  static std::optional<tag_key> tag_of(const submit<Request>& what, caf::actor_addr from) {
    return what.tag == 0 ? std::nullopt : std::optional{tag_key{std::move(from), what.tag}};
  }

  caf::result<bool> cancel(std::uint64_t tag) {
    auto id = requests_.find({caf::actor_cast<caf::actor_addr>(this->current_sender()), tag});
    if (!id) return false;
    if (requests_.fail_if_unsent(*id,
                                 caf::make_error(errc::cancelled, "the request was cancelled")))
      return true;
    send_command(command_kind::cancel, static_cast<std::int64_t>(*id), promise());
    return caf::delegated<bool>{};
  }

  // -- sending ------------------------------------------------------------------------------------

  void send_unsent() {
    if (!is_up_) return;
    for (auto& what : requests_.take_unsent(now(), welcome_.max_message_bytes))
      send(std::move(what));
  }

  void send(frame what) { compat::anon_send(line_, line_send{welcome_.attempt, std::move(what)}); }

  // -- commands -----------------------------------------------------------------------------------

  void send_command(command_kind what, std::int64_t argument, owned_promise answer) {
    if (is_out()) return answer.deliver(lost_);
    commands_.add({++last_command_, what, argument}, std::move(answer));
    if (is_up_) send_commands();
  }

  void send_commands() {
    send_unsent(); // what came before
    for (auto& one : commands_.take_unsent()) send(frame_of(frame_kind::command, one));
  }

  // -- the other side -----------------------------------------------------------------------------

  void receive(const frame& msg) {
    if (static_cast<frame_kind>(msg.kind) == frame_kind::command_reply) {
      if (auto content = content_of<command_reply>(msg)) commands_.finish(*content);
      return;
    }
    if (static_cast<frame_kind>(msg.kind) != frame_kind::answers) return;
    byte_reader from{msg.bytes};
    while (from.remaining() > 0) {
      auto id = from.number<std::uint64_t>();
      auto result = read_result<Response>(from);
      requests_.deliver(id, std::move(result)); // unless it comes late
    }
  }

  void follow(line_event& what) {
    using enum line_event::kind;
    if (what.what == awake) {
      armed_for_.reset();
      return expire();
    }
    if (what.what == up) {
      is_up_ = true;
      is_refused_ = false;
      welcome_ = std::move(what.from);
      send_commands();
      return tell(node_event::kind::connected, {});
    }
    if (what.what == down && !what.why)
      what.why = caf::make_error(errc::batcher_lost, peer_ + " has ended the connection");
    bool is_incompatible = what.why == caf::make_error(errc::incompatible);
    lost_ = is_incompatible
              ? what.why
              : caf::make_error(errc::batcher_lost, "the batcher at " + peer_ + " is out of reach: "
                                                      + compat::render(this->system(), what.why));
    is_refused_ = is_incompatible || what.what == given_up;
    if (std::exchange(is_up_, false)) down_since_ = now();
    requests_.fail_sent(lost_); // they may have run, and nobody will ever know
    commands_.fail_sent(lost_);
    if (what.what == given_up) line_ = nullptr;
    expire();
    using event = node_event::kind;
    tell(what.what == down       ? event::lost
         : what.what == given_up ? event::given_up
         : is_incompatible       ? event::refused
                                 : event::failed,
         std::move(what.why));
  }

  void tell(node_event::kind what, caf::error why) {
    if (opts_.on_event) opts_.on_event({.what = what, .peer = peer_, .why = std::move(why)});
  }

  // -- outage -------------------------------------------------------------------------------------

  bool is_out() const {
    return !is_up_ && (is_refused_ || now() >= down_since_ + opts_.max_outage);
  }

  // Answers what has waited for too long.
  void expire() {
    if (is_up_) return;
    if (is_out()) {
      requests_.fail_unsent(lost_);
      commands_.fail_all(lost_);
      return;
    }
    requests_.expire_unsent(now(),
                            caf::make_error(errc::expired, "the time of the request was over while "
                                                             + peer_ + " was out of reach"));
    arm();
  }

  void arm() {
    if (!is_up_ && !is_out())
      arm_at(std::min(down_since_ + opts_.max_outage, requests_.next_expiry()));
  }

  void arm_at(time_point at) {
    if (armed_for_ && *armed_for_ <= at) return;
    armed_for_ = at;
    compat::anon_send(line_, line_wake{at});
  }

  connect_options opts_;
  std::string peer_;
  line_settings settings_;
  caf::actor line_;
  welcome welcome_;
  bool is_up_ = false;
  bool is_refused_ = false;
  bool is_flush_sent_ = false;
  time_point down_since_;
  caf::error lost_; // what everything is answered with while it is out
  pending_requests<Request, Response> requests_;
  pending_commands commands_;
  std::uint64_t last_command_ = 0;
  std::optional<time_point> armed_for_;
};

} // namespace batcher::actors::node
