// SPDX-License-Identifier: BSD-3-Clause
//
// What differs between CAF 0.17.6 and 1.x on the way to another process, besides what the other
// header of this name bridges: inspecting a user's values, and naming types and errors.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/node/bytes.hpp"

#include <caf/deep_to_string.hpp>
#include <caf/defaults.hpp>
#include <caf/message.hpp>
#include <caf/pec.hpp>
#include <caf/sec.hpp>
#include <caf/timespan.hpp>
#if BATCHER_CAF_1
#  include "batcher/actors/node/values_caf_1.hpp"

#  include <caf/binary_deserializer.hpp>
#  include <caf/binary_serializer.hpp>
#else
#  include "batcher/actors/node/values_caf_0_17.hpp"

#  include <caf/meta/type_name.hpp>
#  include <caf/scheduled_actor.hpp>
#endif

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

// -- inspect --------------------------------------------------------------------------------------

/// `BATCHER_INSPECT(type, member...)`, at the end of the type's namespace, lets values of that type
/// travel with either CAF: it writes the `inspect` that each wants. At least one member, at most 16.
#if BATCHER_CAF_1
#  define BATCHER_INSPECT(type, ...)                                                               \
    template <class Inspector>                                                                     \
    bool inspect(Inspector& f, type& x) {                                                          \
      return f.object(x).fields(BATCHER_EACH(BATCHER_FIELD, __VA_ARGS__));                         \
    }
#  define BATCHER_FIELD(member) f.field(#  member, x.member)
#else
#  define BATCHER_INSPECT(type, ...)                                                               \
    template <class Inspector>                                                                     \
    typename Inspector::result_type inspect(Inspector& f, type& x) {                               \
      return f(caf::meta::type_name(#type), BATCHER_EACH(BATCHER_FIELD, __VA_ARGS__));             \
    }
#  define BATCHER_FIELD(member) x.member
#endif

// The preprocessor's way to a loop: each step leaves the name of the next, and each pass over what
// is left makes one more step.
#define BATCHER_PARENTHESES ()
#define BATCHER_PASS(...) BATCHER_PASS_4(BATCHER_PASS_4(__VA_ARGS__))
#define BATCHER_PASS_4(...) BATCHER_PASS_2(BATCHER_PASS_2(__VA_ARGS__))
#define BATCHER_PASS_2(...) BATCHER_PASS_1(BATCHER_PASS_1(BATCHER_PASS_1(__VA_ARGS__)))
#define BATCHER_PASS_1(...) __VA_ARGS__
#define BATCHER_EACH(apply, ...) BATCHER_PASS(BATCHER_STEP(apply, __VA_ARGS__))
#define BATCHER_STEP(apply, first, ...)                                                            \
  apply(first) __VA_OPT__(, BATCHER_NEXT_STEP BATCHER_PARENTHESES(apply, __VA_ARGS__))
#define BATCHER_NEXT_STEP() BATCHER_STEP

namespace batcher::actors::compat {

// -- values as bytes ------------------------------------------------------------------------------

/// Returns whether CAF can inspect a `T`. What its members are made of is looked at when it is done.
template <class T>
constexpr bool is_inspectable() {
#if BATCHER_CAF_1
  using how = decltype(caf::inspect_access_type<value_writer, T>());
  using access = caf::inspector_access_type;
  return !std::same_as<how, access::none> && !std::same_as<how, access::unsafe>;
#else
  return caf::detail::is_serializable<T>::value;
#endif
}

/// Appends a value to what is written; false if its `inspect` refuses it or throws, then part of it
/// may have been written.
template <class T>
[[nodiscard]] bool write_value(std::string& out, const T& x) try {
  value_writer to{out};
#if BATCHER_CAF_1
  return to.apply(x);
#else
  return !to(const_cast<T&>(x)); // 0.17.6 inspects what it only reads as well
#endif
} catch (...) { // of a user's type
  return false;
}

/// Takes a value out of bytes that hold nothing else; false if they do not.
template <class T>
[[nodiscard]] bool read_value(std::string_view in, T& x) {
  value_reader from{in};
#if BATCHER_CAF_1
  return from.apply(x) && from.is_finished();
#else
  return !from(x) && from.is_finished();
#endif
}

// -- names ----------------------------------------------------------------------------------------

/// Returns what CAF calls a type, or the compiler if CAF does not know it.
template <class T>
[[nodiscard]] std::string name_of_type() {
  if constexpr (requires { caf::type_name<T>::value; })
    return std::string{caf::type_name<T>::value};
  else
    return typeid(T).name();
}

// 1.x keeps categories as type ids, and takes the code for a value of that type when it makes a text
// of the error: a peer must not name any type there.
struct known_categories {
  std::mutex mutex;
  std::set<std::uint16_t> type_ids;
  static known_categories& instance() {
    static known_categories all;
    return all;
  }
  [[nodiscard]] bool contains(std::uint16_t type_id) {
    std::lock_guard lock{mutex};
    return type_ids.contains(type_id);
  }
};

/// Returns whether a text can be made of an error, whoever has named its category.
[[nodiscard]] inline bool can_render([[maybe_unused]] const caf::error& why) {
#if BATCHER_CAF_1
  return !why || known_categories::instance().contains(why.category());
#else
  return true;
#endif
}

/// `render` of an error that CAF itself has brought from another process.
[[nodiscard]] inline std::string render_foreign(const caf::actor_system& system,
                                                const caf::error& why) {
  if (can_render(why)) return render(system, why);
  return "an error of a category that is unknown here, code " + std::to_string(why.code());
}

/// Returns the name of an error's category. Precondition: it is an error.
[[nodiscard]] inline std::string category_of(const caf::error& why) {
#if BATCHER_CAF_1
  return std::string{caf::query_type_name(why.category())};
#else
  return to_string(why.category());
#endif
}

/// Returns an error of the category of that name, with a text if that is not empty. Nothing if there
/// is no such category here, or none that was allowed. 0.17.6: only if the name cannot be one, since
/// a category is no more than a name there; one that nobody knows is shown by it.
[[nodiscard]] inline std::optional<caf::error>
error_of_category(const std::string& category, std::uint8_t code, const std::string& text) {
  auto context = text.empty() ? caf::message{} : caf::make_message(text);
#if BATCHER_CAF_1
  auto type_id = caf::query_type_id(category);
  if (code == 0 || !known_categories::instance().contains(type_id)) return std::nullopt;
  // The constructor that takes a category is CAF's own, its wire form is not.
  caf::byte_buffer bytes;
  caf::binary_serializer to{bytes};
  caf::error why;
  if (!to.value(true) || !to.value(code) || !to.value(type_id) || !to.apply(context))
    return std::nullopt;
  caf::binary_deserializer from{bytes};
  if (!from.apply(why)) return std::nullopt;
  return why;
#else
  if (code == 0 || category.empty() || category.size() > 10) return std::nullopt;
  return caf::error{code, caf::atom_from_string(category), std::move(context)};
#endif
}

/// Returns a text for all that an error carries besides its code.
[[nodiscard]] inline std::string text_of_context(const caf::error& why) {
  auto& context = why.context();
  if (context.empty()) return {};
  if (context.match_element<std::string>(0)) return context.get_as<std::string>(0);
  return caf::deep_to_string(context);
}

/// Lets errors of that type come from other processes.
template <class Enum>
void allow_category() {
#if BATCHER_CAF_1
  auto& known = known_categories::instance();
  std::lock_guard lock{known.mutex};
  known.type_ids.insert(caf::type_id_v<Enum>);
#endif
}

/// The same for all error enumerations of a block of type ids.
template <class IdBlock>
void allow_categories_of() {
#if BATCHER_CAF_1
  auto one = []<caf::type_id_t Id>(std::integral_constant<caf::type_id_t, Id>) {
    using type = caf::type_by_id_t<Id>;
    if constexpr (caf::is_error_code_enum_v<type>) allow_category<type>();
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (one(std::integral_constant<caf::type_id_t, IdBlock::begin + I>{}), ...);
  }
  (std::make_index_sequence<IdBlock::end - IdBlock::begin>{});
#endif
}

/// Registers the types of CAF's networking. 1.x: must run before a configuration exists. Parameters
/// here and below, since these headers cost every file that includes them seconds.
template <class Middleman>
void register_networking() {
#if BATCHER_CAF_1
  Middleman::init_global_meta_objects();
#endif
}

/// Returns the name under which CAF's networking looks for the broker that speaks its protocol.
/// 0.17.6 takes an atom.
inline auto name_of_basp() {
#if BATCHER_CAF_1
  return std::string{"BASP"};
#else
  return caf::atom("BASP");
#endif
}

/// Makes a multiplexer of CAF's networking, which cannot be moved. 0.17.6 takes a pointer.
template <class Multiplexer>
Multiplexer make_multiplexer(caf::actor_system& system) {
#if BATCHER_CAF_1
  return Multiplexer{system};
#else
  return Multiplexer{&system};
#endif
}

/// A broker of CAF's whose mailbox closes when it ends, as every other actor's does. 0.17.6 leaves it
/// open: what still comes stays in it, and CAF's own heartbeat, which the broker sends to itself,
/// then keeps the broker for ever.
template <class Broker>
class closing_broker : public Broker {
public:
  using Broker::Broker;

#if !BATCHER_CAF_1
  // Instead of the broker's own, which closes the connections and leaves out the mailbox.
  bool cleanup(caf::error&& why, caf::execution_unit* host) override {
    this->close_all();
    // NOLINTNEXTLINE(bugprone-parent-virtual-call): passes over the broker's own, as said above
    return caf::scheduled_actor::cleanup(std::move(why), host);
  }
#endif
};

/// Returns whether CAF can take a message that has no sender, by its payload. 1.1.0 answers one that it
/// cannot read, to whoever that may be; 0.17.6 drops it. Must run where CAF's broker does.
template <class Bytes>
bool is_readable([[maybe_unused]] caf::actor_system& system, [[maybe_unused]] const Bytes& payload,
                 [[maybe_unused]] bool is_routed) {
#if BATCHER_CAF_1
  caf::binary_deserializer from{system, payload};
  caf::node_id node;
  if (is_routed && (!from.apply(node) || !from.apply(node))) return false;
  caf::message content;
  return from.apply(content);
#else
  return true;
#endif
}

// -- actors ---------------------------------------------------------------------------------------

/// Lets an actor that other processes can reach drop messages that it does not know, and believe no
/// reason to end of which no text can be made: whoever hears of its end may make one. 1.x deprecates
/// these handlers. It would print a message that says that some actor is down, and needs a text as
/// well; 0.17.6 has only `monitor`'s handler for that.
template <class Self>
void distrust(Self* self) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  self->set_default_handler(caf::drop);
#if BATCHER_CAF_1
  self->set_down_handler([](caf::down_msg&) {});
  self->set_exit_handler([self](caf::exit_msg& msg) {
    if (msg.reason)
      self->quit(can_render(msg.reason) ? msg.reason
                                        : caf::make_error(caf::exit_reason::user_shutdown));
  });
#endif
#pragma GCC diagnostic pop
}

// -- settings -------------------------------------------------------------------------------------

#if BATCHER_CAF_1
inline const std::string middleman_prefix = "caf.middleman.";
#else
inline const std::string middleman_prefix = "middleman.";
#endif

/// Lets CAF's networking look after its connections: one over which nothing has come for `silence`
/// is closed. 0.17.6 does not by default. Both sides have to.
inline void watch_connections(caf::actor_system_config& cfg, caf::timespan silence) {
  cfg.set(middleman_prefix + "heartbeat-interval", caf::timespan{silence / 4});
  cfg.set(middleman_prefix + "connection-timeout", silence);
}

/// Returns for how long nothing may come over a connection before CAF closes it; nothing if it does not
/// look.
[[nodiscard]] inline std::optional<caf::timespan>
watched_silence(const caf::actor_system_config& cfg) {
  using namespace caf::defaults::middleman;
  auto interval = caf::get_or(cfg, middleman_prefix + "heartbeat-interval", heartbeat_interval);
  auto silence = caf::get_or(cfg, middleman_prefix + "connection-timeout", connection_timeout);
  if (interval <= interval.zero() || silence <= silence.zero()) return std::nullopt;
  return silence;
}

/// Whether a peer that connects and says nothing keeps a core busy for as long as TLS waits for it.
/// 0.17.6 polls without a pause until its handshake is done.
inline constexpr bool has_busy_handshakes = !BATCHER_CAF_1;

/// Sets the files of CAF's TLS. 1.x: its module must have been loaded.
inline void set_tls_files(caf::actor_system_config& cfg, const std::string& certificate,
                          const std::string& key, const std::string& passphrase,
                          const std::string& ca_file) {
#if BATCHER_CAF_1
  cfg.set("caf.openssl.certificate", certificate);
  cfg.set("caf.openssl.key", key);
  cfg.set("caf.openssl.passphrase", passphrase);
  cfg.set("caf.openssl.cafile", ca_file);
#else
  cfg.openssl_certificate = certificate;
  cfg.openssl_key = key;
  cfg.openssl_passphrase = passphrase;
  cfg.openssl_cafile = ca_file;
#endif
}

} // namespace batcher::actors::compat
