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
#include "batcher/actors/front_desk.hpp"
#include "batcher/actors/hooks.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/refusals.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/actors/request_bursts.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/actors/worker_actor.hpp"
#include "batcher/batcher_core.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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
    : super{cfg}, start_worker_{std::move(start)}, desk_{std::move(opts), this->id(),
                                                         std::move(how)} {
    compat::ignore_errors(this);
  }

  const char* name() const override { return "batcher.batcher"; }

  compat::enqueue_result enqueue(caf::mailbox_element_ptr msg,
                                 compat::execution_context* context) override {
    return bursts_.enqueue(std::move(msg), [&](caf::mailbox_element_ptr x) {
      return super::enqueue(std::move(x), context);
    });
  }

  void on_exit() override {
    close(errc::shut_down, "the batcher has ended");
    bursts_.end();
    super::on_exit();
  }

  [[nodiscard]] const options& opts() const noexcept { return core_.opts(); }

protected:
  behavior_type make_behavior() override {
    proceed(now());
    return {
      [this](Request& request) -> caf::result<Response> {
        take_burst(std::move(request));
        return caf::delegated<Response>{};
      },
      [this](submit_message& msg) -> caf::result<Response> {
        auto carried = take_as<submit_payload<Request>>(msg.request);
        if (!carried) return refuse_message();
        auto from = sender(); // which the promise takes away
        take(std::move(carried->what), reply_type{owned_promise{this}}, std::move(from));
        return caf::delegated<Response>{};
      },
      [this](bulk_message& msg) -> caf::result<bulk_reply_message> {
        auto carried = take_as<bulk_payload<Request>>(msg.requests);
        if (!carried) return refuse_message();
        take_all(*carried);
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
      [this](const reconfigure_message& msg) -> caf::result<void> {
        if (!msg.opts) return caf::make_error(errc::invalid_options, "there are no options");
        return reconfigure(*msg.opts);
      },
      [this](drain_atom, caf::timespan timeout) -> caf::result<std::uint64_t> {
        drains_.emplace_back(this);
        auto at = now();
        if (!is_ended_) desk_.texts().set(errc::shut_down, "the drain timed out");
        core_.drain(at, timeout);
        proceed(at);
        return caf::delegated<std::uint64_t>{};
      },
      [this](stop_atom) { close(errc::shut_down, "the batcher was stopped"); },
      [this](external_message& msg) -> caf::result<void> {
        auto outside = take_as<external>(std::exchange(msg.request, nullptr));
        if (!outside) return refuse_message();
        auto what = std::move(outside->what);
        take(std::move(what), reply_type{std::move(outside)});
        return caf::unit;
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
  // 0.17.6 cannot take a timer back, and a timer keeps its actor, and with it the actor system,
  // alive. A later instant is reached in steps of this length.
  static constexpr duration longest_tick = std::chrono::milliseconds{200};

  time_point now() const { return this->clock().now(); }

  // -- requests -----------------------------------------------------------------------------------

  caf::actor_addr sender() { return caf::actor_cast<caf::actor_addr>(this->current_sender()); }

  // Of a message whose payload is not what it should be.
  caf::error refuse_message() {
    core_.refuse(now(), errc::invalid_request);
    return caf::make_error(errc::invalid_request,
                           "the message holds no request of the type that " + opts().name
                             + " takes, or was sent before; name the type in message_of and make a "
                               "new message each time");
  }

  // The request that is being handled, and those that have joined it.
  void take_burst(Request first) {
    auto at = now();
    supervise(at);
    desk_.take(at, std::move(first), reply_type{owned_promise{this}});
    auto joined = bursts_.take();
    for (auto& msg : joined) {
      auto request = compat::take_content<Request>(*msg);
      desk_.take(at, std::move(request), reply_type{owned_promise{this, *msg}});
      msg.reset();
    }
    bursts_.recycle(std::move(joined));
    proceed(at);
  }

  void take(submit<Request> what, reply_type answer, caf::actor_addr from = {}) {
    auto at = now();
    supervise(at); // an idle batcher starts dead workers only when it is asked for something
    placement where{.key = what.key,
                    .tenant = what.tenant,
                    .priority = what.priority,
                    .timeout = what.timeout,
                    .on_credit = what.on_credit};
    std::optional<tag_key> tag;
    if (what.tag != 0) tag.emplace(std::move(from), what.tag);
    desk_.take(at, std::move(what.request), std::move(answer), where, std::move(tag));
    proceed(at);
  }

  void take_all(bulk_payload<Request>& msg) {
    // The promise of a bulk from outside, which `msg` collects for itself, answers nobody.
    owned_promise promise{this};
    auto whole = std::static_pointer_cast<collected<Response>>(std::move(msg.collector));
    if (!whole) whole = collect_for(std::move(promise), msg.what.requests.size());
    auto at = now();
    supervise(at);
    desk_.take_all(at, msg.what, whole);
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

  bool cancel(std::uint64_t tag) {
    auto at = now();
    auto found = desk_.cancel(at, {sender(), tag});
    desk_.answer_departed(at);
    if (found) proceed(at);
    return found;
  }

  caf::result<std::uint32_t> give_credit(std::uint32_t items) {
    if (opts().overload != overload::wait_for_credit || items == 0)
      return caf::make_error(errc::invalid_request,
                             opts().name + " gives no credit, or none was asked for");
    credits_.emplace(++last_ticket_, this);
    auto at = now();
    core_.ask_credit(at, last_ticket_, items);
    proceed(at);
    return caf::delegated<std::uint32_t>{};
  }

  // -- batches ------------------------------------------------------------------------------------

  // Does all that has become due. Ends every handler that has changed the core.
  void proceed(time_point at) {
    supervise(at);
    desk_.expire(at);
    while (auto due = core_.next_batch(at))
      if (auto work = desk_.start(at, *due)) dispatch(due->id, due->worker, std::move(work));
    desk_.answer_departed(at); // those that nobody wanted any more
    while (auto grant = core_.next_grant(at)) answer_credit(at, *grant);
    if (core_.is_drained()) close(errc::shut_down, "the batcher was drained");
    arm_tick(at);
  }

  void dispatch(batch_id id, worker_id number, std::shared_ptr<job_type> work) {
    // Urgent, so that under overload the results do not wait behind the requests that caused it.
    auto& worker = workers_.at(number);
    compat::urgent_request(this, worker, job_message{work})
      .then(
        [this, id, work] {
          auto at = now();
          desk_.finish(at, id, *work);
          proceed(at);
        },
        [this, id, number, addr = worker.address()](const caf::error& why) {
          desk_.forget(id);
          lose_worker(number, addr, why);
        });
  }

  void answer_credit(time_point at, const credit_line::grant& grant) {
    auto node = credits_.extract(grant.ticket);
    if (grant.items > 0 && node.mapped().is_abandoned())
      core_.revoke_grant(); // for the next one that waits
    else if (grant.items == 0)
      node.mapped().deliver(desk_.error_of(core_.refusal(), at));
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
      desk_.texts().set(errc::no_workers, "a worker of " + opts().name
                                            + " could not be started: " + std::move(*thrown));
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
    desk_.texts().set(errc::no_workers, "no worker is left; " + text);
    desk_.texts().set(errc::worker_lost, text);
    auto at = now();
    core_.worker_down(at, id);
    desk_.answer_departed(at);
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
    desk_.texts().update(opts());
    proceed(at);
    return caf::unit;
  }

  // Answers everything and lets the workers go. Only the first call's reason counts.
  void close(errc why, const std::string& text) {
    auto at = now();
    if (!std::exchange(is_ended_, true)) desk_.texts().set(why, text);
    desk_.abandon(at, why);
    while (auto grant = core_.next_grant(at)) answer_credit(at, *grant);
    while (!workers_.empty()) end_worker(workers_.begin()->first);
    for (auto& waiting : drains_) waiting.deliver(desk_.unfinished());
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

  request_bursts<Request> bursts_;
  start_worker start_worker_;
  front_desk<Request, Response> desk_;
  typename front_desk<Request, Response>::core_type& core_ = desk_.core();
  std::unordered_map<worker_id, worker_handle> workers_;
  std::unordered_map<std::uint64_t, owned_promise> credits_;
  std::uint64_t last_ticket_ = 0;
  std::vector<owned_promise> drains_;
  bool is_ended_ = false;
  std::optional<time_point> tick_at_;
  std::uint64_t tick_generation_ = 0;
};

} // namespace batcher::actors
