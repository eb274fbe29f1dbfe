// SPDX-License-Identifier: BSD-3-Clause
//
// A worker: owns the user's batch function and runs it on one job after the other. Turns exceptions
// into errors; counts and times, so that the batcher need not look at single results.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/messages.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace batcher::actors {

/// A job whose requests and results have their types. The requests stay where they are until the
/// job is done, so that a batch can be run again.
template <class Request, class Response>
struct job final : job_base {
  std::vector<Request> requests;
  std::vector<caf::expected<Response>> results;
};

/// What a callable returns for a batch.
template <class F, class Request>
using results_of = std::invoke_result_t<F&, std::span<const Request>>;

/// A callable that takes a batch and returns one result per item, in order:
/// `std::vector<Response>`, or `std::vector<caf::expected<Response>>` if an item can fail by
/// itself. It may throw, and then every item of the batch is answered with `errc::batch_failed` and
/// the exception's text.
template <class F, class Request, class Response>
concept batch_function =
  std::is_same_v<results_of<F, Request>, std::vector<Response>> || std::is_same_v<
    results_of<F, Request>, std::vector<caf::expected<Response>>>;

/// Calls a worker factory with the number of its worker (0, 1, ...), or with nothing.
template <class Factory>
auto make_batch_function(Factory& factory, std::size_t number) {
  if constexpr (std::invocable<Factory&, std::size_t>)
    return factory(number);
  else
    return factory();
}

/// What a worker factory makes.
template <class Factory>
using function_of = decltype(make_batch_function(std::declval<Factory&>(), std::size_t{}));

/// A callable that makes a batch function, given the number of its worker or nothing.
template <class F, class Request, class Response>
concept worker_factory = std::copy_constructible<F> &&(
  std::invocable<F&, std::size_t> || std::invocable<F&>)&&batch_function<function_of<F>, Request,
                                                                         Response>;

/// Runs `call` and returns the text of what it throws, nothing if it returns.
template <class F>
std::optional<std::string> text_of_exception(F call) {
  try {
    call();
    return std::nullopt;
  } catch (const std::exception& e) {
    auto* text = e.what();
    return text ? text : "an exception without a text";
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

/// Runs a batch function on a job and fills in everything that the batcher wants to know.
template <class F, class Request, class Response>
void run_job(F& run, job<Request, Response>& work, caf::actor_clock& time) {
  auto begin = time.now();
  auto stop_watch = [&] {
    work.report.executed = std::chrono::duration_cast<duration>(time.now() - begin);
  };
  auto thrown = text_of_exception([&] {
    auto results = run(std::span<const Request>{work.requests});
    stop_watch();
    if constexpr (std::is_same_v<decltype(results), std::vector<caf::expected<Response>>>)
      work.results = std::move(results);
    else
      work.results.assign(std::move_iterator{results.begin()}, std::move_iterator{results.end()});
  });
  if (thrown) {
    stop_watch();
    work.outcome = errc::batch_failed;
    work.reason = std::move(*thrown);
  }
  work.report.results = work.results.size();
  for (auto& result : work.results) {
    if (result) continue;
    ++work.report.item_errors;
    // CAF takes an error without a code for success.
    if (!result.error())
      result = caf::make_error(errc::batch_failed, "the batch function returned an empty error");
  }
}

template <class Factory>
struct worker_state {
  static inline const char* name = "batcher.worker";

  // The function may refer to what made it, so it goes first.
  std::optional<Factory> factory;
  std::optional<function_of<Factory>> run;
};

/// The behavior of worker `number`. `factory` is copied and called once, inside the worker.
template <class Request, class Response, class Factory>
worker_handle::behavior_type
worker_actor(worker_handle::stateful_pointer<worker_state<Factory>> self,
             const std::shared_ptr<const Factory>& factory, std::size_t number) {
  return {
    [self, factory, number](start_atom) -> caf::result<void> {
      auto thrown = text_of_exception([&] {
        auto& own = compat::state(self);
        own.run.emplace(make_batch_function(own.factory.emplace(*factory), number));
      });
      if (thrown) return caf::make_error(errc::worker_lost, std::move(*thrown));
      return caf::unit;
    },
    [self](job_message& msg) {
      if (msg.job->abandoned.load(std::memory_order_relaxed)) return;
      run_job(*compat::state(self).run, static_cast<job<Request, Response>&>(*msg.job),
              self->clock());
    },
  };
}

} // namespace batcher::actors
