// SPDX-License-Identifier: BSD-3-Clause
//
// A worker: owns the user's batch function and runs it on one job after the other. Turns exceptions
// into errors; counts and times, so that the batcher need not look at single results.

#pragma once

#include "batcher/actors/batch_function.hpp"
#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/hooks.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/reply.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher::actors {

/// Runs a function that answers at once on a job and fills in what came of it. Returns when it was
/// done.
template <class Request, class Response, class F>
time_point run_job(F& run, const std::shared_ptr<job<Request, Response>>& work,
                   const caf::actor_clock& time) {
  auto begin = time.now();
  auto end = begin;
  auto stop_watch = [&] {
    end = time.now();
    work->report.executed = std::chrono::duration_cast<duration>(end - begin);
  };
  auto thrown = text_of_exception([&] {
    auto results = [&] {
      std::span<const Request> requests{work->requests};
      if constexpr (context_batch_function<F, Request, Response>)
        return run(requests, batch_context{work});
      else
        return run(requests);
    }();
    stop_watch();
    fill_in<Response>(*work, std::move(results));
  });
  if (!thrown) return end;
  stop_watch();
  work->outcome = errc::batch_failed;
  work->failure = caf::make_error(errc::batch_failed, std::move(*thrown));
  return end;
}

/// What a worker keeps.
template <class Request, class Response, class Factory>
struct worker_state {
  using job_type = job<Request, Response>;
  using function = function_of<Factory>;
  static inline const char* name = "batcher.worker";

  struct pending_job {
    std::shared_ptr<job_type> work;
    time_point begun;
    caf::strong_actor_ptr batcher; // nobody for a warm-up batch
    std::optional<std::string> thrown = {};
  };

  // The function may refer to what made it, so it goes first.
  std::optional<Factory> factory;
  std::optional<function> run;
  // Jobs that the function will answer later.
  std::unordered_map<const payload*, pending_job> pending;
  std::size_t warmed_up = 0;
  owned_promise started;
};

/// The steps of a worker, as functions of its state and the actor that it belongs to.
template <class Request, class Response, class Factory>
class worker_steps {
public:
  using state_type = worker_state<Request, Response, Factory>;
  using job_type = typename state_type::job_type;
  using self_pointer = worker_handle::stateful_pointer<state_type>;
  using warm_up_batches = std::vector<std::vector<Request>>;

  static constexpr bool answers_later =
    promising_batch_function<typename state_type::function, Request, Response>;

  /// Makes the function and runs the warm-up batches.
  static caf::result<void> start(self_pointer self, const Factory& factory, std::size_t number,
                                 const warm_up_batches& batches) {
    auto& own = compat::state(self);
    auto thrown = text_of_exception(
      [&] { own.run.emplace(make_batch_function(own.factory.emplace(factory), number)); });
    if (thrown) return caf::make_error(errc::worker_lost, std::move(*thrown));
    if constexpr (answers_later) {
      if (batches.empty()) return caf::unit;
      own.started = owned_promise{*self->current_mailbox_element()};
      warm_up_later(self, batches);
      return caf::delegated<void>{};
    } else {
      for (auto& batch : batches) {
        auto work = warm_up_job(batch);
        run_job(*own.run, work, self->clock());
        if (auto why = why_cold(*work)) return why;
      }
      return caf::unit;
    }
  }

  static void take(self_pointer self, job_message& msg) {
    auto work = std::static_pointer_cast<job_type>(std::move(msg.job));
    const auto& batcher = self->current_sender();
    bool is_wanted = !work->abandoned.load(std::memory_order_relaxed);
    if constexpr (answers_later) {
      if (is_wanted) return call(self, std::move(work), batcher);
      report(self, batcher, std::move(work), self->clock().now());
    } else {
      auto at =
        is_wanted ? run_job(*compat::state(self).run, work, self->clock()) : self->clock().now();
      report(self, batcher, std::move(work), at);
    }
  }

  static void finish(self_pointer self, const job_done_message& msg,
                     const warm_up_batches& batches) requires answers_later {
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
    auto thrown = text_of_exception([&] { (*own.run)(requests, std::move(answer)); });
    // Says more than that the promise was dropped, if it was. The job itself may be in use elsewhere.
    if (auto it = own.pending.find(work.get()); thrown && it != own.pending.end())
      it->second.thrown = std::move(thrown);
  }
};

/// The behavior of worker `number`. `factory` is copied and called once, inside the worker.
template <class Request, class Response, class Factory>
worker_handle::behavior_type
worker_actor(worker_handle::stateful_pointer<worker_state<Request, Response, Factory>> self,
             const std::shared_ptr<const Factory>& factory, std::size_t number,
             const std::shared_ptr<const hooks<Request, Response>>& how) {
  using steps = worker_steps<Request, Response, Factory>;
  return {
    [self, factory, number, how](start_atom) {
      return steps::start(self, *factory, number, how->warm_up);
    },
    [self](job_message& msg) { steps::take(self, msg); },
    [self, how]([[maybe_unused]] const job_done_message& msg) {
      if constexpr (steps::answers_later) steps::finish(self, msg, how->warm_up);
    },
  };
}

} // namespace batcher::actors
