// SPDX-License-Identifier: BSD-3-Clause
//
// Errors and statistics as bytes.

#include "batcher/actors/node/codec.hpp"

#include "batcher/actors/messages.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace batcher::actors::node {

namespace {

enum class error_kind : std::uint8_t { none, own, queue_full, foreign };

// Between two characters of UTF-8.
std::string cut(std::string text, std::size_t most) {
  constexpr std::string_view dots = "...";
  if (text.size() <= most) return text;
  auto end = most - std::min(most, dots.size());
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) --end;
  return text.erase(end).append(dots.substr(0, most));
}

constexpr std::uint8_t code_of(errc x) { return static_cast<std::uint8_t>(x); }

std::optional<errc> own_code(const caf::error& why) {
  for (auto code : all_errcs)
    if (code != errc::none && why == caf::make_error(code)) return code;
  return std::nullopt;
}

caf::error own_error(byte_reader& from) {
  auto number = from.number<std::uint8_t>();
  std::string text{from.text()};
  errc code{};
  if (from.has_failed() || number == 0 || !from_integer(number, code))
    return caf::make_error(errc::batch_failed, "the bytes of an error are damaged");
  return text.empty() ? caf::make_error(code) : caf::make_error(code, std::move(text));
}

caf::error foreign_error(byte_reader& from) {
  auto code = from.number<std::uint8_t>();
  std::string category{from.text()};
  std::string text{from.text()};
  if (from.has_failed())
    return caf::make_error(errc::batch_failed, "the bytes of an error are damaged");
  if (auto known = compat::error_of_category(category, code, text)) return *known;
  return caf::make_error(errc::batch_failed, "an error of category " + category
                                               + ", which is not known here, with code "
                                               + std::to_string(code) + ": " + text);
}

} // namespace

void write_error(byte_writer& to, const caf::error& why, std::size_t most_text_bytes) {
  if (!why) return to.number(error_kind::none);
  auto own = own_code(why);
  auto hint = hint_of(why);
  to.number(hint ? error_kind::queue_full : own ? error_kind::own : error_kind::foreign);
  to.number(own ? code_of(*own) : why.code());
  if (!own) to.text(compat::category_of(why));
  to.text(cut(compat::text_of_context(why), most_text_bytes));
  if (!hint) return;
  to.number(hint->queue_items);
  to.number(hint->retry_after.count());
}

caf::error read_error(byte_reader& from) {
  switch (from.number<error_kind>()) {
    case error_kind::none: break;
    case error_kind::own: return own_error(from);
    case error_kind::foreign: return foreign_error(from);
    case error_kind::queue_full: {
      auto plain = own_error(from);
      auto items = from.number<std::uint64_t>();
      caf::timespan retry_after{from.number<caf::timespan::rep>()};
      if (from.has_failed()) return plain;
      return caf::make_error(errc::queue_full, compat::text_of_context(plain), items, retry_after);
    }
  }
  from.fail();
  return caf::make_error(errc::batch_failed, "the bytes of an error are damaged");
}

std::string bytes_of_error(const caf::error& why, std::size_t most_text_bytes) {
  std::string out;
  byte_writer to{out};
  write_error(to, why, most_text_bytes);
  return out;
}

caf::error error_of_bytes(const std::string& bytes) {
  byte_reader from{bytes};
  return read_error(from);
}

namespace {

// All numbers of the counters in the order of their declaration.
template <class Each, class Counters>
void for_each_counter(Each each, Counters& c) {
  each(c.requests);
  for (auto& x : c.replies) each(x);
  for (auto& x : c.batches) each(x);
  for (auto& x : c.failures) each(x);
  for (auto* x :
       {&c.bisections, &c.retries_denied, &c.wasted_items, &c.padding_items, &c.late_answers,
        &c.coalesced, &c.restarts, &c.queue_items, &c.queue_cost, &c.in_flight_items, &c.lanes})
    each(*x);
  for (auto& x : c.workers) each(x);
}

} // namespace

std::string bytes_of_stats(const batcher_stats& x) {
  std::string out;
  byte_writer to{out};
  for_each_counter([&](std::uint64_t n) { to.number(n); }, x.counters);
  to.number(x.oldest_age.count());
  to.number(x.retry_after.count());
  to.number(std::uint64_t{x.following_items});
  to.number(std::uint64_t{x.in_flight_batches});
  to.number(x.is_paused);
  to.number(x.is_draining);
  to.number(x.is_closed);
  return out;
}

std::optional<batcher_stats> stats_of_bytes(const std::string& bytes) {
  byte_reader from{bytes};
  batcher_stats x;
  for_each_counter([&](std::uint64_t& n) { n = from.number<std::uint64_t>(); }, x.counters);
  x.oldest_age = duration{from.number<duration::rep>()};
  x.retry_after = duration{from.number<duration::rep>()};
  x.following_items = static_cast<std::size_t>(from.number<std::uint64_t>());
  x.in_flight_batches = static_cast<std::size_t>(from.number<std::uint64_t>());
  x.is_paused = from.number<bool>();
  x.is_draining = from.number<bool>();
  x.is_closed = from.number<bool>();
  if (!from.is_finished()) return std::nullopt;
  return x;
}

} // namespace batcher::actors::node
