// SPDX-License-Identifier: BSD-3-Clause
//
// A worker node, beside the batcher, which takes it for as many workers as the node has: takes
// batches as every worker does, lets the node run them, and brings back what came of them.
//
// The node's workers keep their place: each worker of the batcher's is one of the node's, so that
// what the batcher learns of a worker (its speed, its failures) is about that one.
//
// It counts what the node does (node_counters.hpp): the batcher below it sees workers, not nodes.
//
// When the node is lost, the batcher is told so, and what the node held follows the retry plan. The
// session of one that fell silent stays and hears what comes too late: the batcher drops and counts
// it.

#pragma once

#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/job.hpp"
#include "batcher/actors/mail.hpp"
#include "batcher/actors/node/codec.hpp"
#include "batcher/actors/node/session.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher::actors::node {

template <class Request, class Response>
class worker_session final : public session {
public:
  worker_session(caf::actor_config& cfg, session_seed seed,
                 batcher_handle<Request, Response> batcher)
    : session{cfg, std::move(seed)}, batcher_{caf::actor_cast<caf::strong_actor_ptr>(batcher)} {}

  const char* name() const override { return "batcher.worker_session"; }

private:
  using job_type = job<Request, Response>;

  struct outstanding {
    std::shared_ptr<job_type> work;
    caf::strong_actor_ptr batcher; // of a sharded one, that shard
    std::uint32_t place = 0;
    time_point since;
    bool is_abandoned = false; // the node knows
  };

  caf::message_handler further_handlers() override {
    return {
      [](start_atom) {},
      [this](job_message& msg) {
        // With CAF 0.17.6 one that a peer makes up comes, but is empty.
        if (msg.job) run(std::static_pointer_cast<job_type>(std::move(msg.job)));
      },
      [](const job_done_message&) {},
    };
  }

  void on_begin() override {
    compat::request(this, caf::actor_cast<caf::actor>(batcher_),
                    join_message{.worker = ctrl(),
                                 .workers = seed().greeting.workers,
                                 .credit = seed().greeting.credit})
      .then([] {}, [this](const caf::error& why) { end(why); });
  }

  void take(frame_kind kind, frame& msg) override {
    if (kind == frame_kind::job_done)
      finish(msg);
    else if (kind == frame_kind::leave)
      leave();
  }

  bool on_lost(const caf::error& why) override {
    lose_jobs();
    tell_batcher(leave_message{.worker = ctrl(), .why = why});
    return false;
  }

  // Tells the node which batches nobody waits for any more.
  void on_tick() override {
    for (auto& [id, job] : jobs_) {
      if (job.is_abandoned || !job.work->abandoned.load(std::memory_order_relaxed)) continue;
      job.is_abandoned = true;
      frame out = frame_of(frame_kind::abandon);
      byte_writer{out.bytes}.number(id);
      send_to_peer(std::move(out));
    }
  }

  // A timer may keep this for long, and the batcher would stay with it.
  void on_end() override {
    lose_jobs();
    places_.clear();
    batcher_ = nullptr;
  }

  // -- jobs ---------------------------------------------------------------------------------------

  void run(std::shared_ptr<job_type> work) {
    if (is_lost()) return; // as the batcher hears
    auto batcher = caf::actor_cast<caf::strong_actor_ptr>(current_sender());
    if (work->abandoned.load(std::memory_order_relaxed)) return give_back(batcher, std::move(work));
    auto since = now();
    job_head head{.id = ++*seed().last_job,
                  .worker = place_of(batcher, work->worker),
                  .attempt = static_cast<std::uint32_t>(work->attempt),
                  .padding_items = static_cast<std::uint32_t>(work->padding_items),
                  .key = work->key};
    auto out = frame_of(frame_kind::job, head);
    if (auto why = write_requests(out.bytes, *work)) {
      work->outcome = errc::batch_failed;
      work->failure = std::move(why);
      return give_back(batcher, std::move(work));
    }
    counters().on_dispatched(work->items, work->attempt);
    if (held_[head.worker]++ == 0) counters().set_busy(++busy_);
    jobs_.emplace(head.id, outstanding{std::move(work), std::move(batcher), head.worker, since});
    send_to_peer(std::move(out));
  }

  // What is wrong, if it cannot travel.
  caf::error write_requests(std::string& bytes, const job_type& work) {
    byte_writer to{bytes};
    std::string scratch;
    to.length(work.requests.size());
    for (auto& request : work.requests)
      if (!write_sized(to, request, scratch))
        return caf::make_error(errc::batch_failed, "a request could not be serialized");
    if (bytes.size() <= seed().max_message_bytes) return {};
    return caf::make_error(errc::batch_failed, "the batch takes " + std::to_string(bytes.size())
                                                 + " bytes, more than the max_message_bytes of "
                                                 + seed().batcher_name
                                                 + "; let batches be smaller (max_batch_cost)");
  }

  void finish(const frame& msg) {
    byte_reader from{msg.bytes};
    job_done_head head;
    read(from, head);
    if (from.has_failed()) return drop_peer();
    auto node = jobs_.extract(head.id);
    if (node.empty()) return count_late();
    auto& one = node.mapped();
    auto& work = *one.work;
    work.report.executed = duration{std::max<std::int64_t>(head.executed_ns, 0)};
    if (head.outcome == errc::none)
      read_results(from, work);
    else
      fail(work, error_of_bytes(head.failure));
    counters().on_times(now() - one.since, duration{head.held_ns}, work.report.executed);
    count_end(one, result_of(work));
    give_back(one.batcher, std::move(one.work));
  }

  static node_result result_of(const job_type& work) {
    if (work.abandoned.load(std::memory_order_relaxed)) return node_result::late;
    bool is_whole = work.outcome == errc::none && work.results.size() == work.items;
    return is_whole ? node_result::ok : node_result::failed;
  }

  void count_end(const outstanding& one, node_result how) {
    if (--held_[one.place] == 0) counters().set_busy(--busy_);
    counters().on_ended(how, one.work->items);
    if (how == node_result::late) counters().on_late_answer();
  }

  void lose_jobs() {
    for (auto& [id, one] : std::exchange(jobs_, {})) count_end(one, node_result::lost);
  }

  static void read_results(byte_reader& from, job_type& work) {
    bulk_results<Response> results;
    auto n = from.count();
    for (std::size_t i = 0; i < n && !from.has_failed(); ++i) {
      auto result = read_result<Response>(from);
      if (i < work.items) results.push_back(std::move(result)); // those beyond are counted only
    }
    if (from.is_finished()) {
      fill_in(work, std::move(results));
      work.report.results = n;
    } else
      fail(work, caf::make_error(errc::batch_failed, "the bytes of the results are damaged"));
  }

  static void fail(job_type& work, caf::error why) {
    work.outcome = errc::batch_failed;
    work.failure = why ? std::move(why) : caf::make_error(errc::batch_failed);
  }

  void give_back(const caf::strong_actor_ptr& batcher, std::shared_ptr<job_type> work) {
    compat::send(context(), nullptr, caf::actor_cast<caf::abstract_actor*>(batcher),
                 job_done_message{std::move(work)});
  }

  // A batch of number 0 is none that the batcher has.
  void count_late() {
    counters().on_late_answer();
    give_back(batcher_, std::make_shared<job_type>(0));
  }

  std::uint32_t place_of(const caf::strong_actor_ptr& batcher, worker_id id) {
    auto next = static_cast<std::uint32_t>(places_.size());
    held_.resize(places_.size() + 1);
    return places_.try_emplace({batcher, id}, next).first->second;
  }

  // -- leaving ------------------------------------------------------------------------------------

  // The batcher ends this when the last batch is back.
  void leave() {
    if (is_lost()) return; // and is told so
    expect_end();
    counters().set_leaving();
    tell_batcher(leave_message{.worker = ctrl(), .why = {}});
  }

  void tell_batcher(leave_message msg) {
    compat::anon_send(caf::actor_cast<caf::actor>(batcher_), std::move(msg));
  }

  caf::strong_actor_ptr batcher_;
  std::unordered_map<std::uint64_t, outstanding> jobs_;
  std::map<std::pair<caf::strong_actor_ptr, worker_id>, std::uint32_t> places_;
  std::vector<std::size_t> held_; // batches, by place
  std::size_t busy_ = 0;          // places that hold any
};

} // namespace batcher::actors::node
