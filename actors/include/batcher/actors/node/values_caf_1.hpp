// SPDX-License-Identifier: BSD-3-Clause
//
// Values as bytes, with CAF 1.x; for caf_compat.hpp, which includes this file or the other one. An
// inspector of our own for each direction instead of CAF's binary ones: what is read from another
// process must not make CAF allocate what a forged length asks for. It also saves a copy.

#pragma once

#include "batcher/actors/node/bytes.hpp"

#include <caf/load_inspector_base.hpp>
#include <caf/save_inspector_base.hpp>
#include <caf/span.hpp>
#include <caf/type_id.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace batcher::actors::compat {

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

} // namespace batcher::actors::compat
