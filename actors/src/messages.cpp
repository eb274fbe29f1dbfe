// SPDX-License-Identifier: BSD-3-Clause
//
// What CAF 1.x asks of an error enumeration.

#include "batcher/actors/messages.hpp"

namespace batcher {

bool from_string(std::string_view name, errc& code) noexcept {
  auto parsed = parse_errc(name);
  if (parsed) code = *parsed;
  return parsed.has_value();
}

bool from_integer(std::uint8_t value, errc& code) noexcept {
  if (value >= all_errcs.size()) return false;
  code = static_cast<errc>(value);
  return true;
}

} // namespace batcher
