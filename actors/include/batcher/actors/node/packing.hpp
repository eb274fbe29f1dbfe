// SPDX-License-Identifier: BSD-3-Clause
//
// Requests on their way into frames: those that ask for the same and come one after the other share a
// head, and what fits goes into one frame.
//
// Pure: no actor, no clock.

#pragma once

#include "batcher/actors/messages.hpp"
#include "batcher/actors/node/codec.hpp"
#include "batcher/actors/node/wire.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/time.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace batcher::actors::node {

template <class Request>
struct unsent_request {
  std::uint64_t id = 0;
  submit<Request> what;
  /// When it arrived here.
  time_point since;
};

/// Most requests in one frame, which bounds what a forged one costs: each can be a single byte, but
/// becomes a request, or an error and an answer, of a hundred.
inline constexpr std::size_t most_requests = 64u << 10u;

/// What became of requests.
struct packed {
  std::vector<frame> frames;
  /// Those that cannot travel, and why.
  std::vector<std::pair<std::uint64_t, caf::error>> refused;
};

/// Returns how much of its timeout a request has left. One that has waited no longer than others that
/// were sent with it keeps all of it, so that they can share a head.
template <class Request>
[[nodiscard]] duration time_left(const unsent_request<Request>& x, time_point at) {
  constexpr duration short_wait = std::chrono::milliseconds{1};
  auto waited = at - x.since;
  if (x.what.timeout <= duration::zero() || waited <= short_wait) return x.what.timeout;
  return std::max<duration>(x.what.timeout - waited, duration{1});
}

namespace detail {

template <class Request>
class packer {
public:
  packer(time_point at, std::size_t most_bytes) : at_{at}, most_{most_bytes} {}

  void add(const unsent_request<Request>& x) {
    scratch_.clear();
    if (!compat::write_value(scratch_, x.what.request)) return refuse(x, unreadable());
    if (!joins_group(x)) open_group(x);
    if (bytes_with(x) > most_) return refuse(x, too_large());
    byte_writer{body_}.text(scratch_);
    ++requests_;
  }

  packed take() {
    close_group();
    close_frame();
    return std::move(out_);
  }

private:
  // Small enough to leave CAF's I/O thread to others in between.
  static constexpr std::size_t usual_bytes = 256u << 10u;

  bool joins_group(const unsent_request<Request>& x) const {
    return requests_ > 0 && requests_ < most_requests && x.id == head_.first_id + requests_
           && body_.size() < usual_bytes && x.what.priority == head_.priority
           && x.what.on_credit == head_.on_credit && (x.what.tag != 0) == head_.is_cancellable
           && x.what.key == head_.key && x.what.tenant == head_.tenant
           && time_left(x, at_).count() == head_.timeout_ns && bytes_with(x) <= most_;
  }

  // What the group takes with this one in it, at most.
  std::size_t bytes_with(const unsent_request<Request>& x) const {
    constexpr std::size_t fixed = 64;
    return body_.size() + scratch_.size() + fixed + x.what.key.size() + x.what.tenant.size();
  }

  void open_group(const unsent_request<Request>& x) {
    close_group();
    head_ = {.first_id = x.id,
             .timeout_ns = time_left(x, at_).count(),
             .priority = x.what.priority,
             .on_credit = x.what.on_credit,
             .is_cancellable = x.what.tag != 0,
             .key = x.what.key,
             .tenant = x.what.tenant};
  }

  static caf::error unreadable() {
    return caf::make_error(errc::invalid_request, "the request could not be serialized");
  }

  caf::error too_large() const {
    return caf::make_error(errc::too_costly, "the request takes " + std::to_string(scratch_.size())
                                               + " bytes, more than a message may have "
                                                 "(max_message_bytes, "
                                               + std::to_string(most_) + ")");
  }

  // The ids of a group count on, so one that is left out ends it.
  void refuse(const unsent_request<Request>& x, caf::error why) {
    out_.refused.emplace_back(x.id, std::move(why));
    close_group();
  }

  void close_group() {
    if (requests_ > 0) {
      std::string group;
      byte_writer to{group};
      write(to, head_);
      to.length(requests_);
      group += body_;
      if (frame_.size() + group.size() > std::min(most_, 2 * usual_bytes)
          || in_frame_ + requests_ > most_requests)
        close_frame();
      frame_ += group;
      in_frame_ += requests_;
    }
    requests_ = 0;
    body_.clear();
  }

  void close_frame() {
    if (frame_.empty()) return;
    out_.frames.push_back(frame_of(frame_kind::requests));
    out_.frames.back().bytes = std::exchange(frame_, {});
    in_frame_ = 0;
  }

  time_point at_;
  std::size_t most_;
  packed out_;
  std::string frame_;
  std::size_t in_frame_ = 0; // requests
  group_head head_;
  std::string body_;
  std::size_t requests_ = 0; // in the body
  std::string scratch_;
};

} // namespace detail

/// Puts requests into frames of at most `most_bytes` and `most_requests`, in their order.
template <class Request>
[[nodiscard]] packed pack(std::span<const unsent_request<Request>> all, time_point at,
                          std::size_t most_bytes) {
  detail::packer<Request> to{at, most_bytes};
  for (auto& x : all) to.add(x);
  return to.take();
}

} // namespace batcher::actors::node
