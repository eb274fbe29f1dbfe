// SPDX-License-Identifier: BSD-3-Clause
//
// What the core of a batcher keeps of a request.
//
// Thread rule: used by whoever has the batcher for itself (entrance.hpp).

#pragma once

#include "batcher/actors/job.hpp"
#include "batcher/actors/reply.hpp"

#include <caf/actor_addr.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace batcher::actors {

/// Whose request, and which of those with a `submit::tag`.
using tag_key = std::pair<caf::actor_addr, std::uint64_t>;

/// Keeps a job for one of its items. Counted in the job itself: a shared pointer for each item would
/// cost two atomic steps.
template <class Request, class Response>
class run_reference {
public:
  run_reference() = default;
  explicit run_reference(const std::shared_ptr<job<Request, Response>>& run) : run_{run.get()} {
    if (run_->references++ == 0) run_->self = run;
  }
  run_reference(run_reference&& other) noexcept : run_{std::exchange(other.run_, nullptr)} {}
  run_reference& operator=(run_reference&& other) noexcept {
    std::swap(run_, other.run_);
    return *this;
  }
  ~run_reference() {
    if (run_ && --run_->references == 0) auto last = std::move(run_->self);
  }

  [[nodiscard]] explicit operator bool() const noexcept { return run_ != nullptr; }
  [[nodiscard]] job<Request, Response>* operator->() const noexcept { return run_; }

private:
  job<Request, Response>* run_ = nullptr;
};

/// A request in the core, with the way back to its sender.
template <class Request, class Response>
struct request_item {
  Request own_request; // until it is dispatched
  reply<Response> answer;
  std::shared_ptr<const tag_key> tag = {}; // shared by the parts of a request
  // Where the request is once it was dispatched: it may be wanted again.
  run_reference<Request, Response> last_run = {};
  std::uint32_t position = 0;

  [[nodiscard]] const Request& request() const {
    return last_run ? last_run->requests[position] : own_request;
  }
  [[nodiscard]] bool is_abandoned() const { return answer.is_abandoned(); }
};

} // namespace batcher::actors
