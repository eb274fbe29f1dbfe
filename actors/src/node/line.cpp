// SPDX-License-Identifier: BSD-3-Clause
//
// The line as an actor.

#include "batcher/actors/node/line.hpp"

#include "batcher/actors/mail.hpp"
#include "batcher/actors/node/codec.hpp"
#include "batcher/actors/node/parts.hpp"
#include "batcher/actors/node/pulse.hpp"

#include <caf/behavior.hpp>
#include <caf/node_id.hpp>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <utility>

namespace batcher::actors::node {

namespace {

class line final : public caf::event_based_actor {
public:
  line(caf::actor_config& cfg, line_settings settings)
    : caf::event_based_actor{cfg}, settings_{std::move(settings)} {
    compat::ignore_errors(this);
    compat::distrust(this);
  }

  const char* name() const override { return "batcher.line"; }

  void on_exit() override {
    session_ = nullptr;
    auto owner = caf::actor_cast<caf::strong_actor_ptr>(settings_.owner);
    if (owner && !is_end_told_) // by an exit message, or an exception
      compat::send(
        nullptr, nullptr, caf::actor_cast<caf::abstract_actor*>(owner),
        line_event{.what = line_event::kind::given_up,
                   .why = caf::make_error(errc::batcher_lost,
                                          "what held the connection to " + peer() + " has ended")});
    settings_ =
      {}; // a timer that is left would keep CAF's middleman, which the actor system waits for
  }

protected:
  caf::behavior make_behavior() override {
    return {
      [this](line_start& msg) {
        if (state_ != state::idle) return;
        greeting_ = std::move(msg.greeting);
        greeting_.process = own_process();
        dial();
      },
      [this](line_send& msg) {
        if (state_ == state::up && msg.attempt == greeting_.attempt)
          send(session_, std::move(msg.what));
      },
      [this](const line_wake& msg) {
        wake_at_ = std::min(wake_at_, msg.at);
        arm();
      },
      [this](const line_stop& msg) {
        say_goodbye(session_, msg.why);
        quit();
      },
      [this](frame& msg) {
        take(msg);
        arm();
      },
      [this](tick_atom, std::uint64_t generation) {
        if (generation != generation_) return;
        armed_for_.reset();
        on_tick();
        arm();
      },
    };
  }

private:
  enum class state { idle, connecting, greeting, up, pausing };

  time_point now() const { return clock().now(); }

  std::string peer() const { return settings_.host + ":" + std::to_string(settings_.port); }

  // -- connecting ---------------------------------------------------------------------------------

  void dial() {
    state_ = state::connecting;
    until_ = now() + settings_.reconnect.connect_timeout;
    greeting_.attempt = random_();
    compat::request(this, settings_.connector, caf::connect_atom_v, settings_.host, settings_.port)
      .then(
        [this, attempt = greeting_.attempt](const caf::node_id& node,
                                            const caf::strong_actor_ptr& gate,
                                            const std::set<std::string>&) {
          greet(attempt, node, gate);
          arm();
        },
        [this, attempt = greeting_.attempt](const caf::error& why) {
          if (attempt != greeting_.attempt || state_ != state::connecting) return;
          fail(caf::make_error(errc::batcher_lost, "cannot connect to " + peer() + ": "
                                                     + compat::render(system(), why)));
          arm();
        });
    arm();
  }

  void greet(std::uint64_t attempt, const caf::node_id& node, const caf::strong_actor_ptr& gate) {
    if (attempt != greeting_.attempt || state_ != state::connecting) return;
    // CAF takes that for this process and drops the connection.
    if (!gate && node == system().node())
      return fail(caf::make_error(errc::incompatible,
                                  "the process at " + peer() + same_node_id(to_string(node))));
    if (!gate)
      return fail(caf::make_error(errc::batcher_lost, "nothing is published at " + peer()));
    state_ = state::greeting;
    send(gate, frame_of(frame_kind::hello, greeting_));
  }

  // -- what comes ---------------------------------------------------------------------------------

  void take(frame& msg) {
    auto kind = static_cast<frame_kind>(msg.kind);
    if (kind == frame_kind::welcome) return on_welcome(msg);
    if (kind == frame_kind::refusal) return on_refusal(msg);
    bool is_known = state_ == state::up && current_sender() == session_;
    if (!is_known) return; // of a session that was given up
    pulse_.on_heard(now());
    if (parts_.bytes_with(msg) > max_message_bytes_) {
      auto why = caf::make_error(errc::incompatible, peer() + " sent more than max_message_bytes");
      say_goodbye(session_, why);
      return lose(std::move(why));
    }
    if (!parts_.take(msg)) return;
    if (kind == frame_kind::goodbye)
      lose(msg.bytes.empty() ? caf::error{} : error_of_bytes(msg.bytes));
    else if (kind != frame_kind::alive)
      tell_owner(std::move(msg));
  }

  void on_welcome(const frame& msg) {
    auto content = content_of<welcome>(msg);
    auto session = caf::actor_cast<caf::strong_actor_ptr>(current_sender());
    if (!content || !session) return;
    if (state_ != state::greeting || content->attempt != greeting_.attempt)
      return say_goodbye(session, caf::make_error(errc::batcher_lost, "the welcome came too late"));
    state_ = state::up;
    failures_ = 0;
    up_since_ = now();
    session_ = std::move(session);
    parts_ = {};
    max_message_bytes_ = content->max_message_bytes;
    auto own = settings_.reconnect.max_silence;
    pulse_ = pulse{now(), own, duration{std::max<std::int64_t>(content->max_silence_ns, 1)}};
    compat::monitor(
      this, caf::actor_cast<caf::actor>(session_),
      [this](const caf::actor_addr& addr, const caf::error& why) { on_down(addr, why); });
    tell_owner(line_event{.what = line_event::kind::up, .from = std::move(*content)});
  }

  void on_refusal(const frame& msg) {
    auto content = content_of<refusal>(msg);
    if (!content || state_ != state::greeting || content->attempt != greeting_.attempt) return;
    fail(error_of_bytes(content->error));
  }

  void on_down(const caf::actor_addr& addr, const caf::error& why) {
    if (state_ != state::up || addr != session_) return;
    lose(caf::make_error(errc::batcher_lost, "the connection to " + peer() + " is lost: "
                                               + compat::render_foreign(system(), why)));
    arm();
  }

  // -- time ---------------------------------------------------------------------------------------

  void on_tick() {
    if (!caf::actor_cast<caf::strong_actor_ptr>(settings_.owner)) return quit();
    auto at = now();
    if (at >= wake_at_) {
      wake_at_ = time_point::max();
      tell_owner(line_event{.what = line_event::kind::awake});
    }
    switch (state_) {
      case state::idle: break;
      case state::connecting:
      case state::greeting:
        if (at >= until_)
          fail(
            caf::make_error(errc::batcher_lost, peer() + " did not answer in "
                                                  + text_of(settings_.reconnect.connect_timeout)));
        break;
      case state::pausing:
        if (at >= until_) dial();
        break;
      case state::up:
        if (pulse_.is_silent(at)) {
          auto why = caf::make_error(errc::batcher_lost,
                                     peer() + " was silent for " + text_of(pulse_.max_silence()));
          say_goodbye(session_, why);
          lose(std::move(why));
        } else if (pulse_.is_due(at)) {
          send(session_, frame_of(frame_kind::alive));
        }
        break;
    }
  }

  static std::string text_of(duration d) {
    return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(d).count()) + " ms";
  }

  // Lets the tick come for what is next. Ends everything that may have changed that.
  void arm() {
    if (state_ == state::idle) return;
    auto at = std::min(wake_at_, state_ == state::up ? pulse_.next() : until_);
    if (armed_for_ && *armed_for_ <= at) return;
    armed_for_ = at;
    compat::send_at(clock(), at, ctrl(), tick_atom_v, ++generation_);
  }

  // -- failure ------------------------------------------------------------------------------------

  void lose(caf::error why) {
    // One that lets this side in only to send it away is not called at once each time.
    if (now() - up_since_ >= settings_.reconnect.max_retry_delay) waits_ = 0;
    session_ = nullptr;
    is_end_told_ = !why && greeting_.as == role::worker;
    tell_owner(line_event{.what = line_event::kind::down, .why = std::move(why)});
    if (is_end_told_)
      quit();
    else
      pause();
  }

  void fail(caf::error why) {
    auto limit = settings_.reconnect.max_attempts;
    is_end_told_ = ++failures_ >= limit && limit > 0;
    tell_owner(
      line_event{.what = is_end_told_ ? line_event::kind::given_up : line_event::kind::failed,
                 .why = std::move(why)});
    if (is_end_told_)
      quit();
    else
      pause();
  }

  void pause() {
    auto most = settings_.reconnect.max_retry_delay;
    auto d = settings_.reconnect.retry_delay;
    for (std::size_t i = 0; i < waits_ && d < most; ++i) d *= 2;
    ++waits_;
    d = std::min(d, most);
    std::uniform_int_distribution<duration::rep> off{0, d.count() / 2};
    until_ = now() + d - duration{off(random_)};
    state_ = state::pausing;
  }

  // -- sending ------------------------------------------------------------------------------------

  void send(const caf::strong_actor_ptr& to, frame what) {
    pulse_.on_sent(now());
    send_in_parts(std::move(what), [&](frame part) {
      compat::send(context(), ctrl(), caf::actor_cast<caf::abstract_actor*>(to), std::move(part));
    });
  }

  void say_goodbye(const caf::strong_actor_ptr& to, const caf::error& why) {
    if (!to) return;
    auto bytes = why ? bytes_of_error(why) : std::string{};
    send(to, {.kind = static_cast<std::uint8_t>(frame_kind::goodbye), .bytes = std::move(bytes)});
  }

  template <class T>
  void tell_owner(T what) {
    auto owner = caf::actor_cast<caf::strong_actor_ptr>(settings_.owner);
    if (!owner) return quit();
    compat::send(context(), nullptr, caf::actor_cast<caf::abstract_actor*>(owner), std::move(what));
  }

  line_settings settings_;
  hello greeting_;
  state state_ = state::idle;
  time_point until_; // while connecting, greeting or pausing
  time_point wake_at_ = time_point::max();
  caf::strong_actor_ptr session_;
  pulse pulse_;
  collected_parts parts_;
  std::uint64_t max_message_bytes_ = 0;
  bool is_end_told_ = false;
  std::size_t failures_ = 0; // attempts in a row
  std::size_t waits_ = 0;    // since it was last up for long
  time_point up_since_;
  std::optional<time_point> armed_for_;
  std::uint64_t generation_ = 0;
  std::mt19937_64 random_{std::random_device{}()};
};

} // namespace

caf::actor spawn_line(caf::actor_system& system, line_settings settings) {
  return system.spawn<line>(std::move(settings));
}

} // namespace batcher::actors::node
