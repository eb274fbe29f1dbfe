// SPDX-License-Identifier: BSD-3-Clause
//
// The shell around the core: reads the clock, makes one core call, turns what departs into messages.
// Knows nothing of sizes, ages or failures; those are the core's.
//
//     client --request--> batcher --job--> worker
//     client <--reply---- batcher <-done-- worker
//
// One timer at most counts. It is armed for the instant that the core names and carries a
// generation, so that one that has been overtaken by an earlier instant is ignored when it arrives.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/hooks.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/refusals.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/actors/worker_actor.hpp"
#include "batcher/batcher_core.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher::actors {

template <class Request, class Response>
class batcher_actor final : public batcher_interface<Request, Response>::base {
public:
  using super = typename batcher_interface<Request, Response>::base;
  using behavior_type = typename batcher_interface<Request, Response>::behavior_type;
  using hooks_type = hooks<Request, Response>;

  /// Starts a worker; called with the batcher itself and the worker's number. May throw: that worker
  /// could not be started.
  using start_worker = std::function<worker_handle(batcher_actor*, std::size_t)>;

  /// Precondition: `validate(opts)` is empty.
  batcher_actor(caf::actor_config& cfg, options opts, start_worker start,
                std::shared_ptr<const hooks_type> how = std::make_shared<hooks_type>())
    : super{cfg}, hooks_{std::move(how)}, start_worker_{std::move(start)}, refusals_{opts},
      core_{std::move(opts), this->id(), sameness()} {}

  const char* name() const override { return "batcher.batcher"; }

  void on_exit() override {
    close(errc::shut_down, "the batcher has ended");
    super::on_exit();
  }

  [[nodiscard]] const options& opts() const noexcept { return core_.opts(); }

protected:
  behavior_type make_behavior() override {
    proceed(now());
    return {
      [this](Request& request) -> caf::result<Response> {
        take({std::move(request)}, reply_type{this->make_response_promise()});
        return caf::delegated<Response>{};
      },
      [this](submit_message& msg) -> caf::result<Response> {
        auto& what = static_cast<submit_payload<Request>&>(*msg.request).what;
        auto from = sender(); // which the promise of 0.17.6 takes away
        take(std::move(what), reply_type{this->make_response_promise()}, std::move(from));
        return caf::delegated<Response>{};
      },
      [this](bulk_message& msg) -> caf::result<bulk_reply_message> {
        take_all(static_cast<bulk_payload<Request>&>(*msg.requests));
        return caf::delegated<bulk_reply_message>{};
      },
      [this](cancel_atom, std::uint64_t tag) { return cancel(tag); },
      [this](credit_atom, std::uint32_t items) { return give_credit(items); },
      [this](is_running_atom) { return core_.refusal() == errc::none; },
      [this](stats_atom) { return stats_message{core_.stats(now())}; },
      [this](pause_atom) { core_.pause(); },
      [this](resume_atom) {
        core_.resume();
        proceed(now());
      },
      [this](const reconfigure_message& msg) { return reconfigure(*msg.opts); },
      [this](drain_atom, caf::timespan timeout) -> caf::result<std::uint64_t> {
        drains_.emplace_back(this->make_response_promise());
        auto at = now();
        if (!is_ended_) refusals_.set(errc::shut_down, "the drain timed out");
        core_.drain(at, timeout);
        proceed(at);
        return caf::delegated<std::uint64_t>{};
      },
      [this](stop_atom) { close(errc::shut_down, "the batcher was stopped"); },
      [this](external_message& msg) {
        auto outside = std::static_pointer_cast<external>(std::move(msg.request));
        auto what = std::move(outside->what);
        take(std::move(what), reply_type{std::move(outside)});
      },
      [this](tick_atom, std::uint64_t generation) {
        if (generation != tick_generation_) return;
        tick_at_.reset();
        proceed(now());
      },
    };
  }

private:
  using external = external_request<Request, Response>;
  using reply_type = reply<Request, Response>;
  using job_type = job<Request, Response>;
  using tag_key = std::pair<caf::actor_addr, std::uint64_t>; // whose request, and which

  struct item {
    Request own_request; // until it is dispatched
    reply_type answer;
    std::shared_ptr<const tag_key> tag = {}; // shared by the parts of a request
    // Where the request is once it was dispatched: it may be wanted again.
    std::shared_ptr<job_type> last_run = {};
    std::uint32_t position = 0;

    [[nodiscard]] const Request& request() const {
      return last_run ? last_run->requests[position] : own_request;
    }
    [[nodiscard]] bool is_abandoned() const { return answer.is_abandoned(); }
  };

  using core_type = batcher_core<item>;

  // 0.17.6 cannot take a timer back, and a timer keeps its actor, and with it the actor system,
  // alive. A later instant is reached in steps of this length.
  static constexpr duration longest_tick = std::chrono::milliseconds{200};

  time_point now() const { return this->clock().now(); }

  coalescing<item> sameness() const {
    if (!hooks_->hash || !hooks_->equal) return {};
    return {
      [this](const item& x) { return hooks_->hash(x.request()); },
      [this](const item& x, const item& y) { return hooks_->equal(x.request(), y.request()); }};
  }

  // -- requests -----------------------------------------------------------------------------------

  caf::actor_addr sender() { return caf::actor_cast<caf::actor_addr>(this->current_sender()); }

  // `from`: whose tag it is, if it has one.
  void take(submit<Request> what, reply_type answer, caf::actor_addr from = {}) {
    auto at = now();
    supervise(at); // an idle batcher starts dead workers only when it is asked for something
    admit(at, std::move(what), std::move(answer), std::move(from));
    proceed(at);
  }

  void take_all(bulk_payload<Request>& msg) {
    auto& what = msg.what;
    // The promise of a bulk from outside, which `msg` collects for itself, answers nobody.
    owned_promise promise{this->make_response_promise()};
    auto whole = std::static_pointer_cast<collected<Response>>(std::move(msg.collector));
    if (!whole) whole = collect_for(std::move(promise), what.requests.size());
    auto at = now();
    supervise(at);
    for (std::size_t i = 0; i < what.requests.size(); ++i)
      admit(at,
            {.request = std::move(what.requests[i]),
             .timeout = what.timeout,
             .priority = what.priority,
             .key = what.key,
             .tenant = what.tenant},
            reply_type{whole, i}, {});
    whole.reset();
    proceed(at);
  }

  static std::shared_ptr<collected<Response>> collect_for(owned_promise promise,
                                                          std::size_t parts) {
    auto shared = std::make_shared<owned_promise>(std::move(promise));
    auto whole =
      std::make_shared<collected<Response>>(parts, [shared](bulk_results<Response> results) {
        shared->deliver(
          bulk_reply_message{std::make_shared<bulk_reply_payload<Response>>(std::move(results))});
      });
    whole->is_abandoned = [shared] { return shared->is_abandoned(); };
    return whole;
  }

  void admit(time_point at, submit<Request> what, reply_type answer, caf::actor_addr from) {
    item x{std::move(what.request), std::move(answer)};
    attempt(at, x, [&] {
      if (what.tag != 0) x.tag = new_tag({std::move(from), what.tag});
      auto cost = hooks_->cost ? hooks_->cost(x.own_request) : 1;
      auto limit = opts().max_batch_cost;
      if (limit != 0 && cost > limit && hooks_->split && hooks_->join)
        admit_parts(at, x, what, limit);
      else
        admit_whole(at, x, what, cost);
    });
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

  void admit_whole(time_point at, item& x, const submit<Request>& what, std::size_t cost) {
    auto tag = x.tag;
    auto [refused, id] = core_.admit(at, std::move(x),
                                     {.key = what.key,
                                      .tenant = what.tenant,
                                      .priority = what.priority,
                                      .timeout = what.timeout,
                                      .cost = cost,
                                      .on_credit = what.on_credit});
    if (refused != errc::none)
      x.answer.deliver(error_of(refused, at));
    else if (tag)
      tags_[*tag].push_back(id);
  }

  void admit_parts(time_point at, item& x, const submit<Request>& what, std::size_t limit) {
    auto parts = hooks_->split(x.own_request, limit);
    if (parts.empty()) throw std::invalid_argument{"split returned no parts"};
    std::vector<std::size_t> costs;
    for (auto& part : parts) costs.push_back(hooks_->cost(part));
    auto answer = std::make_shared<reply_type>(std::move(x.answer));
    auto whole = std::make_shared<collected<Response>>(
      parts.size(), [answer, how = hooks_](bulk_results<Response> results) {
        answer->deliver(join_results(*how, std::move(results)));
      });
    whole->is_abandoned = [answer] { return answer->is_abandoned(); };
    for (std::size_t i = 0; i < parts.size(); ++i) {
      item part{std::move(parts[i]), reply_type{whole, i}, x.tag};
      attempt(at, part, [&] {
        admit_whole(at, part,
                    {.request = {},
                     .timeout = what.timeout,
                     .priority = what.priority,
                     .key = what.key,
                     .tenant = what.tenant,
                     .on_credit = what.on_credit && i == 0},
                    costs[i]);
      });
    }
  }

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

  bool cancel(std::uint64_t tag) {
    auto it = tags_.find({sender(), tag});
    if (it == tags_.end()) return false;
    auto at = now();
    for (auto id : it->second) core_.cancel(at, id); // parts that have left are unknown to it
    proceed(at);
    return true;
  }

  caf::result<std::uint32_t> give_credit(std::uint32_t items) {
    if (opts().overload != overload::wait_for_credit || items == 0)
      return caf::make_error(errc::invalid_request,
                             opts().name + " gives no credit, or none was asked for");
    credits_.emplace(++last_ticket_, this->make_response_promise());
    auto at = now();
    core_.ask_credit(at, last_ticket_, items);
    proceed(at);
    return caf::delegated<std::uint32_t>{};
  }

  // -- batches ------------------------------------------------------------------------------------

  // Does all that has become due. Ends every handler that has changed the core.
  void proceed(time_point at) {
    supervise(at);
    core_.expire(at);
    while (auto id = core_.take_given_up())
      running_.at(*id)->abandoned.store(true, std::memory_order_relaxed);
    answer_departed(at);
    while (auto due = core_.next_batch(at)) dispatch(*due);
    answer_departed(at); // those that nobody wanted any more
    while (auto grant = core_.next_grant(at)) answer_credit(at, *grant);
    if (core_.is_drained()) close(errc::shut_down, "the batcher was drained");
    arm_tick(at);
  }

  void dispatch(const typename core_type::batch& due) {
    auto work = std::make_shared<job_type>(due.items.size());
    work->key = due.key;
    work->attempt = due.attempt;
    work->padding_items = due.padding_items;
    running_.emplace(due.id, work);
    for (auto* x : due.items) {
      if (x->last_run)
        work->requests.push_back(x->request());
      else
        work->requests.push_back(std::move(x->own_request));
      x->last_run = work;
      x->position = static_cast<std::uint32_t>(work->requests.size() - 1);
    }
    // Urgent, so that under overload the results do not wait behind the requests that caused it.
    auto& worker = workers_.at(due.worker);
    compat::urgent_request(this, worker, job_message{work})
      .then([this, id = due.id, work] { finish(id, *work); },
            [this, id = due.id, addr = worker.address(),
             worker_number = due.worker](const caf::error& why) {
              running_.erase(id);
              lose_worker(worker_number, addr, why);
            });
  }

  void finish(batch_id id, job_type& work) {
    running_.erase(id);
    auto at = now();
    if (work.outcome == errc::none) {
      if (work.report.results != work.requests.size())
        refusals_.set(errc::result_count_mismatch, text_of_mismatch(work));
      core_.complete(at, id, work.report);
    } else {
      refusals_.set(errc::batch_failed, std::move(work.failure));
      core_.fail(at, id, work.outcome, work.report.executed);
    }
    answer_departed(at, &work);
    proceed(at);
  }

  static std::string text_of_mismatch(const job_type& work) {
    return "the batch function returned " + std::to_string(work.report.results) + " results for "
           + std::to_string(work.requests.size()) + " items";
  }

  // Answers whatever has left the core; `work` has the results, where there are any.
  void answer_departed(time_point at, job_type* work = nullptr) {
    for (auto& left : core_.departures()) {
      auto& x = left.item;
      if (x.tag.use_count() == 1) tags_.erase(*x.tag);
      x.tag.reset();
      if (left.batch != 0)
        running_.at(left.batch)->cancelled[left.position].store(true, std::memory_order_relaxed);
      if (left.outcome == errc::none) {
        auto& result = work->results[left.position];
        x.answer.deliver(left.shares_result ? result : std::move(result));
      } else {
        if (left.outcome == errc::shut_down) ++unfinished_;
        x.answer.deliver(error_of(left.outcome, at));
      }
    }
    core_.clear_departures();
  }

  const caf::error& error_of(errc code, time_point at) {
    if (code != errc::queue_full) return refusals_.of(code);
    return refusals_.queue_full(at, core_.queue_items(), core_.retry_after(at));
  }

  void answer_credit(time_point at, const credit_line::grant& grant) {
    auto node = credits_.extract(grant.ticket);
    if (grant.items == 0)
      node.mapped().deliver(error_of(core_.refusal(), at));
    else
      node.mapped().deliver(static_cast<std::uint32_t>(grant.items));
  }

  // -- workers ------------------------------------------------------------------------------------

  void supervise(time_point at) {
    while (auto id = core_.take_retired()) end_worker(*id);
    while (auto id = core_.next_start(at)) {
      auto thrown = text_of_exception([&] { workers_.emplace(*id, start_worker_(this, *id)); });
      if (!thrown) {
        watch_worker(*id);
        continue;
      }
      refusals_.set(errc::no_workers,
                    "a worker of " + opts().name + " could not be started: " + std::move(*thrown));
      core_.worker_down(at, *id);
    }
  }

  void watch_worker(worker_id id) {
    auto& worker = workers_.at(id);
    compat::monitor(this, worker, [this](const caf::actor_addr& addr, const caf::error& why) {
      auto it = std::find_if(workers_.begin(), workers_.end(),
                             [&](auto& entry) { return entry.second.address() == addr; });
      if (it != workers_.end()) lose_worker(it->first, addr, why);
    });
    compat::request(this, worker, start_atom_v)
      .then(
        [this, id, addr = worker.address()] { welcome_worker(id, addr); },
        [this, id, addr = worker.address()](const caf::error& why) { lose_worker(id, addr, why); });
  }

  [[nodiscard]] bool is_current(worker_id id, const caf::actor_addr& addr) const {
    auto it = workers_.find(id);
    return it != workers_.end() && it->second.address() == addr;
  }

  void welcome_worker(worker_id id, const caf::actor_addr& addr) {
    if (!is_current(id, addr)) return;
    auto at = now();
    core_.worker_up(at, id, opts().worker_credit);
    proceed(at);
  }

  // CAF reports one death up to three times: as an answer to each job, to the start, and by itself.
  void lose_worker(worker_id id, const caf::actor_addr& addr, const caf::error& why) {
    if (!is_current(id, addr)) return;
    end_worker(id);
    auto text = "worker " + std::to_string(id) + " of " + opts().name
                + " is lost: " + compat::render(this->system(), why);
    refusals_.set(errc::no_workers, "no worker is left; " + text);
    refusals_.set(errc::worker_lost, text);
    auto at = now();
    core_.worker_down(at, id);
    answer_departed(at);
    proceed(at);
  }

  void end_worker(worker_id id) {
    auto node = workers_.extract(id);
    if (!node.empty()) caf::anon_send_exit(node.mapped(), caf::exit_reason::user_shutdown);
  }

  // -- life ---------------------------------------------------------------------------------------

  caf::result<void> reconfigure(options wanted) {
    wanted.name = opts().name;
    wanted.observer = opts().observer;
    if (auto problems = validate(wanted); !problems.empty())
      return caf::make_error(errc::invalid_options, text_of_problems(problems));
    auto at = now();
    core_.reconfigure(at, std::move(wanted));
    refusals_.update(opts());
    proceed(at);
    return caf::unit;
  }

  // Answers everything and lets the workers go. Only the first call's reason counts.
  void close(errc why, const std::string& text) {
    auto at = now();
    if (!std::exchange(is_ended_, true)) refusals_.set(why, text);
    core_.abandon(at, why);
    for (auto& [id, work] : running_) work->abandoned.store(true, std::memory_order_relaxed);
    answer_departed(at);
    running_.clear();
    while (auto grant = core_.next_grant(at)) answer_credit(at, *grant);
    while (!workers_.empty()) end_worker(workers_.begin()->first);
    for (auto& waiting : drains_) waiting.deliver(unfinished_);
    drains_.clear();
  }

  void arm_tick(time_point at) {
    auto next = core_.next_deadline();
    if (!next) return;
    auto wanted = std::min(*next, at + longest_tick);
    if (tick_at_ && *tick_at_ <= wanted) return;
    tick_at_ = wanted;
    compat::delayed_send(this, caf::actor_cast<batcher_interface<Request, Response>>(this),
                         wanted - at, tick_atom_v, ++tick_generation_);
  }

  std::shared_ptr<const hooks_type> hooks_;
  start_worker start_worker_;
  refusals refusals_;
  core_type core_;
  std::unordered_map<worker_id, worker_handle> workers_;
  std::unordered_map<batch_id, std::shared_ptr<job_type>> running_;
  std::map<tag_key, std::vector<item_id>> tags_; // of the parts, if it has any
  std::unordered_map<std::uint64_t, owned_promise> credits_;
  std::uint64_t last_ticket_ = 0;
  std::vector<owned_promise> drains_;
  std::uint64_t unfinished_ = 0;
  bool is_ended_ = false;
  std::optional<time_point> tick_at_;
  std::uint64_t tick_generation_ = 0;
};

} // namespace batcher::actors
