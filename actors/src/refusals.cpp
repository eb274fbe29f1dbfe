// SPDX-License-Identifier: BSD-3-Clause
//
// The texts.

#include "batcher/actors/refusals.hpp"

#include "batcher/actors/messages.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/requests.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace batcher::actors {

namespace {

// How old a hint may be. Under overload it is sent up to a million times a second.
constexpr duration hint_age = std::chrono::milliseconds{5};

std::string milliseconds(duration d) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(d).count()) + " ms";
}

} // namespace

std::string text_of_problems(const std::vector<std::string>& problems) {
  std::string text = "invalid options for a batcher:";
  for (auto& problem : problems) text += "\n  " + problem;
  return text;
}

refusals::refusals(const options& opts) : name_{opts.name} {
  update(opts);
  set(errc::shut_down, "the batcher has ended");
  set(errc::no_workers, "no worker of " + name_ + " has started yet");
}

void refusals::update(const options& opts) {
  set(errc::draining, name_ + " drains and takes no new requests; send to another batcher");
  set(errc::expired, "the time of the request was over; " + name_ + " may have begun with it");
  set(errc::cancelled, "the request was cancelled, or its sender has ended");
  set(errc::dropped, "a newer request took its place in the full queue of " + name_);
  set(errc::too_costly, "the request alone costs more than the "
                          + std::to_string(opts.max_batch_cost) + " that a batch of " + name_
                          + " may cost; send smaller ones");
  set(errc::too_many_lanes,
      name_ + " has " + std::to_string(opts.max_lanes) + " lanes, its limit; use fewer keys");
  set(errc::batch_timeout,
      "the batch function of " + name_ + " took longer than " + milliseconds(opts.batch_timeout));
  set(errc::invalid_request, "the priority of a request to " + name_ + " is above 7");
  made_ = {};
}

const caf::error& refusals::of(errc code) const { return errors_[static_cast<std::size_t>(code)]; }

const caf::error& refusals::queue_full(time_point now, std::size_t queue_items,
                                       duration retry_after) {
  auto& error = errors_[static_cast<std::size_t>(errc::queue_full)];
  if (error && now - made_ < hint_age) return error;
  made_ = now;
  auto text = "the queue of " + name_ + " is full with " + std::to_string(queue_items)
              + " items; retry after " + milliseconds(retry_after);
  error = caf::make_error(errc::queue_full, std::move(text), std::uint64_t{queue_items},
                          caf::timespan{retry_after});
  return error;
}

void refusals::set(errc code, caf::error why) {
  errors_[static_cast<std::size_t>(code)] = std::move(why);
}

void refusals::set(errc code, const std::string& text) { set(code, caf::make_error(code, text)); }

caf::error batcher_has_ended() { return caf::make_error(errc::shut_down, "the batcher has ended"); }

std::string text_of(const caf::error& why) {
  if (!why) return {}; // in 0.17.6 it has no context
  const auto& context = why.context();
  if (context.empty() || !context.match_element<std::string>(0)) return {};
  return context.get_as<std::string>(0);
}

std::optional<overload_hint> hint_of(const caf::error& why) {
  if (why != caf::make_error(errc::queue_full)) return std::nullopt;
  const auto& context = why.context();
  if (!context.match_elements<std::string, std::uint64_t, caf::timespan>()) return std::nullopt;
  return overload_hint{context.get_as<std::uint64_t>(1), context.get_as<caf::timespan>(2)};
}

} // namespace batcher::actors
