// SPDX-License-Identifier: BSD-3-Clause
//
// All that differs between CAF 0.17.6 (Debian, Ubuntu) and CAF 1.x, and nothing else. No other file
// of the project asks for CAF's version. Each difference is named where it is bridged.

#pragma once

// CAF_VERSION does not tell: 1.1.0 defines it as octal 0100. This header exists from 1.0 on.
#if __has_include(<caf/version.hpp>)
#  define BATCHER_CAF_1 1
#else
#  define BATCHER_CAF_1 0
#endif

#include <caf/actor_cast.hpp>
#include <caf/actor_clock.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/error.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/expected.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/result.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/system_messages.hpp>
#include <caf/type_id.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#if BATCHER_CAF_1
#  include <caf/anon_mail.hpp>
#  include <caf/init_global_meta_objects.hpp>
#else
#  include <caf/deep_to_string.hpp>
#  include <caf/send.hpp>
#endif

#include <chrono>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

// -- type ids -------------------------------------------------------------------------------------

// 0.17.6 gives atoms, and categories of errors, a text of at most ten characters; 1.x gives each a
// type id. 1.x asks for an inspect function of an enum, which needs its from_integer; 0.17.6
// serializes enums by itself.
#if BATCHER_CAF_1
#  define BATCHER_ADD_ATOM(block, ns, name, text) CAF_ADD_ATOM(block, ns, name)
#  define BATCHER_ERROR_CODE_ENUM(type, category) CAF_ERROR_CODE_ENUM(type)
#  define BATCHER_INSPECT_ERROR_CODE(type)                                                         \
    template <class Inspector>                                                                     \
    bool inspect(Inspector& f, type& code) {                                                       \
      auto get = [&code] { return static_cast<std::underlying_type_t<type>>(code); };              \
      auto set = [&code](std::underlying_type_t<type> value) {                                     \
        return from_integer(value, code);                                                          \
      };                                                                                           \
      return f.apply(get, set);                                                                    \
    }
#else
#  define BATCHER_ADD_ATOM(block, ns, name, text) CAF_ADD_ATOM(block, ns, name, text)
#  define BATCHER_ERROR_CODE_ENUM(type, category) CAF_ERROR_CODE_ENUM(type, category)
#  define BATCHER_INSPECT_ERROR_CODE(type)
#endif

namespace batcher::actors::compat {

/// Registers CAF's own types and those of the blocks. 1.x: must run before a configuration exists.
template <class... IdBlocks>
void register_types_before_config() {
#if BATCHER_CAF_1
  (caf::init_global_meta_objects<IdBlocks>(), ...);
  caf::core::init_global_meta_objects();
#endif
}

/// 0.17.6 registers the types of the blocks with each configuration.
template <class... IdBlocks>
void register_types([[maybe_unused]] caf::actor_system_config& cfg) {
#if !BATCHER_CAF_1
  (cfg.add_message_types<IdBlocks>(), ...);
#endif
}

/// 0.17.6 renders errors of a foreign category only with the help of a function; its template for
/// that does not compile. `Enum` needs a `to_string`.
template <class Enum>
void register_errors([[maybe_unused]] caf::actor_system_config& cfg,
                     [[maybe_unused]] const std::string& category) {
#if !BATCHER_CAF_1
  cfg.add_error_category(caf::atom_from_string(category),
                         [](std::uint8_t code, caf::atom_value atom, const caf::message& context) {
                           auto text = to_string(atom);
                           text += ": ";
                           text += to_string(static_cast<Enum>(code));
                           if (!context.empty()) text += " " + caf::deep_to_string(context);
                           return text;
                         });
#endif
}

// -- interfaces -----------------------------------------------------------------------------------

// 1.x writes a signature as `result<Out>(In...)`, 0.17.6 as `replies_to<In...>::with<Out>`.
#if BATCHER_CAF_1
template <class... Signatures>
using typed_actor = caf::typed_actor<Signatures...>;

template <class Handle, class... Signatures>
using extend = typename Handle::template extend<Signatures...>;
#else
template <class Signature>
struct signature;

template <class... Out, class... In>
struct signature<caf::result<Out...>(In...)> {
  using type = typename caf::replies_to<In...>::template with<Out...>;
};

template <class... In>
struct signature<caf::result<void>(In...)> {
  using type = typename caf::replies_to<In...>::template with<void>;
};

template <class... Signatures>
using typed_actor = caf::typed_actor<typename signature<Signatures>::type...>;

template <class Handle, class... Signatures>
using extend = typename Handle::template extend<typename signature<Signatures>::type...>;
#endif

/// Request and response of the first message of a typed handle, as `request` and `response`;
/// nothing for other types. The alias above hides them from template deduction.
template <class Handle>
struct first_message {};

#if BATCHER_CAF_1
template <class Request, class Response, class... Signatures>
struct first_message<caf::typed_actor<caf::result<Response>(Request), Signatures...>> {
#else
template <class Request, class Response, class... Signatures>
struct first_message<caf::typed_actor<
  caf::typed_mpi<caf::detail::type_list<Request>, caf::output_tuple<Response>>, Signatures...>> {
#endif
  using request = Request;
  using response = Response;
};

// -- actors ---------------------------------------------------------------------------------------

/// Returns the state of a stateful actor: a member in 0.17.6, a function in 1.x.
template <class Self>
auto& state(Self* self) {
#if BATCHER_CAF_1
  return self->state();
#else
  return self->state;
#endif
}

/// Sends a request without a timeout: CAF's request timeouts cost a timer each, and those of 0.17.6
/// keep the actor alive until they expire.
template <class Self, class Handle, class... Ts>
auto request(Self* self, const Handle& dest, Ts&&... xs) {
#if BATCHER_CAF_1
  return self->mail(std::forward<Ts>(xs)...).request(dest, caf::infinite);
#else
  return self->request(dest, caf::infinite, std::forward<Ts>(xs)...);
#endif
}

/// The same, but the request and its answer overtake the normal messages in both mailboxes.
template <class Self, class Handle, class... Ts>
auto urgent_request(Self* self, const Handle& dest, Ts&&... xs) {
#if BATCHER_CAF_1
  return self->mail(std::forward<Ts>(xs)...).urgent().request(dest, caf::infinite);
#else
  return self->template request<caf::message_priority::high>(dest, caf::infinite,
                                                             std::forward<Ts>(xs)...);
#endif
}

/// Returns whether an actor that is about to end, in its `on_exit`, does so because nobody holds a
/// handle of it any more. 1.x has set its reason by then and holds a handle itself.
[[nodiscard]] inline bool is_unreachable(caf::local_actor& self) {
#if BATCHER_CAF_1
  return self.fail_state() == caf::exit_reason::unreachable;
#else
  return self.ctrl()->strong_refs == 0;
#endif
}

/// Sends a message from nobody.
template <class Handle, class... Ts>
void anon_send(const Handle& dest, Ts&&... xs) {
#if BATCHER_CAF_1
  caf::anon_mail(std::forward<Ts>(xs)...).send(dest);
#else
  caf::anon_send(dest, std::forward<Ts>(xs)...);
#endif
}

/// Sends a message after a delay. 0.17.6 cannot take it back, and `dest` lives until it arrives.
template <class Self, class Handle, class... Ts>
void delayed_send(Self* self, const Handle& dest, std::chrono::nanoseconds delay, Ts&&... xs) {
#if BATCHER_CAF_1
  self->mail(std::forward<Ts>(xs)...).delay(delay).send(dest);
#else
  self->delayed_send(dest, delay, std::forward<Ts>(xs)...);
#endif
}

/// Calls `on_down(actor_addr, error)` when `handle` terminates. 0.17.6 has one such function per
/// actor, so every call of one actor must pass the same. Precondition: `handle` is valid.
template <class Self, class Handle, class F>
void monitor(Self* self, const Handle& handle, F on_down) {
#if BATCHER_CAF_1
  auto addr = caf::actor_cast<caf::actor_addr>(handle);
  self->monitor(handle, [addr, on_down](const caf::error& reason) { on_down(addr, reason); });
#else
  self->set_down_handler([on_down](caf::down_msg& msg) { on_down(msg.source, msg.reason); });
  self->monitor(handle);
#endif
}

// -- messages -------------------------------------------------------------------------------------

// What enqueue() is given and returns, for actors that override it.
#if BATCHER_CAF_1
using execution_context = caf::scheduler;
using enqueue_result = bool;
#else
using execution_context = caf::execution_unit;
using enqueue_result = void;
#endif

/// Returns whether a message is made of just these types, whoever sent it. 0.17.6 compares element by
/// element through several virtual calls, which costs three times as much for a single one.
template <class T, class... Ts>
[[nodiscard]] bool is_of(const caf::mailbox_element& msg) {
#if !BATCHER_CAF_1
  if constexpr (sizeof...(Ts) == 0) {
    auto& content = msg.content();
    if (content.size() != 1) return false;
    auto [number, type] = content.type(0);
    return number == caf::type_nr<T>::value && (number != 0 || *type == typeid(T));
  } else
#endif
    return msg.content().template match_elements<T, Ts...>();
}

/// Returns whether a message is one `T`, of normal priority and no response, whose answer goes to
/// its sender alone: 0.17.6 can chain actors.
template <class T>
[[nodiscard]] bool is_plain(const caf::mailbox_element& msg) {
  if (msg.mid.category() != caf::message_id::normal_message_category || msg.mid.is_response())
    return false;
#if !BATCHER_CAF_1
  if (!msg.stages.empty()) return false;
#endif
  return is_of<T>(msg);
}

/// Returns whether a message is one `T` that can be moved out of it.
template <class T>
[[nodiscard]] bool owns_only(const caf::mailbox_element& msg) {
#if BATCHER_CAF_1
  return msg.payload.unique() && msg.content().template match_elements<T>();
#else
  return msg.content().template match_elements<T>() && !msg.content().shared();
#endif
}

/// Takes the only element of a message, which is copied if others hold the message, too.
template <class T>
[[nodiscard]] T take_content(caf::mailbox_element& msg) {
#if BATCHER_CAF_1
  auto& content = msg.payload;
  if (!content.unique()) return content.get_as<T>(0);
  return std::move(content.get_mutable_as<T>(0));
#else
  return msg.content().template move_if_unshared<T>(0);
#endif
}

/// Makes a message out of values.
template <class... Ts>
[[nodiscard]] caf::mailbox_element_ptr make_element(caf::strong_actor_ptr sender,
                                                    caf::message_id id, Ts&&... xs) {
#if BATCHER_CAF_1
  return caf::make_mailbox_element(std::move(sender), id, std::forward<Ts>(xs)...);
#else
  return caf::make_mailbox_element(std::move(sender), id, {}, std::forward<Ts>(xs)...);
#endif
}

/// The way back from a message to whoever sent it. Unlike CAF's response promise it is no larger
/// than it must be, belongs to no actor, and may be used in any thread.
class return_path {
public:
  return_path() = default;

  /// Takes it out of a message; CAF considers that answered from then on.
  explicit return_path(caf::mailbox_element& msg) : source_{std::move(msg.sender)}, id_{msg.mid} {
#if !BATCHER_CAF_1
    if (!msg.stages.empty()) stages_ = std::make_unique<stages>(std::move(msg.stages));
#endif
    msg.mid.mark_as_answered();
  }

  [[nodiscard]] explicit operator bool() const noexcept {
#if !BATCHER_CAF_1
    if (stages_) return true;
#endif
    return source_ != nullptr;
  }

  /// Sends a value, an error, or `caf::unit`, which a message that asked for nothing does not get.
  /// `context`: that of the actor that runs in this thread, if there is one.
  template <class T>
  void send(execution_context* context, T&& x) {
    if constexpr (std::is_same_v<std::decay_t<T>, caf::unit_t>) {
      if (!id_.is_async()) send(context, caf::message{});
    } else {
#if !BATCHER_CAF_1
      if (stages_) {
        auto next = std::move(stages_->back());
        stages_->pop_back();
        next->enqueue(caf::make_mailbox_element(std::move(source_), id_, std::move(*stages_),
                                                std::forward<T>(x)),
                      context);
        stages_.reset();
        return;
      }
#endif
      if (source_)
        source_->enqueue(make_element(nullptr, id_.response_id(), std::forward<T>(x)), context);
    }
    source_ = nullptr;
  }

  /// Returns whether it answers a request whose sender waits for it no more, since it has ended. Who
  /// sends without waiting may end and still mean it.
  [[nodiscard]] bool is_abandoned() const {
    return source_ && !id_.is_async()
           && source_->get()->getf(caf::abstract_actor::is_terminated_flag);
  }

private:
  caf::strong_actor_ptr source_;
  caf::message_id id_;
#if !BATCHER_CAF_1
  using stages = caf::mailbox_element::forwarding_stack;
  std::unique_ptr<stages> stages_;
#endif
};

// -- texts and settings ---------------------------------------------------------------------------

/// Returns a text for an error, its category and context included.
inline std::string render(const caf::actor_system& system, const caf::error& err) {
#if BATCHER_CAF_1
  static_cast<void>(system);
  return to_string(err);
#else
  return system.render(err);
#endif
}

/// Sets the scheduler's policy, "stealing" or "sharing". 0.17.6 takes an atom.
inline void set_policy(caf::actor_system_config& cfg, const std::string& policy) {
#if BATCHER_CAF_1
  cfg.set("caf.scheduler.policy", policy);
#else
  cfg.set("scheduler.policy", caf::atom_from_string(policy));
#endif
}

/// Sets an option of the scheduler. 1.x has put a prefix before their names.
inline void set_scheduler_option(caf::actor_system_config& cfg, const std::string& name,
                                 std::size_t value) {
#if BATCHER_CAF_1
  cfg.set("caf.scheduler." + name, value);
#else
  cfg.set("scheduler." + name, value);
#endif
}

/// Sets the number of the scheduler's threads. Unset, CAF takes one per core but at least four.
inline void set_threads(caf::actor_system_config& cfg, std::size_t threads) {
  set_scheduler_option(cfg, "max-threads", threads);
}

} // namespace batcher::actors::compat
