// SPDX-License-Identifier: BSD-3-Clause
//
// The shell around the core: reads the clock, makes one core call, turns what comes back into
// messages. Knows nothing of sizes or ages; those are the core's.
//
//     client --request--> batcher --job--> worker
//     client <--reply---- batcher <-done-- worker
//
// One timer at most counts. It is armed for the instant that the core names and carries a
// generation, so that one that has been overtaken by an earlier instant is ignored when it arrives.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/actors/reply.hpp"
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

  /// Starts one worker; called once per worker with the batcher itself and the worker's number. May
  /// throw: that worker is lost.
  using start_worker = std::function<worker_handle(batcher_actor*, std::size_t)>;

  /// Precondition: `validate(opts)` is empty.
  batcher_actor(caf::actor_config& cfg, options opts, start_worker start)
    : super{cfg}, core_{std::move(opts)}, start_worker_{std::move(start)} {
    auto& o = core_.opts();
    queue_full_ = caf::make_error(errc::queue_full, "the queue of " + o.name + " holds "
                                                      + std::to_string(o.max_queue_items)
                                                      + " items, its limit; retry later");
    draining_ = caf::make_error(errc::draining, o.name + " drains and takes no new requests");
  }

  const char* name() const override { return "batcher.batcher"; }

  void on_exit() override {
    close(errc::shut_down, "the batcher has ended");
    super::on_exit();
  }

protected:
  behavior_type make_behavior() override {
    start_workers();
    return {
      [this](Request& request) -> caf::result<Response> {
        accept({std::move(request), reply_type{this->make_response_promise()}});
        return caf::delegated<Response>{};
      },
      [this](is_running_atom) { return core_.refusal() == errc::none; },
      [this](drain_atom, caf::timespan timeout) -> caf::result<std::uint64_t> {
        drains_.emplace_back(this->make_response_promise());
        auto at = now();
        core_.drain(at, timeout);
        proceed(at);
        return caf::delegated<std::uint64_t>{};
      },
      [this](stop_atom) { close(errc::shut_down, "the batcher was stopped"); },
      [this](external_message& msg) {
        auto outside = std::static_pointer_cast<external>(std::move(msg.request));
        auto& request = outside->request();
        accept({std::move(request), reply_type{std::move(outside)}});
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

  struct item {
    Request request;
    reply_type answer;
  };

  // 0.17.6 cannot take a timer back, and a timer keeps its actor, and with it the actor system,
  // alive. A later instant is reached in steps of this length.
  static constexpr duration longest_tick = std::chrono::milliseconds{200};

  time_point now() const { return this->clock().now(); }

  // -- requests -----------------------------------------------------------------------------------

  void accept(item&& x) {
    auto at = now();
    auto refused = core_.admit(at, std::move(x));
    if (refused != errc::none) x.answer.fail(refusal(refused));
    proceed(at);
  }

  const caf::error& refusal(errc code) const {
    if (code == errc::queue_full) return queue_full_;
    return code == errc::draining ? draining_ : closed_;
  }

  // -- batches ------------------------------------------------------------------------------------

  // Does all that has become due. Ends every handler that has changed the core.
  void proceed(time_point at) {
    answer_unfinished(core_.expire(at), "the drain timed out");
    while (auto due = core_.next_batch(at)) dispatch(*due);
    if (core_.is_drained()) close(errc::shut_down, "the batcher was drained");
    arm_tick(at);
  }

  void dispatch(const typename batcher_core<item>::batch& due) {
    auto work = std::make_shared<job_type>();
    running_.emplace(due.id, work);
    work->requests.reserve(due.items.size());
    for (auto& x : due.items) work->requests.push_back(std::move(x.request));
    // Urgent, so that under overload the results do not wait behind the requests that caused it.
    compat::urgent_request(this, workers_.at(due.worker), job_message{work})
      .then([this, id = due.id, work] { finish(id, *work); },
            [this, worker = due.worker](const caf::error& why) { lose_worker(worker, why); });
  }

  void finish(batch_id id, job_type& work) {
    running_.erase(id);
    auto at = now();
    auto leaving = work.outcome == errc::none
                     ? core_.complete(at, id, work.report)
                     : core_.fail(at, id, work.outcome, work.report.executed);
    if (leaving.outcome == errc::none)
      deliver(leaving.items, work.results);
    else
      answer_all(leaving, text_of_failure(leaving, work));
    proceed(at);
  }

  static std::string text_of_failure(const settled<item>& leaving, const job_type& work) {
    if (leaving.outcome == errc::batch_failed) return work.reason;
    return "the batch function returned " + std::to_string(work.report.results) + " results for "
           + std::to_string(leaving.items.size()) + " items";
  }

  static void deliver(std::vector<item>& items, std::vector<caf::expected<Response>>& results) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (results[i])
        items[i].answer.deliver(std::move(*results[i]));
      else
        items[i].answer.fail(std::move(results[i].error()));
    }
  }

  static void answer_all(settled<item>& leaving, const std::string& text) {
    for (auto& x : leaving.items) x.answer.fail(caf::make_error(leaving.outcome, text));
  }

  void answer_unfinished(std::vector<settled<item>> left, const std::string& text) {
    for (auto& group : left) {
      answer_all(group, text);
      unfinished_ += group.items.size();
    }
  }

  // -- workers ------------------------------------------------------------------------------------

  void start_workers() {
    auto on_down = [this](const caf::actor_addr& addr, const caf::error& why) {
      auto it = std::find_if(workers_.begin(), workers_.end(),
                             [&](auto& entry) { return entry.second.address() == addr; });
      if (it != workers_.end()) lose_worker(it->first, why);
    };
    std::optional<std::string> thrown;
    for (worker_id id = 0; id < core_.opts().workers; ++id) {
      thrown = text_of_exception([&] { workers_.emplace(id, start_worker_(this, id)); });
      if (thrown) continue;
      compat::monitor(this, workers_.at(id), on_down);
      compat::request(this, workers_.at(id), start_atom_v)
        .then([this, id] { welcome_worker(id); },
              [this, id](const caf::error& why) { lose_worker(id, why); });
    }
    start_worker_ = nullptr;
    if (workers_.empty()) close(errc::no_workers, "no worker could be started: " + *thrown);
  }

  void welcome_worker(worker_id id) {
    if (!workers_.contains(id)) return;
    core_.worker_up(id, core_.opts().worker_credit);
    proceed(now());
  }

  // CAF reports one death up to three times: as an answer to each job, to the start, and by itself.
  void lose_worker(worker_id id, const caf::error& why) {
    auto it = workers_.find(id);
    if (it == workers_.end()) return;
    caf::anon_send_exit(it->second, caf::exit_reason::user_shutdown);
    workers_.erase(it);
    auto text = "worker " + std::to_string(id) + " of " + core_.opts().name
                + " is lost: " + compat::render(this->system(), why);
    auto at = now();
    for (auto& group : core_.worker_down(at, id)) answer_all(group, text);
    if (workers_.empty()) close(errc::no_workers, "no worker is left; " + text);
    proceed(at);
  }

  // -- life ---------------------------------------------------------------------------------------

  // Answers everything and lets the workers go. Only the first call's reason counts.
  void close(errc why, const std::string& text) {
    if (!closed_) closed_ = caf::make_error(why, text);
    answer_unfinished(core_.abandon(now(), why), text);
    for (auto& [id, work] : running_) work->abandoned.store(true, std::memory_order_relaxed);
    running_.clear();
    for (auto& [id, worker] : workers_)
      caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
    workers_.clear();
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

  batcher_core<item> core_;
  start_worker start_worker_;
  std::unordered_map<worker_id, worker_handle> workers_;
  std::unordered_map<batch_id, std::shared_ptr<job_base>> running_;
  std::vector<owned_promise> drains_;
  std::uint64_t unfinished_ = 0;
  // The refusals, made once: they are sent most often when there is least time to make them.
  caf::error queue_full_;
  caf::error draining_;
  caf::error closed_;
  std::optional<time_point> tick_at_;
  std::uint64_t tick_generation_ = 0;
};

} // namespace batcher::actors
