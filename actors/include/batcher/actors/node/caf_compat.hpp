// SPDX-License-Identifier: BSD-3-Clause
//
// What differs between CAF 0.17.6 and 1.x on the way to another process, besides what the other
// header of this name bridges: inspecting a user's values, and naming types and errors.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/node/bytes.hpp"

#include <caf/deep_to_string.hpp>
#include <caf/message.hpp>
#include <caf/pec.hpp>
#include <caf/sec.hpp>
#include <caf/timespan.hpp>
#if BATCHER_CAF_1
#  include <caf/binary_deserializer.hpp>
#  include <caf/binary_serializer.hpp>
#  include <caf/load_inspector_base.hpp>
#  include <caf/save_inspector_base.hpp>
#else
#  include <caf/deserializer.hpp>
#  include <caf/meta/type_name.hpp>
#  include <caf/serializer.hpp>
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

// An inspector of our own for each direction instead of CAF's binary ones: what is read from another
// process must not make CAF allocate what a forged length asks for, and 0.17.6 mangles NaN and
// infinity. It also saves a copy.

#if BATCHER_CAF_1

class value_writer final : public caf::save_inspector_base<value_writer> {
public:
  explicit value_writer(std::string& out) : out_{out} {}

  static constexpr bool has_human_readable_format() noexcept { return false; }
  bool begin_object(caf::type_id_t, std::string_view) noexcept { return true; }
  bool end_object() noexcept { return true; }
  bool begin_field(std::string_view) noexcept { return true; }
  bool begin_field(std::string_view, bool is_present) { return value(is_present); }
  template <class Types>
  bool begin_field(std::string_view, Types, std::size_t index) {
    return begin_sequence(index);
  }
  template <class Types>
  bool begin_field(std::string_view, bool is_present, Types, std::size_t index) {
    return value(is_present) && (!is_present || begin_sequence(index));
  }
  bool end_field() noexcept { return true; }
  bool begin_tuple(std::size_t) noexcept { return true; }
  bool end_tuple() noexcept { return true; }
  bool begin_key_value_pair() noexcept { return true; }
  bool end_key_value_pair() noexcept { return true; }
  bool begin_sequence(std::size_t elements) {
    out_.length(elements);
    return true;
  }
  bool end_sequence() noexcept { return true; }
  bool begin_associative_array(std::size_t elements) { return begin_sequence(elements); }
  bool end_associative_array() noexcept { return true; }

  template <class T>
    requires std::is_arithmetic_v<T> || std::same_as<T, std::byte>
  bool value(T x) {
    out_.number(x);
    return true;
  }
  bool value(std::string_view x) {
    out_.text(x);
    return true;
  }
  template <class T>
    requires std::same_as<T, std::u16string> || std::same_as<T, std::u32string>
  bool value(const T& x) {
    begin_sequence(x.size());
    for (auto c : x) out_.number(c);
    return true;
  }
  bool value(caf::span<const std::byte> x) {
    out_.raw(x.data(), x.size());
    return true;
  }
  bool value(const std::vector<bool>& x) {
    begin_sequence(x.size());
    for (bool bit : x) out_.number(bit);
    return true;
  }

private:
  node::byte_writer out_;
};

class value_reader final : public caf::load_inspector_base<value_reader> {
public:
  explicit value_reader(std::string_view in) : in_{in} {}

  [[nodiscard]] bool is_finished() const noexcept { return in_.is_finished(); }

  static constexpr bool has_human_readable_format() noexcept { return false; }
  bool begin_object(caf::type_id_t, std::string_view) noexcept { return true; }
  bool end_object() noexcept { return true; }
  bool begin_field(std::string_view) noexcept { return true; }
  bool begin_field(std::string_view, bool& is_present) { return value(is_present); }
  template <class Types>
  bool begin_field(std::string_view, Types types, std::size_t& index) {
    index = static_cast<std::size_t>(in_.length());
    return is_good() && index < types.size();
  }
  template <class Types>
  bool begin_field(std::string_view name, bool& is_present, Types types, std::size_t& index) {
    return value(is_present) && (!is_present || begin_field(name, types, index));
  }
  bool end_field() noexcept { return true; }
  bool begin_tuple(std::size_t) noexcept { return true; }
  bool end_tuple() noexcept { return true; }
  bool begin_key_value_pair() noexcept { return true; }
  bool end_key_value_pair() noexcept { return true; }
  bool begin_sequence(std::size_t& elements) {
    elements = in_.count();
    return is_good();
  }
  bool end_sequence() noexcept { return true; }
  bool begin_associative_array(std::size_t& elements) { return begin_sequence(elements); }
  bool end_associative_array() noexcept { return true; }

  template <class T>
    requires std::is_arithmetic_v<T> || std::same_as<T, std::byte>
  bool value(T& x) {
    x = in_.number<T>();
    return is_good();
  }
  bool value(std::string& x) {
    x = in_.text();
    return is_good();
  }
  template <class T>
    requires std::same_as<T, std::u16string> || std::same_as<T, std::u32string>
  bool value(T& x) {
    x.resize(in_.count());
    for (auto& c : x) c = in_.number<typename T::value_type>();
    return is_good();
  }
  bool value(caf::span<std::byte> x) {
    in_.raw(x.data(), x.size());
    return is_good();
  }
  bool value(std::vector<bool>& x) {
    x.resize(in_.count());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = in_.number<bool>();
    return is_good();
  }

private:
  [[nodiscard]] bool is_good() const noexcept { return !in_.has_failed(); }

  node::byte_reader in_;
};

#else

class value_writer final : public caf::serializer {
public:
  explicit value_writer(std::string& out) : out_{out} {}

  caf::error begin_object(std::uint16_t& number, std::string& name) override {
    out_.number(number);
    if (number == 0) out_.text(name);
    return caf::none;
  }
  caf::error end_object() override { return caf::none; }
  caf::error begin_sequence(std::size_t& elements) override {
    out_.length(elements);
    return caf::none;
  }
  caf::error end_sequence() override { return caf::none; }
  caf::error apply_raw(std::size_t bytes, void* from) override {
    out_.raw(from, bytes);
    return caf::none;
  }

protected:
  caf::error apply_impl(std::int8_t& x) override { return number(x); }
  caf::error apply_impl(std::uint8_t& x) override { return number(x); }
  caf::error apply_impl(std::int16_t& x) override { return number(x); }
  caf::error apply_impl(std::uint16_t& x) override { return number(x); }
  caf::error apply_impl(std::int32_t& x) override { return number(x); }
  caf::error apply_impl(std::uint32_t& x) override { return number(x); }
  caf::error apply_impl(std::int64_t& x) override { return number(x); }
  caf::error apply_impl(std::uint64_t& x) override { return number(x); }
  caf::error apply_impl(float& x) override { return number(x); }
  caf::error apply_impl(double& x) override { return number(x); }
  caf::error apply_impl(long double& x) override { return number(x); }
  caf::error apply_impl(std::string& x) override {
    out_.text(x);
    return caf::none;
  }
  caf::error apply_impl(std::u16string& x) override { return characters(x); }
  caf::error apply_impl(std::u32string& x) override { return characters(x); }

private:
  template <class T>
  caf::error number(T x) {
    out_.number(x);
    return caf::none;
  }
  template <class T>
  caf::error characters(const T& x) {
    out_.length(x.size());
    for (auto c : x) out_.number(c);
    return caf::none;
  }

  node::byte_writer out_;
};

class value_reader final : public caf::deserializer {
public:
  explicit value_reader(std::string_view in) : in_{in} {}

  [[nodiscard]] bool is_finished() const noexcept { return in_.is_finished(); }

  caf::error begin_object(std::uint16_t& number, std::string& name) override {
    number = in_.number<std::uint16_t>();
    if (number == 0) name = in_.text();
    return state();
  }
  caf::error end_object() override { return caf::none; }
  caf::error begin_sequence(std::size_t& elements) override {
    elements = in_.count();
    return state();
  }
  caf::error end_sequence() override { return caf::none; }
  caf::error apply_raw(std::size_t bytes, void* to) override {
    in_.raw(to, bytes);
    return state();
  }

protected:
  caf::error apply_impl(std::int8_t& x) override { return number(x); }
  caf::error apply_impl(std::uint8_t& x) override { return number(x); }
  caf::error apply_impl(std::int16_t& x) override { return number(x); }
  caf::error apply_impl(std::uint16_t& x) override { return number(x); }
  caf::error apply_impl(std::int32_t& x) override { return number(x); }
  caf::error apply_impl(std::uint32_t& x) override { return number(x); }
  caf::error apply_impl(std::int64_t& x) override { return number(x); }
  caf::error apply_impl(std::uint64_t& x) override { return number(x); }
  caf::error apply_impl(float& x) override { return number(x); }
  caf::error apply_impl(double& x) override { return number(x); }
  caf::error apply_impl(long double& x) override { return number(x); }
  caf::error apply_impl(std::string& x) override {
    x = in_.text();
    return state();
  }
  caf::error apply_impl(std::u16string& x) override { return characters(x); }
  caf::error apply_impl(std::u32string& x) override { return characters(x); }

private:
  [[nodiscard]] caf::error state() const {
    return in_.has_failed() ? caf::make_error(caf::sec::end_of_stream) : caf::none;
  }
  template <class T>
  caf::error number(T& x) {
    x = in_.number<T>();
    return state();
  }
  template <class T>
  caf::error characters(T& x) {
    x.resize(in_.count());
    for (auto& c : x) c = in_.number<typename T::value_type>();
    return state();
  }

  node::byte_reader in_;
};

#endif

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

/// Appends a value to what is written; false if its `inspect` refuses it.
template <class T>
[[nodiscard]] bool write_value(std::string& out, const T& x) {
  value_writer to{out};
#if BATCHER_CAF_1
  return to.apply(x);
#else
  return !to(const_cast<T&>(x)); // 0.17.6 inspects what it only reads as well
#endif
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
};

/// Returns the name of an error's category. Precondition: it is an error.
[[nodiscard]] inline std::string category_of(const caf::error& why) {
#if BATCHER_CAF_1
  return std::string{caf::query_type_name(why.category())};
#else
  return to_string(why.category());
#endif
}

/// Returns an error of the category of that name, with a text if that is not empty. Nothing if there
/// is no such category here, or none that was allowed.
[[nodiscard]] inline std::optional<caf::error>
error_of_category(const std::string& category, std::uint8_t code, const std::string& text) {
  auto context = text.empty() ? caf::message{} : caf::make_message(text);
#if BATCHER_CAF_1
  auto type_id = caf::query_type_id(category);
  auto& known = known_categories::instance();
  {
    std::lock_guard lock{known.mutex};
    if (code == 0 || !known.type_ids.contains(type_id)) return std::nullopt;
  }
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

/// Registers the types of CAF's networking. 1.x: must run before a configuration exists. A parameter,
/// since its header costs every file that includes it seconds.
template <class Middleman>
void register_networking() {
#if BATCHER_CAF_1
  Middleman::init_global_meta_objects();
#endif
}

// -- actors ---------------------------------------------------------------------------------------

/// Lets an actor drop messages that it does not know, whoever sent them. 1.x deprecates the handler.
template <class Self>
void drop_unknown(Self* self) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  self->set_default_handler(caf::drop);
#pragma GCC diagnostic pop
}

// -- settings -------------------------------------------------------------------------------------

/// Lets CAF's networking look after its connections: one over which nothing has come for `silence`
/// is closed. 0.17.6 does not by default. Both sides have to.
inline void watch_connections(caf::actor_system_config& cfg, caf::timespan silence) {
#if BATCHER_CAF_1
  const std::string prefix = "caf.middleman.";
#else
  const std::string prefix = "middleman.";
#endif
  cfg.set(prefix + "heartbeat-interval", caf::timespan{silence / 4});
  cfg.set(prefix + "connection-timeout", silence);
}

} // namespace batcher::actors::compat
