// SPDX-License-Identifier: BSD-3-Clause
//
// Requests, results and errors as bytes, through the user's own `inspect`. A value stands behind its
// length, so that one that cannot be read costs only itself.
//
// What a peer sends is never believed: whatever the bytes are, reading them ends, allocates no more
// than a small multiple of them, and throws nothing.

#pragma once

#include "batcher/actors/node/bytes.hpp"
#include "batcher/actors/node/caf_compat.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/stats.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace batcher::actors::node {

/// A type whose values can travel between processes.
template <class T>
concept travels = std::default_initializable<T> && std::movable<T>;

/// Refuses types that cannot, with a sentence.
template <class T>
constexpr void require_travels() {
  static_assert(travels<T>, "a request or response that travels between processes needs a default "
                            "constructor, since it is read into an empty one");
  static_assert(compat::is_inspectable<T>(),
                "a request or response that travels between processes needs an inspect function: "
                "write BATCHER_INSPECT(type, member...) behind it, in its namespace");
}

// -- errors ---------------------------------------------------------------------------------------

/// Appends category, code and text of an error, and the hint of `errc::queue_full`. Whatever else it
/// carries is made a text. A text of more than `most_text_bytes` is cut off.
void write_error(byte_writer& to, const caf::error& why,
                 std::size_t most_text_bytes = std::string::npos);

/// Takes an error; one of `errc` is what it was, and one of a category that is registered here: 0.17
/// knows categories by name alone and takes any. Any other is `errc::batch_failed` with a text that
/// names it.
[[nodiscard]] caf::error read_error(byte_reader& from);

[[nodiscard]] std::string bytes_of_error(const caf::error& why,
                                         std::size_t most_text_bytes = std::string::npos);
[[nodiscard]] caf::error error_of_bytes(const std::string& bytes);

// -- values ---------------------------------------------------------------------------------------

/// Appends a value behind its length. False if its `inspect` refuses it or throws; then nothing is
/// appended.
template <class T>
[[nodiscard]] bool write_sized(byte_writer& to, const T& x, std::string& scratch) {
  scratch.clear();
  if (!compat::write_value(scratch, x)) return false;
  to.text(scratch);
  return true;
}

/// Takes a value that stands behind its length; nothing if its bytes are no such value.
template <class T>
[[nodiscard]] std::optional<T> read_sized(byte_reader& from) {
  auto bytes = from.text();
  std::optional<T> out;
  if (from.has_failed()) return out;
  try { // a user's type may throw when it is filled
    out.emplace();
    if (!compat::read_value(bytes, *out)) out.reset();
  } catch (...) {
    out.reset();
  }
  return out;
}

/// Appends a result: a value or an error. A value that cannot be written becomes an error.
template <class T>
void write_result(byte_writer& to, const caf::expected<T>& x, std::string& scratch) {
  if (x) {
    auto before = to.out().size();
    to.number(true);
    if (write_sized(to, *x, scratch)) return;
    to.out().resize(before);
  }
  to.number(false);
  write_error(to, x ? caf::make_error(errc::batch_failed, "the response could not be serialized")
                    : x.error());
}

template <class T>
[[nodiscard]] caf::expected<T> read_result(byte_reader& from) {
  if (!from.number<bool>()) return read_error(from);
  if (auto value = read_sized<T>(from)) return std::move(*value);
  return caf::make_error(errc::batch_failed, "the bytes of the response are damaged");
}

// -- statistics -----------------------------------------------------------------------------------

[[nodiscard]] std::string bytes_of_stats(const batcher_stats& x);
[[nodiscard]] std::optional<batcher_stats> stats_of_bytes(const std::string& bytes);

} // namespace batcher::actors::node
