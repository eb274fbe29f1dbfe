// SPDX-License-Identifier: BSD-3-Clause
//
// Values as bytes, with CAF 0.17; for caf_compat.hpp, which includes this file or the other one. An
// inspector of our own for each direction instead of CAF's binary ones: what is read from another
// process must not make CAF allocate what a forged length asks for, and 0.17.6 mangles NaN and
// infinity. It also saves a copy.

#pragma once

#include "batcher/actors/node/bytes.hpp"

#include <caf/deserializer.hpp>
#include <caf/error.hpp>
#include <caf/sec.hpp>
#include <caf/serializer.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace batcher::actors::compat {

/// What CAF wants an override of its own for: each goes to `Derived::take`, which knows numbers and
/// texts of all kinds. `Base`: CAF's serializer or deserializer.
template <class Base, class Derived>
class value_inspector : public Base {
public:
  caf::error end_object() override { return caf::none; }
  caf::error end_sequence() override { return caf::none; }

protected:
  caf::error apply_impl(std::int8_t& x) override { return self().take(x); }
  caf::error apply_impl(std::uint8_t& x) override { return self().take(x); }
  caf::error apply_impl(std::int16_t& x) override { return self().take(x); }
  caf::error apply_impl(std::uint16_t& x) override { return self().take(x); }
  caf::error apply_impl(std::int32_t& x) override { return self().take(x); }
  caf::error apply_impl(std::uint32_t& x) override { return self().take(x); }
  caf::error apply_impl(std::int64_t& x) override { return self().take(x); }
  caf::error apply_impl(std::uint64_t& x) override { return self().take(x); }
  caf::error apply_impl(float& x) override { return self().take(x); }
  caf::error apply_impl(double& x) override { return self().take(x); }
  caf::error apply_impl(long double& x) override { return self().take(x); }
  caf::error apply_impl(std::string& x) override { return self().take(x); }
  caf::error apply_impl(std::u16string& x) override { return self().take(x); }
  caf::error apply_impl(std::u32string& x) override { return self().take(x); }

private:
  Derived& self() { return static_cast<Derived&>(*this); }
};

class value_writer final : public value_inspector<caf::serializer, value_writer> {
public:
  explicit value_writer(std::string& out) : out_{out} {}

  caf::error begin_object(std::uint16_t& number, std::string& name) override {
    out_.number(number);
    if (number == 0) out_.text(name);
    return caf::none;
  }
  caf::error begin_sequence(std::size_t& elements) override {
    out_.length(elements);
    return caf::none;
  }
  caf::error apply_raw(std::size_t bytes, void* from) override {
    out_.raw(from, bytes);
    return caf::none;
  }

  template <class T>
  caf::error take(T x) {
    out_.number(x);
    return caf::none;
  }
  template <class Char>
  caf::error take(const std::basic_string<Char>& x) {
    out_.length(x.size());
    for (auto c : x) out_.number(c);
    return caf::none;
  }
  caf::error take(const std::string& x) {
    out_.text(x);
    return caf::none;
  }

private:
  node::byte_writer out_;
};

class value_reader final : public value_inspector<caf::deserializer, value_reader> {
public:
  explicit value_reader(std::string_view in) : in_{in} {}

  [[nodiscard]] bool is_finished() const noexcept { return in_.is_finished(); }

  caf::error begin_object(std::uint16_t& number, std::string& name) override {
    number = in_.number<std::uint16_t>();
    if (number == 0) name = in_.text();
    return state();
  }
  caf::error begin_sequence(std::size_t& elements) override {
    elements = in_.count();
    return state();
  }
  caf::error apply_raw(std::size_t bytes, void* to) override {
    in_.raw(to, bytes);
    return state();
  }

  template <class T>
  caf::error take(T& x) {
    x = in_.number<T>();
    return state();
  }
  template <class Char>
  caf::error take(std::basic_string<Char>& x) {
    x.resize(in_.count());
    for (auto& c : x) c = in_.number<Char>();
    return state();
  }
  caf::error take(std::string& x) {
    x = in_.text();
    return state();
  }

private:
  [[nodiscard]] caf::error state() const {
    return in_.has_failed() ? caf::make_error(caf::sec::end_of_stream) : caf::none;
  }

  node::byte_reader in_;
};

} // namespace batcher::actors::compat
