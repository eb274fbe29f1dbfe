// SPDX-License-Identifier: BSD-3-Clause
//
// A worker: owns the user's batch function and runs it on one job after the other. Turns exceptions
// into errors; counts and times, so that the batcher need not look at single results.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/hooks.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/worker_function.hpp"
#include "batcher/options.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher::actors {

/// What a worker keeps.
template <class Request, class Response>
struct worker_state {
  using job_type = job<Request, Response>;
  static inline const char* name = "batcher.worker";

  struct pending_job {
    std::shared_ptr<job_type> work;
    time_point begun;
    caf::strong_actor_ptr batcher; // nobody for a warm-up batch
    std::optional<std::string> thrown = {};
  };

  std::unique_ptr<worker_function<Request, Response>> function; // once it has started
  // Jobs that the function will answer later.
  std::unordered_map<const payload*, pending_job> pending;
  std::size_t warmed_up = 0;
  owned_promise started;
};

/// The steps of a worker, as functions of its state and the actor that it belongs to.
template <class Request, class Response>
class worker_steps {
public:
  using state_type = worker_state<Request, Response>;
  using job_type = typename state_type::job_type;
  using self_pointer = worker_handle::stateful_pointer<state_type>;
  using warm_up_batches = std::vector<std::vector<Request>>;

  /// Makes the function and runs the warm-up batches.
  static caf::result<void> start(self_pointer self, const worker_maker<Request, Response>& make,
                                 std::size_t number, const warm_up_batches& batches) {
    auto& own = compat::state(self);
    auto thrown = text_of_exception([&] { own.function = make(number); });
    if (thrown) return caf::make_error(errc::worker_lost, std::move(*thrown));
    if (own.function->answers_later() && !batches.empty()) {
      own.started = owned_promise{*self->current_mailbox_element()};
      warm_up_later(self, batches);
      return caf::delegated<void>{};
    }
    for (auto& batch : batches) {
      auto work = warm_up_job(batch);
      own.function->run(work, self->clock());
      if (auto why = why_cold(*work)) return why;
    }
    return caf::unit;
  }

  static void take(self_pointer self, job_message& msg) {
    auto work = std::static_pointer_cast<job_type>(std::move(msg.job));
    const auto& batcher = self->current_sender();
    auto& function = *compat::state(self).function;
    bool is_wanted = !work->abandoned.load(std::memory_order_relaxed);
    if (is_wanted && function.answers_later()) return call(self, std::move(work), batcher);
    auto at = is_wanted ? function.run(work, self->clock()) : self->clock().now();
    report(self, batcher, std::move(work), at);
  }

  static void finish(self_pointer self, const job_done_message& msg,
                     const warm_up_batches& batches) {
    auto& own = compat::state(self);
    auto node = own.pending.extract(msg.job.get());
    if (node.empty()) return;
    auto& [work, begun, batcher, thrown] = node.mapped();
    if (thrown && work->was_dropped)
      work->failure = caf::make_error(errc::batch_failed, std::move(*thrown));
    auto at = self->clock().now();
    work->report.executed = std::chrono::duration_cast<duration>(at - begun);
    if (batcher) return report(self, batcher, std::move(work), at);
    if (auto why = why_cold(*work)) return own.started.deliver(why);
    if (++own.warmed_up == batches.size())
      own.started.deliver(caf::unit);
    else
      warm_up_later(self, batches);
  }

private:
  static void report(self_pointer self, const caf::strong_actor_ptr& batcher,
                     std::shared_ptr<job_base> work, time_point at) {
    // A message more would be 6 % of a lone request's way (960 of 15,900 instructions).
    if (work->home && work->home->take_back(work, at, self->context())) return;
    compat::send(self->context(), nullptr, caf::actor_cast<caf::abstract_actor*>(batcher),
                 job_done_message{std::move(work)});
  }

  static std::shared_ptr<job_type> warm_up_job(const std::vector<Request>& batch) {
    auto work = std::make_shared<job_type>(batch.size());
    work->requests = batch;
    return work;
  }

  static caf::error why_cold(const job_type& work) {
    if (work.outcome != errc::none) return work.failure;
    if (work.results.size() == work.requests.size()) return {};
    return caf::make_error(errc::result_count_mismatch,
                           "the warm-up batch had " + std::to_string(work.results.size())
                             + " results for " + std::to_string(work.requests.size()) + " items");
  }

  static void warm_up_later(self_pointer self, const warm_up_batches& batches) {
    call(self, warm_up_job(batches[compat::state(self).warmed_up]), nullptr);
  }

  // The function answers with a message to this worker, wherever it answers.
  static void call(self_pointer self, std::shared_ptr<job_type> work,
                   caf::strong_actor_ptr batcher) {
    auto& own = compat::state(self);
    own.pending.emplace(
      work.get(), typename state_type::pending_job{work, self->clock().now(), std::move(batcher)});
    // Weak: a detached worker's thread, and with it the actor system, would wait for the promise.
    auto tell = [to = caf::actor_cast<caf::weak_actor_ptr>(self)](
                  std::shared_ptr<job_results<Response>> answered) {
      if (auto worker = caf::actor_cast<worker_handle>(to))
        compat::anon_send(worker, job_done_message{std::move(answered)});
    };
    std::span<const Request> requests{work->requests};
    batch_promise<Response> answer{work, std::move(tell)};
    auto thrown = text_of_exception([&] { own.function->call(requests, std::move(answer)); });
    // Says more than that the promise was dropped, if it was. The job itself may be in use elsewhere.
    if (auto it = own.pending.find(work.get()); thrown && it != own.pending.end())
      it->second.thrown = std::move(thrown);
  }
};

/// The behavior of worker `number`.
template <class Request, class Response>
worker_handle::behavior_type
worker_actor(worker_handle::stateful_pointer<worker_state<Request, Response>> self,
             const worker_maker<Request, Response>& make, std::size_t number,
             const std::shared_ptr<const hooks<Request, Response>>& how) {
  using steps = worker_steps<Request, Response>;
  return {
    [self, make, number, how](start_atom) {
      return steps::start(self, make, number, how->warm_up);
    },
    [self](job_message& msg) { steps::take(self, msg); },
    [self, how](const job_done_message& msg) { steps::finish(self, msg, how->warm_up); },
  };
}

/// Starts a thread and waits for its end. Throws `std::system_error` if the system has none left:
/// CAF counts a detached actor before it starts its thread, and would wait for it for ever.
void require_thread();

/// Starts worker `number` as a child of `self`, detached or not. Throws as `require_thread` does.
template <class Request, class Response, class Self>
worker_handle spawn_worker(Self* self, const worker_maker<Request, Response>& make,
                           std::size_t number,
                           const std::shared_ptr<const hooks<Request, Response>>& how,
                           worker_execution execution) {
  auto* behavior = &worker_actor<Request, Response>;
  if (execution == worker_execution::cooperative) return self->spawn(behavior, make, number, how);
  require_thread();
  return self->template spawn<caf::detached>(behavior, make, number, how);
}

} // namespace batcher::actors
