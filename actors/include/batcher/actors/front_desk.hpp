// SPDX-License-Identifier: BSD-3-Clause
//
// The core with its items: how requests get in, how batches get out and answers back. Knows neither
// workers nor messages.
//
// Thread rule: used by one batcher, where that runs.

#pragma once

#include "batcher/actors/hooks.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/refusals.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/request_item.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/batcher_core.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher::actors {

template <class Request, class Response>
class front_desk {
public:
  using hooks_type = hooks<Request, Response>;
  using item = request_item<Request, Response>;
  using reply_type = reply<Response>;
  using job_type = job<Request, Response>;
  using core_type = batcher_core<item>;

  /// Precondition: `validate(opts)` is empty. `shared` as in `batcher_core`.
  front_desk(options opts, std::uint64_t seed, std::shared_ptr<const hooks_type> how,
             std::shared_ptr<shared_limits> shared)
    : hooks_{std::move(how)}, refusals_{opts}, core_{std::move(opts), seed, sameness(),
                                                     std::move(shared)} {}

  [[nodiscard]] core_type& core() noexcept { return core_; }
  [[nodiscard]] const core_type& core() const noexcept { return core_; }
  /// What callers are told; whoever knows a cause sets its text before the core hands items back.
  [[nodiscard]] refusals& texts() noexcept { return refusals_; }

  // -- requests in --------------------------------------------------------------------------------

  /// Admits a request or answers it with a refusal. `tag`: what its sender calls it, if it does.
  void take(time_point at, Request request, reply_type answer, placement where = {},
            std::optional<tag_key> tag = {}) {
    item x{std::move(request), std::move(answer)};
    attempt(at, x, [&] {
      if (tag) x.tag = new_tag(std::move(*tag));
      if (hooks_->cost) where.cost = hooks_->cost(x.own_request);
      auto limit = core_.opts().max_batch_cost;
      if (limit != 0 && where.cost > limit && hooks_->split && hooks_->join)
        admit_parts(at, x, where, limit);
      else
        admit(at, x, where);
    });
  }

  /// Takes each of the requests; `whole` takes their answers. Between two of them `make_room` is
  /// called.
  template <class F>
  void take_all(time_point at, bulk<Request>& what,
                const std::shared_ptr<answer_sink<Response>>& whole, F make_room) {
    if (what.requests.empty()) return;
    whole->expect(whole, what.requests.size());
    placement where{
      .key = what.key, .tenant = what.tenant, .priority = what.priority, .timeout = what.timeout};
    auto& requests = what.requests;
    for (std::size_t i = 0; i < requests.size();) {
      auto taken = take_run(at, where, requests.size() - i, [&](std::size_t k) {
        return item{std::move(requests[i + k]), reply_type{*whole, i + k}};
      });
      if (taken == 0) take(at, std::move(requests[i]), reply_type{*whole, i}, where);
      i += std::max<std::size_t>(taken, 1);
      make_room();
    }
  }

  /// Takes the first of several requests that ask for the same, at less cost than one by one, and
  /// returns how many. `make(i)` returns the item of each and must not throw.
  template <class Make>
  [[nodiscard]] std::size_t take_run(time_point at, const placement& where, std::size_t requests,
                                     Make make) {
    return hooks_->cost ? 0 : core_.admit_run(at, where, requests, make);
  }

  /// Lets a request leave with `errc::cancelled`; returns whether it was there. Answer what has
  /// departed.
  bool cancel(time_point at, const tag_key& tag) {
    auto it = tags_.find(tag);
    if (it == tags_.end()) return false;
    for (auto id : it->second) core_.cancel(at, id); // parts that have left are unknown to it
    return true;
  }

  // -- batches out --------------------------------------------------------------------------------

  /// Returns the job that takes a batch to its worker. Nothing if a request cannot be copied: then
  /// the batch has failed, as if its function had thrown.
  [[nodiscard]] std::shared_ptr<job_type> start(time_point at,
                                                const typename core_type::batch& due) {
    auto node = new_job(due.id, due.items.size());
    auto work = node.mapped();
    work->id = due.id;
    work->worker = due.worker;
    work->key = due.key;
    work->attempt = due.attempt;
    work->padding_items = due.padding_items;
    auto thrown = text_of_exception([&] {
      for (auto* x : due.items) hand_over(*x, work);
    });
    if (!thrown) {
      running_.insert(std::move(node));
      return work;
    }
    work->is_back = true;
    refusals_.set(errc::batch_failed, *thrown);
    core_.fail(at, due.id, errc::batch_failed);
    answer_departed(at);
    return nullptr;
  }

  /// Settles a batch whose job has come back.
  void finish(time_point at, std::shared_ptr<job_type> back) {
    auto node = running_.extract(back->id);
    settle(at, *back);
    bool is_ours = !node.empty() && back->references == 0 && back.use_count() == 2;
    if (!is_ours || idle_.size() >= most_idle) return;
    std::atomic_thread_fence(std::memory_order_acquire); // what others did before they let it go
    back->clear(); // or what a request holds would stay with it
    idle_.push_back(std::move(node));
  }

private:
  void settle(time_point at, job_type& work) {
    work.is_back = true;
    if (work.outcome == errc::none) {
      if (work.report.results != work.requests.size())
        refusals_.set(errc::result_count_mismatch, text_of_mismatch(work));
      core_.complete(at, work.id, work.report);
    } else {
      refusals_.set(errc::batch_failed, std::move(work.failure));
      core_.fail(at, work.id, work.outcome, work.report.executed);
    }
    answer_departed(at, &work);
  }

public:
  /// Fails what a worker held that is lost.
  void lose(time_point at, worker_id worker) {
    core_.worker_down(at, worker);
    std::erase_if(running_, [&](auto& entry) { return entry.second->worker == worker; });
    answer_departed(at);
  }

  /// Answers what has run out of time, and tells the functions that run for nobody.
  void expire(time_point at) {
    core_.expire(at);
    while (auto id = core_.take_given_up())
      running_.at(*id)->abandoned.store(true, std::memory_order_relaxed);
    answer_departed(at);
  }

  /// Answers everything with `why`; jobs that have not begun are left alone.
  void abandon(time_point at, errc why) {
    core_.abandon(at, why);
    for (auto& [id, work] : running_) work->abandoned.store(true, std::memory_order_relaxed);
    answer_departed(at);
    running_.clear();
  }

  // -- answers back -------------------------------------------------------------------------------

  /// Answers whatever has left the core; `work` has the results, where there are any.
  void answer_departed(time_point at, job_type* work = nullptr) {
    if (core_.departures().empty()) return;
    // Whatever throws, no later call may find them there without their results: then they are
    // answered by being destroyed.
    struct clearing {
      core_type& core;
      ~clearing() { core.clear_departures(); }
    } at_the_end{core_};
    std::span all{core_.departures()};
    for (std::size_t i = 0; i < all.size();) {
      auto& left = all[i];
      auto& x = left.item;
      if (x.tag && x.tag.use_count() == 1) tags_.erase(*x.tag);
      x.tag.reset();
      if (left.batch != 0)
        running_.at(left.batch)->cancelled[left.position].store(true, std::memory_order_relaxed);
      if (left.outcome == errc::none) {
        i += answer_run(all.subspan(i), work->results);
        continue;
      }
      if (left.outcome == errc::shut_down) ++unfinished_;
      x.answer.deliver(error_of(left.outcome, at));
      ++i;
    }
  }

  /// Returns what a request that leaves with that code is answered with.
  const caf::error& error_of(errc code, time_point at) {
    if (code != errc::queue_full) return refusals_.of(code);
    return refusals_.queue_full(at, core_.room_taken(), core_.retry_after(at));
  }

  /// Returns how many requests were answered with `errc::shut_down`.
  [[nodiscard]] std::uint64_t unfinished() const noexcept { return unfinished_; }

private:
  using jobs = std::unordered_map<batch_id, std::shared_ptr<job_type>>;
  static constexpr std::size_t most_idle = 64;

  coalescing<item> sameness() const {
    if (!hooks_->hash || !hooks_->equal) return {};
    return {[how = hooks_](const item& x) { return how->hash(x.request()); },
            [how = hooks_](const item& x, const item& y) {
              return how->equal(x.request(), y.request());
            }};
  }

  // One that was used before, with its memory, if there is any.
  typename jobs::node_type new_job(batch_id id, std::size_t items) {
    if (idle_.empty()) {
      jobs made;
      made.emplace(id, std::make_shared<job_type>(items));
      return made.extract(id);
    }
    auto node = std::move(idle_.back());
    idle_.pop_back();
    node.key() = id;
    node.mapped()->renew(items);
    return node;
  }

  static void hand_over(item& x, const std::shared_ptr<job_type>& to) {
    if (!x.last_run)
      to->requests.push_back(std::move(x.own_request));
    else if (x.last_run->is_back)
      to->requests.push_back(std::move(x.last_run->requests[x.position]));
    else // given up or lost: its function may still read it
      to->requests.push_back(x.request());
    x.last_run = run_reference<Request, Response>{to};
    x.position = static_cast<std::uint32_t>(to->requests.size() - 1);
  }

  // Answers the first with its result, and in the same call those behind it whose results go to the
  // same sink, behind that one. Returns how many.
  static std::size_t answer_run(std::span<typename core_type::departure> from,
                                bulk_results<Response>& results) {
    auto& first = from.front();
    auto& answer = first.item.answer;
    auto& result = results[first.position];
    auto* part = answer.part();
    std::size_t n = 1;
    if (first.shares_result) {
      answer.deliver(copy_of(result));
    } else if (!part) {
      answer.deliver(std::move(result));
    } else {
      auto joins = [&](auto& left) {
        auto* other = left.item.answer.part();
        return left.outcome == errc::none && !left.shares_result && !left.item.tag
               && left.position == first.position + n && other && other->is_behind(*part, n);
      };
      while (n < from.size() && joins(from[n])) ++n;
      part->deliver_all(std::span{results}.subspan(first.position, n));
      for (auto& left : from.subspan(1, n - 1)) left.item.answer.part()->release();
    }
    return n;
  }

  static caf::expected<Response> copy_of(const caf::expected<Response>& result) {
    std::optional<caf::expected<Response>> copy;
    auto thrown = text_of_exception([&] { copy.emplace(result); });
    if (thrown) return caf::make_error(errc::batch_failed, std::move(*thrown));
    return std::move(*copy);
  }

  // A user's function that throws costs its request.
  template <class F>
  void attempt(time_point at, item& x, F steps) {
    auto thrown = text_of_exception(steps);
    if (!thrown) return;
    core_.refuse(at, errc::invalid_request);
    x.answer.deliver(caf::make_error(errc::invalid_request, std::move(*thrown)));
  }

  std::shared_ptr<const tag_key> new_tag(tag_key tag) const {
    if (tags_.contains(tag)) throw std::invalid_argument{"the tag of the request is in use"};
    return std::make_shared<const tag_key>(std::move(tag));
  }

  void admit(time_point at, item& x, const placement& where) {
    auto tag = x.tag;
    auto [refused, id] = core_.admit(at, std::move(x), where);
    if (refused != errc::none)
      x.answer.deliver(error_of(refused, at));
    else if (tag)
      tags_[*tag].push_back(id);
  }

  void admit_parts(time_point at, item& x, placement where, std::size_t limit) {
    auto parts = hooks_->split(x.own_request, limit);
    if (parts.empty()) throw std::invalid_argument{"split returned no parts"};
    std::vector<std::size_t> costs;
    for (auto& part : parts) costs.push_back(hooks_->cost(part));
    if (std::any_of(costs.begin(), costs.end(), [&](auto cost) { return cost > limit; })) {
      core_.refuse(at, errc::too_costly);
      x.answer.deliver(error_of(errc::too_costly, at));
      return;
    }
    auto whole = collect_for<Response>(parts.size(), joined_answer{std::move(x.answer), hooks_});
    whole->expect(whole, parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      item part{std::move(parts[i]), reply_type{*whole, i}, x.tag};
      where.cost = costs[i];
      attempt(at, part, [&] { admit(at, part, where); });
      where.on_credit = false; // the first one has used it up
    }
  }

  // The answer to a request that was taken apart.
  struct joined_answer {
    reply_type to;
    std::shared_ptr<const hooks_type> how;

    void deliver(bulk_results<Response> results) {
      to.deliver(join_results(*how, std::move(results)));
    }
    [[nodiscard]] bool is_abandoned() const { return to.is_abandoned(); }
  };

  static caf::expected<Response> join_results(const hooks_type& how,
                                              bulk_results<Response> results) {
    std::vector<Response> values;
    for (auto& result : results) {
      if (!result) return std::move(result.error());
      values.push_back(std::move(*result));
    }
    std::optional<Response> joined;
    auto thrown = text_of_exception([&] { joined = how.join(std::move(values)); });
    if (thrown) return caf::make_error(errc::invalid_request, std::move(*thrown));
    return std::move(*joined);
  }

  static std::string text_of_mismatch(const job_type& work) {
    return "the batch function returned " + std::to_string(work.report.results) + " results for "
           + std::to_string(work.requests.size()) + " items";
  }

  std::shared_ptr<const hooks_type> hooks_;
  refusals refusals_;
  core_type core_;
  jobs running_;
  std::vector<typename jobs::node_type> idle_;
  std::map<tag_key, std::vector<item_id>> tags_; // of the parts, if it has any
  std::uint64_t unfinished_ = 0;
};

} // namespace batcher::actors
