// SPDX-License-Identifier: BSD-3-Clause
//
// This process as workers of a batcher on another node: starts the workers, dials, runs what comes
// and sends back what came of it. The workers are those of a batcher here (worker_actor.hpp), and so
// are their factories, functions and warm-up batches.
//
//     line --job--> node --job_message--> worker
//     line <-done-- node <-job_done------ worker
//
// A node that has lost its batcher drops what its workers have not begun with: the batcher gives it
// to others. What they have begun with they finish; that is told when the batcher is back, which
// counts and drops it. Nothing is run again here.

#pragma once

#include "batcher/actors/batch_function.hpp"
#include "batcher/actors/hooks.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/node/codec.hpp"
#include "batcher/actors/node/line.hpp"
#include "batcher/actors/reply.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher::actors::node {

template <class Request, class Response>
class worker_node final : public caf::event_based_actor {
public:
  /// Starts a worker; may throw.
  using start_worker = std::function<worker_handle(caf::event_based_actor*, std::size_t)>;

  worker_node(caf::actor_config& cfg, join_options opts, std::string host, std::uint16_t port,
              caf::actor connector, start_worker start)
    : caf::event_based_actor{cfg}, opts_{std::move(opts)}, peer_{host + ":" + std::to_string(port)},
      settings_{.host = std::move(host),
                .port = port,
                .reconnect = opts_.reconnect,
                .connector = std::move(connector),
                .owner = {}},
      start_{std::move(start)}, workers_(opts_.workers) {
    compat::ignore_errors(this);
    compat::distrust(this);
  }

  const char* name() const override { return "batcher.worker_node"; }

  void on_exit() override {
    if (line_) compat::anon_send(line_, line_stop{.why = why_gone_});
    line_ = nullptr;
    for (auto& [key, run] : jobs_) run.work->abandoned.store(true, std::memory_order_relaxed);
    for (auto& one : std::exchange(workers_, {}))
      if (one.handle) caf::anon_send_exit(one.handle, caf::exit_reason::user_shutdown);
    for (auto& waiting : departures_) waiting.deliver(static_cast<std::uint64_t>(jobs_.size()));
    departures_.clear();
    start_ = nullptr; // a timer may keep this for long, but what the user gave need not stay
    opts_.on_event = nullptr;
  }

protected:
  caf::behavior make_behavior() override {
    settings_.owner = caf::actor_cast<caf::weak_actor_ptr>(this);
    line_ = spawn_line(system(), std::move(settings_));
    for (std::size_t i = 0; i < workers_.size(); ++i) start(i);
    return {
      [this](const frame& msg) { receive(msg); },
      [this](line_event& msg) { follow(msg); },
      [this](const job_done_message& msg) { finish(msg); },
      // Restart worker `i`.
      [this](start_atom, std::uint64_t i) { start(static_cast<std::size_t>(i)); },
      // Whoever holds the node: leave. Answered with the number of batches left unfinished.
      [this](depart_atom, caf::timespan timeout) -> caf::result<std::uint64_t> {
        departures_.emplace_back(*current_mailbox_element());
        leave(timeout);
        return caf::delegated<std::uint64_t>{};
      },
      // Whoever holds the node: go at once. Itself: the time to leave is over.
      [this](close_atom) { quit(); },
    };
  }

private:
  using job_type = job<Request, Response>;

  struct local_worker {
    worker_handle handle;
    bool is_ready = false;
    std::size_t held = 0;
  };

  struct running {
    std::shared_ptr<job_type> work;
    std::uint64_t id = 0; // the gate's
    std::uint64_t gate = 0;
    std::size_t worker = 0;
    time_point since;
  };

  // What a batch has taken here.
  struct spent {
    duration executed = duration::zero();
    duration held = duration::zero();
  };

  // -- workers ------------------------------------------------------------------------------------

  void start(std::size_t i) {
    if (workers_[i].handle) return;
    auto thrown = text_of_exception([&] { workers_[i].handle = start_(this, i); });
    if (thrown) return restart_later(i, caf::make_error(errc::no_workers, std::move(*thrown)));
    compat::monitor(
      this, workers_[i].handle,
      [this](const caf::actor_addr& addr, const caf::error& why) { on_worker_down(addr, why); });
    auto addr = workers_[i].handle.address();
    compat::request(this, workers_[i].handle, start_atom_v)
      .then([this, addr] { on_worker_ready(addr); },
            [this, addr](const caf::error& why) { on_worker_down(addr, why); });
  }

  void on_worker_ready(const caf::actor_addr& addr) {
    auto i = find(addr);
    if (i == workers_.size()) return;
    workers_[i].is_ready = true;
    bool are_all_ready =
      std::all_of(workers_.begin(), workers_.end(), [](auto& x) { return x.is_ready; });
    if (!are_all_ready || std::exchange(has_dialled_, true)) return;
    hello greeting;
    greeting.as = role::worker;
    greeting.name = opts_.name;
    greeting.request_type = compat::name_of_type<Request>();
    greeting.response_type = compat::name_of_type<Response>();
    greeting.workers = static_cast<std::uint32_t>(opts_.workers);
    greeting.credit = static_cast<std::uint32_t>(opts_.credit);
    greeting.max_silence_ns = opts_.reconnect.max_silence.count();
    compat::anon_send(line_, line_start{std::move(greeting)});
  }

  void on_worker_down(const caf::actor_addr& addr, const caf::error& why) {
    auto i = find(addr);
    if (i == workers_.size()) return;
    caf::anon_send_exit(workers_[i].handle, caf::exit_reason::user_shutdown);
    workers_[i] = {};
    auto lost =
      caf::make_error(errc::worker_lost, "worker " + std::to_string(i) + " of " + opts_.name
                                           + " is lost: " + compat::render(system(), why));
    std::erase_if(jobs_, [&](auto& entry) {
      if (entry.second.worker != i) return false;
      send_failure(entry.second.id, entry.second.gate, lost, {.held = held(entry.second)});
      return true;
    });
    restart_later(i, std::move(lost));
  }

  void restart_later(std::size_t i, caf::error why) {
    tell(node_event::kind::failed, std::move(why));
    compat::send_at(clock(), clock().now() + opts_.restart_delay, ctrl(), start_atom_v,
                    std::uint64_t{i});
  }

  std::size_t find(const caf::actor_addr& addr) const {
    auto it = std::find_if(workers_.begin(), workers_.end(),
                           [&](auto& x) { return x.handle && x.handle.address() == addr; });
    return static_cast<std::size_t>(it - workers_.begin());
  }

  // The worker that the batcher means, or if that is dead the one that has least to do.
  std::size_t pick(std::uint32_t wanted) const {
    if (wanted < workers_.size() && workers_[wanted].is_ready) return wanted;
    auto best = workers_.size();
    for (std::size_t i = 0; i < workers_.size(); ++i)
      if (workers_[i].is_ready
          && (best == workers_.size() || workers_[i].held < workers_[best].held))
        best = i;
    return best;
  }

  // -- jobs ---------------------------------------------------------------------------------------

  void receive(const frame& msg) {
    byte_reader from{msg.bytes};
    if (static_cast<frame_kind>(msg.kind) == frame_kind::abandon) {
      auto id = from.number<std::uint64_t>();
      for (auto& [key, run] : jobs_)
        if (run.id == id) run.work->abandoned.store(true, std::memory_order_relaxed);
    } else if (static_cast<frame_kind>(msg.kind) == frame_kind::job) {
      take_job(from);
    }
  }

  void take_job(byte_reader& from) {
    job_head head;
    read(from, head);
    auto n = from.count(); // as is said: no memory is taken for it
    std::vector<Request> requests;
    for (std::size_t i = 0; i < n; ++i) {
      auto request = read_sized<Request>(from);
      if (!request) break;
      requests.push_back(std::move(*request));
    }
    if (!from.is_finished() || requests.size() != n)
      return send_failure(head.id, welcome_.gate,
                          caf::make_error(errc::batch_failed, "the bytes of a batch are damaged"));
    auto work = std::make_shared<job_type>(n);
    work->requests = std::move(requests);
    auto place = pick(head.worker);
    if (place == workers_.size())
      return send_failure(
        head.id, welcome_.gate,
        caf::make_error(errc::worker_lost,
                        "no worker of " + opts_.name + " is up; they are being restarted"));
    work->attempt = head.attempt;
    work->padding_items = head.padding_items;
    work->key = std::move(head.key);
    ++workers_[place].held;
    jobs_.emplace(work.get(), running{work, head.id, welcome_.gate, place, clock().now()});
    auto* to = caf::actor_cast<caf::abstract_actor*>(workers_[place].handle);
    compat::send(context(), ctrl(), to, job_message{std::move(work)});
  }

  void finish(const job_done_message& msg) {
    auto node = jobs_.extract(msg.job.get());
    if (node.empty()) return;
    auto& run = node.mapped();
    if (run.worker < workers_.size() && workers_[run.worker].held > 0) --workers_[run.worker].held;
    auto& work = *run.work;
    spent times{.executed = work.report.executed, .held = held(run)};
    if (work.outcome != errc::none) {
      send_failure(run.id, run.gate, work.failure, times);
    } else {
      job_done_head head{
        .id = run.id, .executed_ns = times.executed.count(), .held_ns = times.held.count()};
      auto out = frame_of(frame_kind::job_done, head);
      byte_writer to{out.bytes};
      std::string scratch;
      to.length(work.results.size());
      for (auto& result : work.results) write_result(to, result, scratch);
      if (out.bytes.size() > welcome_.max_message_bytes)
        send_failure(run.id, run.gate,
                     caf::make_error(errc::batch_failed, "the results take "
                                                           + std::to_string(out.bytes.size())
                                                           + " bytes, more than max_message_bytes"),
                     times);
      else
        send(run.id, run.gate, std::move(out));
    }
  }

  duration held(const running& run) const { return clock().now() - run.since; }

  void send_failure(std::uint64_t id, std::uint64_t gate, const caf::error& why, spent times = {}) {
    auto most_text_bytes = welcome_.max_message_bytes / 2; // leaves room for the rest
    send(
      id, gate,
      frame_of(frame_kind::job_done, job_done_head{.id = id,
                                                   .outcome = errc::batch_failed,
                                                   .failure = bytes_of_error(why, most_text_bytes),
                                                   .executed_ns = times.executed.count(),
                                                   .held_ns = times.held.count()}));
  }

  // What cannot be told while the batcher is away is told as late.
  void send(std::uint64_t id, std::uint64_t gate, frame what) {
    if (is_up_ && gate == welcome_.gate)
      tell_batcher(std::move(what));
    else if (!is_up_)
      late_.emplace_back(gate, id);
  }

  void tell_batcher(frame what) {
    compat::anon_send(line_, line_send{welcome_.attempt, std::move(what)});
  }

  // -- the other side -----------------------------------------------------------------------------

  void follow(line_event& what) {
    using enum line_event::kind;
    using event = node_event::kind;
    if (what.what == up) {
      is_up_ = true;
      welcome_ = std::move(what.from);
      for (auto& [gate, id] : std::exchange(late_, {}))
        send_failure(id, gate, caf::make_error(errc::batch_failed, "too late"));
      tell(event::connected, {});
      if (!departures_.empty()) ask_to_leave();
      return;
    }
    if (what.what != down) {
      bool is_incompatible = what.why == caf::make_error(errc::incompatible);
      tell(what.what == given_up ? event::given_up
           : is_incompatible     ? event::refused
                                 : event::failed,
           std::move(what.why));
      if (what.what == given_up || !departures_.empty()) quit();
      return;
    }
    is_up_ = false;
    bool is_done = !what.why;
    tell(is_done ? event::left : event::lost, std::move(what.why));
    for (auto& [key, run] : jobs_) run.work->abandoned.store(true, std::memory_order_relaxed);
    if (is_done || !departures_.empty()) quit();
  }

  void tell(node_event::kind what, caf::error why) {
    if (opts_.on_event) opts_.on_event({.what = what, .peer = peer_, .why = std::move(why)});
  }

  // -- leaving ------------------------------------------------------------------------------------

  // The batcher says goodbye when it has everything back.
  void leave(caf::timespan timeout) {
    why_gone_ = caf::make_error(errc::worker_lost, opts_.name + " has left with work unfinished");
    if (!is_up_) return quit();
    compat::send_at(clock(), saturating_add(clock().now(), timeout), ctrl(), close_atom_v);
    ask_to_leave();
  }

  void ask_to_leave() { tell_batcher(frame_of(frame_kind::leave)); }

  join_options opts_;
  std::string peer_;
  line_settings settings_;
  start_worker start_;
  std::vector<local_worker> workers_;
  caf::actor line_;
  bool has_dialled_ = false;
  bool is_up_ = false;
  welcome welcome_;
  std::unordered_map<const payload*, running> jobs_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> late_; // gates and jobs
  std::vector<owned_promise> departures_;
  caf::error why_gone_;
};

} // namespace batcher::actors::node
