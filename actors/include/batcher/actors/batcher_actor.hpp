// SPDX-License-Identifier: BSD-3-Clause
//
// The shell around the core: reads the clock, makes one core call, turns what departs into messages.
// Knows nothing of sizes, ages or failures; those are the core's.
//
//     client --request--> batcher --job--> worker
//     client <--reply---- batcher <-done-- worker
//
// Requests and finished jobs come in through the entrance and may be handled in the thread of
// whoever sends them; everything else is handled as every actor does. Either way one thread at a
// time has the batcher for itself (entrance.hpp). Only the actor's own thread starts workers.

#pragma once

#include "batcher/actors/alarm.hpp"
#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/crew.hpp"
#include "batcher/actors/entrance.hpp"
#include "batcher/actors/front_desk.hpp"
#include "batcher/actors/hooks.hpp"
#include "batcher/actors/intake.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/refusals.hpp"
#include "batcher/actors/reply.hpp"
#include "batcher/batcher_core.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher::actors {

template <class Request, class Response>
class batcher_actor final : public batcher_interface<Request, Response>::base, public job_home {
public:
  using super = typename batcher_interface<Request, Response>::base;
  using behavior_type = typename batcher_interface<Request, Response>::behavior_type;
  using hooks_type = hooks<Request, Response>;
  using crew_type = crew<batcher_actor, front_desk<Request, Response>>;
  using start_worker = typename crew_type::start_worker;

  /// Precondition: `validate(opts)` is empty. `shared`: as in `batcher_core`, with `numbers`.
  batcher_actor(caf::actor_config& cfg, options opts, start_worker start,
                std::shared_ptr<const hooks_type> how = std::make_shared<hooks_type>(),
                std::shared_ptr<shared_limits> shared = {}, worker_numbers numbers = {})
    : super{cfg}, desk_{std::move(opts), this->id(), std::move(how), std::move(shared)},
      crew_{std::move(start), desk_, numbers} {
    compat::ignore_errors(this);
  }

  const char* name() const override { return "batcher.batcher"; }

  compat::enqueue_result enqueue(caf::mailbox_element_ptr msg,
                                 compat::execution_context* context) override {
    auto how = intake_type::kind_of(*msg, context != nullptr);
    return entrance_.admit(
      std::move(msg), how,
      [&](caf::mailbox_element_ptr x) {
        // An actor that sends has a handle; a callback of `ask` may let the last one go.
        caf::strong_actor_ptr stay{x->sender ? nullptr : this->ctrl()};
        unread_message first{std::move(x)};
        handle_here(context, now(), [&](time_point at) { intake_.handle(at, *first); });
      },
      [&](caf::mailbox_element_ptr x) { return super::enqueue(std::move(x), context); });
  }

  bool take_back(std::shared_ptr<job_base>& work, time_point at,
                 compat::execution_context* context) override {
    if (!entrance_.enter_at_once()) return false;
    handle_here(context, at, [&](time_point) {
      desk_.finish(at, std::static_pointer_cast<job_type>(std::move(work)));
    });
    return true;
  }

  void on_exit() override {
    {
      visit alone{this, false};
      // It may be any thread that has let the last handle go, and the clock may be gone.
      context_ = nullptr;
      close(time_point{}, errc::shut_down, "the batcher has ended");
      entrance_.end();
    }
    super::on_exit();
  }

  [[nodiscard]] const options& opts() const noexcept { return core_.opts(); }

  /// Returns what there is to do, what has not been looked at yet included. Any thread.
  [[nodiscard]] work_load load() const noexcept {
    auto out = core_.counters()->read_load();
    out.queue_items += entrance_.joined();
    return out;
  }

  // -- for the crew -------------------------------------------------------------------------------

  void on_worker_ready(const caf::actor_addr& addr) {
    visit alone{this, false};
    auto id = crew_.find(addr);
    if (!id) return;
    auto at = now();
    core_.worker_up(at, *id, opts().worker_credit);
    proceed(at);
  }

  void on_worker_down(const caf::actor_addr& addr, const caf::error& why) {
    visit alone{this, false};
    lose_workers(addr, why);
  }

protected:
  behavior_type make_behavior() override {
    {
      visit alone{this, false};
      proceed(now());
    }
    return {
      quick<Response, Request>(),
      quick<Response, submit_message>(),
      quick<bulk_reply_message, bulk_message>(),
      quick<void, external_message>(),
      quick<void, job_done_message>(),
      [this](cancel_atom, std::uint64_t tag) {
        return in_order([&] { return cancel(tag, this->current_sender()); });
      },
      [this](cancel_atom, std::uint64_t tag, const caf::strong_actor_ptr& whose) {
        visit alone{this, false};
        return cancel(tag, whose);
      },
      [this](credit_atom, std::uint32_t items) {
        return in_order([&] { return give_credit(items); });
      },
      [this](is_running_atom) { return in_order([&] { return core_.refusal() == errc::none; }); },
      [this](stats_atom) { return in_order([&] { return stats_message{core_.stats(now())}; }); },
      [this](pause_atom) { in_order([&] { core_.pause(); }); },
      [this](resume_atom) {
        in_order([&] {
          core_.resume();
          proceed(now());
        });
      },
      [this](const reconfigure_message& msg) { return in_order([&] { return reconfigure(msg); }); },
      [this](drain_atom, caf::timespan timeout) {
        return in_order([&] { return drain(timeout); });
      },
      [this](stop_atom) {
        in_order([&] { close(now(), errc::shut_down, "the batcher was stopped"); });
      },
      [this](const join_message& msg) { return adopt(msg); },
      [this](const leave_message& msg) { let_go(msg); },
      [this](tick_atom, std::uint64_t generation) {
        visit alone{this, false};
        if (generation != 0 && !alarm_.take(generation)) return;
        is_called_ = is_called_ && generation != 0;
        proceed(now());
      },
    };
  }

private:
  using intake_type = intake<Request, Response>;
  using job_type = job<Request, Response>;
  // How often more messages may join those that are being handled: the thread has other work.
  static constexpr int most_bursts = 64;

  time_point now() const { return this->clock().now(); }

  // -- entrance -----------------------------------------------------------------------------------

  // Has the batcher for itself while it lives, in the actor's own thread.
  class visit {
  public:
    visit(batcher_actor* self, bool was_ordered) : self_{self}, was_ordered_{was_ordered} {
      self->enter();
    }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;
    ~visit() { self_->entrance_.leave(was_ordered_, self_->core_.is_idle()); }

  private:
    batcher_actor* self_;
    bool was_ordered_;
  };

  // Handles a message that keeps its place among the others.
  template <class F>
  auto in_order(F handle) {
    visit alone{this, true};
    return handle();
  }

  // Handles those that come in great numbers.
  template <class Out, class In>
  auto quick() {
    return [this](In&) -> caf::result<Out> {
      handle_in_actor();
      return caf::delegated<Out>{};
    };
  }

  // A message of those, from the mailbox.
  void handle_in_actor() {
    auto& msg = *this->current_mailbox_element();
    if (intake_type::kind_of(msg) == entrance::kind::ordered) {
      visit alone{this, true};
      auto at = now();
      intake_.handle(at, msg);
      return proceed(at);
    }
    enter();
    handle_all(now(), true, [&](time_point at) { intake_.handle(at, msg); });
  }

  void enter() {
    entrance_.enter();
    context_ = this->context();
    is_in_actor_ = true;
  }

  // The same, in the thread of whoever sends it.
  template <class F>
  void handle_here(compat::execution_context* context, time_point at, F first) {
    context_ = context;
    is_in_actor_ = false;
    auto thrown = text_of_exception([&] { handle_all(at, false, first); });
    if (thrown) // ends the batcher, as an exception in its own thread does
      compat::send(context, nullptr, this,
                   caf::exit_msg{this->address(),
                                 caf::make_error(caf::sec::runtime_error, std::move(*thrown))});
  }

  // What has come first, and the messages that have joined it.
  template <class F>
  void handle_all(time_point at, bool was_in_mailbox, F first) try {
    first(at);
    proceed(at);
    entrance::burst joined;
    for (int bursts = 1;
         entrance_.next(joined, was_in_mailbox, bursts >= most_bursts, core_.is_idle()); ++bursts) {
      at = now();
      intake_.handle_all(at, joined);
      proceed(at);
    }
  } catch (...) {
    entrance_.leave(was_in_mailbox, false);
    throw;
  }

  // -- requests -----------------------------------------------------------------------------------

  owned_promise promise() { return owned_promise{*this->current_mailbox_element(), &context_}; }

  bool cancel(std::uint64_t tag, const caf::strong_actor_ptr& whose) {
    auto at = now();
    auto found = desk_.cancel(at, {caf::actor_cast<caf::actor_addr>(whose), tag});
    if (found) proceed(at);
    return found;
  }

  caf::result<std::uint32_t> give_credit(std::uint32_t items) {
    if (opts().overload != overload::wait_for_credit || items == 0)
      return caf::make_error(errc::invalid_request,
                             opts().name + " gives no credit, or none was asked for");
    credits_.emplace(++last_ticket_, promise());
    auto at = now();
    core_.ask_credit(at, last_ticket_, items);
    proceed(at);
    return caf::delegated<std::uint32_t>{};
  }

  // -- batches ------------------------------------------------------------------------------------

  // Does all that has become due. Ends everything that has changed the core.
  void proceed(time_point at) {
    supervise(at);
    desk_.expire(at);
    start_batches(at);
    while (auto grant = credits_.empty() ? std::nullopt : core_.next_grant(at))
      answer_credit(at, *grant);
    if (core_.is_drained()) close(at, errc::shut_down, "the batcher was drained");
    if (auto next = core_.next_deadline())
      alarm_.set(this->clock(), caf::strong_actor_ptr{this->ctrl()}, at, *next);
  }

  void start_batches(time_point at) {
    while (auto due = core_.next_batch(at))
      if (auto work = desk_.start(at, *due)) dispatch(std::move(work));
    desk_.answer_departed(at); // those that nobody wanted any more
  }

  void dispatch(std::shared_ptr<job_type> work) {
    work->home = this;
    auto* to = caf::actor_cast<caf::abstract_actor*>(crew_.at(work->worker));
    compat::send(context_, caf::strong_actor_ptr{this->ctrl()}, to, job_message{std::move(work)});
  }

  void answer_credit(time_point at, const credit_line::grant& grant) {
    auto asked = std::move(credits_.extract(grant.ticket).mapped());
    if (grant.items == 0) return asked.deliver(desk_.error_of(core_.refusal(), at));
    if (asked.is_abandoned()) return core_.revoke_grant(); // for the next one that waits
    asked.deliver(static_cast<std::uint32_t>(grant.items));
  }

  // -- workers ------------------------------------------------------------------------------------

  void supervise(time_point at) {
    crew_.let_retired_go();
    if (!core_.has_start(at)) return;
    if (!is_in_actor_) return call_actor();
    crew_.start_due(this, at);
  }

  void lose_workers(const caf::actor_addr& addr, const caf::error& why) {
    auto at = now();
    if (crew_.lose_all(at, addr, compat::render(this->system(), why))) proceed(at);
  }

  caf::result<void> adopt(const join_message& msg) {
    visit alone{this, false};
    auto at = now();
    if (is_ended_ || !crew_.adopt(this, at, msg))
      return caf::make_error(errc::shut_down, opts().name + " takes no such worker in");
    proceed(at);
    return caf::unit;
  }

  void let_go(const leave_message& msg) {
    visit alone{this, false};
    if (!msg.worker) return;
    auto addr = caf::actor_cast<caf::actor_addr>(msg.worker);
    if (msg.why) return lose_workers(addr, msg.why);
    auto at = now();
    crew_.retire_all(at, addr);
    proceed(at);
  }

  // Lets the actor's own thread come and `proceed`.
  void call_actor() {
    if (std::exchange(is_called_, true)) return;
    compat::send(context_, nullptr, this, tick_atom_v, std::uint64_t{0});
  }

  // -- life ---------------------------------------------------------------------------------------

  caf::result<void> reconfigure(const reconfigure_message& msg) {
    if (!msg.opts) return caf::make_error(errc::invalid_options, "there are no options");
    auto wanted = reconfigured(opts(), *msg.opts);
    if (auto problems = validate(wanted); !problems.empty())
      return caf::make_error(errc::invalid_options, text_of_problems(problems));
    auto at = now();
    core_.reconfigure(at, std::move(wanted));
    desk_.texts().update(opts());
    proceed(at);
    return caf::unit;
  }

  caf::result<std::uint64_t> drain(caf::timespan timeout) {
    drains_.push_back(promise());
    auto at = now();
    if (!is_ended_) desk_.texts().set(errc::shut_down, "the drain timed out");
    core_.drain(at, timeout);
    proceed(at);
    return caf::delegated<std::uint64_t>{};
  }

  // Answers everything and lets the workers go. Only the first call's reason counts.
  void close(time_point at, errc why, const std::string& text) {
    if (!std::exchange(is_ended_, true)) desk_.texts().set(why, text);
    desk_.abandon(at, why);
    while (auto grant = core_.next_grant(at)) answer_credit(at, *grant);
    crew_.end_all();
    for (auto& waiting : drains_) waiting.deliver(desk_.unfinished());
    drains_.clear();
  }

  entrance entrance_;
  // Of the actor in whose thread the batcher runs just now, null outside of actors.
  compat::execution_context* context_ = nullptr;
  bool is_in_actor_ = false;
  bool is_called_ = false; // the actor's own thread
  front_desk<Request, Response> desk_;
  crew_type crew_;
  typename front_desk<Request, Response>::core_type& core_ = desk_.core();
  intake_type intake_{desk_, context_, [this](time_point at) { start_batches(at); }};
  std::unordered_map<std::uint64_t, owned_promise> credits_;
  std::uint64_t last_ticket_ = 0;
  std::vector<owned_promise> drains_;
  bool is_ended_ = false;
  alarm alarm_;
};

} // namespace batcher::actors
