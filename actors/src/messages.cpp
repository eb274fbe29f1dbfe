// SPDX-License-Identifier: BSD-3-Clause
//
// What CAF 1.x asks of an error enumeration, and which messages are what.

#include "batcher/actors/messages.hpp"

#include "batcher/actors/mail.hpp"

#include <caf/timespan.hpp>

#include <cstdint>

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

namespace actors {

bool is_control(const caf::mailbox_element& msg) {
  return !compat::is_response(msg)
         && (compat::is_of<cancel_atom, std::uint64_t>(msg)
             || compat::is_of<credit_atom, std::uint32_t>(msg)
             || compat::is_of<is_running_atom>(msg) || compat::is_of<stats_atom>(msg)
             || compat::is_of<pause_atom>(msg) || compat::is_of<resume_atom>(msg)
             || compat::is_of<reconfigure_message>(msg)
             || compat::is_of<drain_atom, caf::timespan>(msg) || compat::is_of<stop_atom>(msg));
}

} // namespace actors

} // namespace batcher
