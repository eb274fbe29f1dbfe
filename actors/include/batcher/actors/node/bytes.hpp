// SPDX-License-Identifier: BSD-3-Clause
//
// The lowest level of the wire form: values as bytes, appended to a string and taken from one. Fixed
// widths little-endian, lengths as LEB128 (seven bits a byte, the lowest first), strings as length
// and bytes. Whoever reads trusts nothing: reading beyond the end fails, once and for good, and a
// length is believed only as far as there are bytes for it.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace batcher::actors::node {

/// Appends to a string that must outlive it.
class byte_writer {
public:
  explicit byte_writer(std::string& out) : out_{&out} {}

  /// Appends a number, or an enumerator as its number. `bool` is a byte.
  template <class T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void number(T x) {
    char raw[sizeof(T)];
    std::memcpy(raw, &x, sizeof x);
    append(raw, sizeof x);
  }

  void length(std::uint64_t x) {
    for (; x >= 0x80; x >>= 7) out_->push_back(static_cast<char>(x | 0x80));
    out_->push_back(static_cast<char>(x));
  }

  void text(std::string_view x) {
    length(x.size());
    out_->append(x);
  }

  void raw(const void* from, std::size_t bytes) {
    out_->append(static_cast<const char*>(from), bytes);
  }

  [[nodiscard]] std::string& out() const noexcept { return *out_; }

private:
  // Both CAFs run on machines of either order.
  void append(const char* raw, std::size_t bytes) {
    if constexpr (std::endian::native == std::endian::little)
      out_->append(raw, bytes);
    else
      for (; bytes > 0; --bytes) out_->push_back(raw[bytes - 1]);
  }

  std::string* out_;
};

/// Reads from bytes that must outlive it. Once something was not there, it stays failed, and what it
/// returns is zero or empty.
class byte_reader {
public:
  explicit byte_reader(std::string_view in) : in_{in} {}

  template <class T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  [[nodiscard]] T number() {
    if constexpr (std::is_same_v<T, bool>) {
      return number<std::uint8_t>() != 0; // no other bits in a bool
    } else {
      T x{};
      char bytes[sizeof(T)] = {};
      raw(bytes, sizeof bytes);
      if constexpr (std::endian::native != std::endian::little)
        for (std::size_t i = 0; i < sizeof bytes / 2; ++i)
          std::swap(bytes[i], bytes[sizeof bytes - 1 - i]);
      std::memcpy(&x, bytes, sizeof bytes);
      return x;
    }
  }

  /// A length as it stands there, which may be anything.
  [[nodiscard]] std::uint64_t length() {
    std::uint64_t x = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto byte = number<std::uint8_t>();
      x |= std::uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return x;
    }
    fail();
    return 0;
  }

  /// How many of something follow, each of them at least a byte: fails if they cannot be there.
  [[nodiscard]] std::size_t count() {
    auto n = length();
    if (n <= in_.size()) return static_cast<std::size_t>(n);
    fail();
    return 0;
  }

  /// Lives as long as what is read from.
  [[nodiscard]] std::string_view text() { return take(count()); }

  void raw(void* to, std::size_t bytes) {
    auto from = take(bytes);
    if (!from.empty()) std::memcpy(to, from.data(), from.size());
  }

  void fail() noexcept {
    has_failed_ = true;
    in_ = {};
  }

  [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return in_.size(); }
  /// Returns whether all was there and nothing is left.
  [[nodiscard]] bool is_finished() const noexcept { return !has_failed_ && in_.empty(); }

private:
  std::string_view take(std::size_t bytes) {
    if (bytes > in_.size()) fail();
    auto taken = in_.substr(0, bytes);
    if (has_failed_) return {};
    in_.remove_prefix(bytes);
    return taken;
  }

  std::string_view in_;
  bool has_failed_ = false;
};

} // namespace batcher::actors::node
