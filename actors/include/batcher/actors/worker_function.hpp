// SPDX-License-Identifier: BSD-3-Clause
//
// The batch function of one worker without its type, so that all that surrounds it is compiled once
// for a request and a response, not once for each factory.

#pragma once

#include "batcher/actors/batch_function.hpp"
#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/reply.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>

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

/// A batch function of any form. Used by its worker alone.
template <class Request, class Response>
class worker_function {
public:
  worker_function() = default;
  worker_function(const worker_function&) = delete;
  worker_function& operator=(const worker_function&) = delete;
  virtual ~worker_function() = default;

  /// Whether it takes a promise.
  [[nodiscard]] virtual bool answers_later() const noexcept = 0;

  /// If it answers at once: as `run_job`.
  virtual time_point run(const std::shared_ptr<job<Request, Response>>& work,
                         const caf::actor_clock& time) = 0;

  /// If it answers later: calls it. Throws what it throws.
  virtual void call(std::span<const Request> requests, batch_promise<Response> answer) = 0;
};

/// Makes the function of worker `number`, inside the worker; throws what the user's factory throws.
/// Copies may be called at the same time.
template <class Request, class Response>
using worker_maker =
  std::function<std::unique_ptr<worker_function<Request, Response>>(std::size_t number)>;

/// What a user's factory makes, with a copy of the factory.
template <class Request, class Response, worker_factory<Request, Response> Factory>
class function_of_factory final : public worker_function<Request, Response> {
public:
  function_of_factory(const Factory& factory, std::size_t number)
    : factory_{factory}, run_{make_batch_function(factory_, number)} {}

  [[nodiscard]] bool answers_later() const noexcept override { return takes_promise; }

  time_point run([[maybe_unused]] const std::shared_ptr<job<Request, Response>>& work,
                 [[maybe_unused]] const caf::actor_clock& time) override {
    if constexpr (takes_promise)
      return {};
    else
      return run_job(run_, work, time);
  }

  void call([[maybe_unused]] std::span<const Request> requests,
            [[maybe_unused]] batch_promise<Response> answer) override {
    if constexpr (takes_promise) run_(requests, std::move(answer));
  }

private:
  using function = function_of<Factory>;
  static constexpr bool takes_promise = promising_batch_function<function, Request, Response>;

  Factory factory_;
  function run_; // may refer to what made it, so it goes first
};

/// Hides the type of a user's factory.
template <class Request, class Response, worker_factory<Request, Response> Factory>
[[nodiscard]] worker_maker<Request, Response> maker_of(Factory factory) {
  return [shared = std::make_shared<const Factory>(std::move(factory))](std::size_t number) {
    return std::make_unique<function_of_factory<Request, Response, Factory>>(*shared, number);
  };
}

} // namespace batcher::actors
