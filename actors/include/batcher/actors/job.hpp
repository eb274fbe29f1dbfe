// SPDX-License-Identifier: BSD-3-Clause
//
// A batch on its way through a worker, as the batcher, the worker and the user's function see it.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/batch.hpp"
#include "batcher/errc.hpp"
#include "batcher/time.hpp"
#include "batcher/worker_table.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace batcher::actors {

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

struct job_base;

/// Who has given out a job.
class job_home {
public:
  /// Takes a job back that its worker was done with at `at`, in the worker's thread, and returns true
  /// if that can be now; otherwise it has to come as a message. Precondition: the job is on its way,
  /// and the worker keeps its home alive.
  virtual bool take_back(std::shared_ptr<job_base>& work, time_point at,
                         compat::execution_context* context) = 0;

protected:
  ~job_home() = default;
};

/// What a worker is given to do and what came of it, in one object: the batcher fills in the first
/// part, the worker the second. Whoever holds the message may touch it, nobody else, but for the
/// flags.
struct job_base : payload {
  batch_id id = 0;
  worker_id worker = 0;
  job_home* home = nullptr; // nobody for a warm-up batch
  std::string key;
  std::size_t attempt = 1;
  std::size_t padding_items = 0;
  std::size_t items = 0;
  /// Set by the batcher, from its own thread, when nobody waits for the batch any more: a worker
  /// that has not begun with the job leaves it.
  std::atomic<bool> abandoned = false;
  /// Set by the batcher when nobody else reads the requests any more.
  bool is_back = false;
  /// The batcher's: the items whose requests are here, and the job itself while there are any.
  std::size_t references = 0;
  std::shared_ptr<job_base> self;
  /// The same as `abandoned` for single items; there may be more than `items`.
  std::vector<std::atomic<bool>> cancelled;

  /// `none`, or why there are no results.
  errc outcome = errc::none;
  /// With `batch_failed`: what the items are answered with.
  caf::error failure;
  /// With `batch_failed`: whether the function never said why.
  bool was_dropped = false;
  /// Counts and time, filled in whatever the outcome is.
  batch_report report;

  /// Makes it as new, but for memory, for so many items.
  void renew(std::size_t items_now) {
    items = items_now;
    abandoned.store(false, std::memory_order_relaxed);
    is_back = false;
    if (cancelled.size() < items)
      cancelled = std::vector<std::atomic<bool>>(items);
    else
      for (std::size_t i = 0; i < items; ++i) cancelled[i].store(false, std::memory_order_relaxed);
    outcome = errc::none;
    failure = {};
    was_dropped = false;
    report.results = 0;
    report.failed.clear();
    report.executed = duration::zero();
  }
};

template <class Response>
struct job_results : job_base {
  bulk_results<Response> results;
};

/// The requests stay where they are until the job is gone, so that they can run again elsewhere.
template <class Request, class Response>
struct job final : job_results<Response> {
  explicit job(std::size_t items_now) { renew(items_now); }

  /// Precondition: new or `clear`.
  void renew(std::size_t items_now) {
    job_base::renew(items_now);
    requests.reserve(items_now);
  }

  /// Lets everything of the user's go.
  void clear() {
    requests.clear();
    this->results.clear();
    this->failure = {};
  }

  std::vector<Request> requests;
};

/// What a batch function can ask about the batch that it runs, from any thread, until it has
/// answered.
class batch_context {
public:
  explicit batch_context(std::shared_ptr<const job_base> of) : job_{std::move(of)} {}

  /// Returns whether nobody waits for this run of item `i` any more: the item expired, was
  /// cancelled, or its batch was given up (`batch_timeout`, or the batcher was stopped or has
  /// ended). Its result is not looked at, but must be there. A sender that ends while the function
  /// runs is not seen: that is looked at before dispatch only.
  [[nodiscard]] bool is_cancelled(std::size_t i) const {
    if (i >= job_->items) throw std::out_of_range{"the batch has no item of that number"};
    return job_->abandoned.load(std::memory_order_relaxed)
           || job_->cancelled[i].load(std::memory_order_relaxed);
  }

  /// Returns how many more items the backend expects (`options::allowed_batch_items`). The function
  /// adds them and returns no results for them.
  [[nodiscard]] std::size_t padding_items() const noexcept { return job_->padding_items; }

  /// Returns which run of these items it is: 1, 2, ...
  [[nodiscard]] std::size_t attempt() const noexcept { return job_->attempt; }

  /// Returns what the items have in common.
  [[nodiscard]] const std::string& key() const noexcept { return job_->key; }

private:
  std::shared_ptr<const job_base> job_;
};

/// Fills in the results of a job: counts them, and replaces errors without a code, which CAF takes
/// for success.
template <class Response>
void fill_in(job_results<Response>& work, std::vector<Response> results) {
  work.results.assign(std::move_iterator{results.begin()}, std::move_iterator{results.end()});
  work.report.results = work.results.size();
}
template <class Response>
void fill_in(job_results<Response>& work, bulk_results<Response> results) {
  work.results = std::move(results);
  work.report.results = work.results.size();
  for (std::uint32_t i = 0; i < work.results.size(); ++i) {
    auto& result = work.results[i];
    if (result) continue;
    work.report.failed.push_back(i);
    if (!result.error())
      result = caf::make_error(errc::batch_failed, "the batch function returned an empty error");
  }
}

/// The answer that a batch function owes when it answers later. Move-only; if it is destroyed unused
/// the batch has failed. May be used from any thread, by one at a time. The requests that the
/// function was given live until the answer.
template <class Response>
class batch_promise {
public:
  using done = std::function<void(std::shared_ptr<job_results<Response>>)>;

  batch_promise(std::shared_ptr<job_results<Response>> of, done tell)
    : job_{std::move(of)}, tell_{std::move(tell)} {}
  batch_promise(batch_promise&&) noexcept = default;
  batch_promise& operator=(batch_promise&& other) noexcept {
    if (this != &other) {
      drop();
      job_ = std::move(other.job_);
      tell_ = std::move(other.tell_);
    }
    return *this;
  }
  ~batch_promise() { drop(); }

  /// Answers with one result per item, in order. Only the first answer counts.
  void deliver(bulk_results<Response> results) { fill_in_and_finish(std::move(results)); }
  void deliver(std::vector<Response> results) { fill_in_and_finish(std::move(results)); }

  /// The batch has failed; its items are answered with `why`, unless it runs again.
  void fail(caf::error why) {
    if (!job_) return;
    job_->outcome = errc::batch_failed;
    // CAF takes an error without a code for success.
    if (!why) why = caf::make_error(errc::batch_failed, "the batch function gave an empty error");
    job_->failure = std::move(why);
    finish();
  }

  /// Precondition: not answered yet.
  [[nodiscard]] batch_context context() const { return batch_context{job_}; }

private:
  template <class Results>
  void fill_in_and_finish(Results results) {
    if (!job_) return;
    fill_in(*job_, std::move(results));
    finish();
  }
  void finish() { std::exchange(tell_, nullptr)(std::exchange(job_, nullptr)); }
  void drop() {
    if (!job_) return;
    job_->was_dropped = true;
    fail(caf::make_error(errc::batch_failed, "the batch function dropped its promise unanswered"));
  }

  std::shared_ptr<job_results<Response>> job_;
  done tell_;
};

} // namespace batcher::actors
