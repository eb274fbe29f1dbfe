// SPDX-License-Identifier: BSD-3-Clause
//
// The actor in front of the shards, see sharded_batcher.hpp.

#include "batcher/actors/sharded_batcher.hpp"

#include "batcher/actors/refusals.hpp"
#include "batcher/sharding.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace batcher::actors {

namespace {

// A number for the calling thread: the first one that asks has 0, the next one 1.
std::size_t number_of_this_thread() noexcept {
  static std::atomic<std::size_t> threads = 0;
  thread_local const auto number = threads.fetch_add(1, std::memory_order_relaxed);
  return number;
}

void add(caf::unit_t& /*sum*/, const caf::unit_t& /*x*/) {}
void add(bool& sum, bool x) { sum = sum || x; }
void add(std::uint64_t& sum, std::uint64_t x) { sum += x; }
void add(stats_message& sum, const stats_message& x) { sum.stats.add(x.stats); }

// The answers of all shards to one message.
template <class Answer>
struct gathering {
  owned_promise promise;
  std::size_t missing;
  Answer sum = {};

  void take(const Answer& answer) {
    add(sum, answer);
    if (--missing == 0) promise.deliver(std::move(sum));
  }

  void fail(const caf::error& why) {
    promise.deliver(why);
    --missing;
  }
};

class sharded_batcher final : public caf::event_based_actor {
public:
  sharded_batcher(caf::actor_config& cfg, const options& opts, std::vector<caf::actor> shards,
                  shard_access how)
    : caf::event_based_actor{cfg}, opts_{opts}, shards_{std::move(shards)}, how_{how},
      max_batch_items_{opts.max_batch_items} {
    compat::ignore_errors(this);
  }

  const char* name() const override { return "batcher.sharded"; }

  compat::enqueue_result enqueue(caf::mailbox_element_ptr msg,
                                 compat::execution_context* context) override {
    if (how_.is_request(*msg)) {
      if (waiting_.load(std::memory_order_acquire) > 0 && hold(msg))
        return compat::enqueue_result(true);
      return pass_on(std::move(msg), context);
    }
    if (is_control(*msg)) {
      std::lock_guard lock{mutex_};
      if (!has_ended_) {
        ++(compat::is_urgent(*msg) ? urgent_controls_ : last_control_);
        waiting_.fetch_add(1, std::memory_order_relaxed);
      }
    }
    return caf::event_based_actor::enqueue(std::move(msg), context);
  }

  void on_exit() override {
    // Whoever only lets it go wants what it has asked for.
    if (!compat::is_unreachable(*this))
      for (auto& shard : shards_) caf::anon_send_exit(shard, caf::exit_reason::user_shutdown);
    {
      std::lock_guard lock{mutex_};
      has_ended_ = true;
      controls_passed_ = last_control_;
      urgent_controls_ = 0;
    }
    release(); // to shards that end, or go on
    caf::event_based_actor::on_exit();
  }

protected:
  caf::behavior make_behavior() override {
    for (auto& shard : shards_)
      compat::monitor(this, shard,
                      [this](const caf::actor_addr&, const caf::error& why) { quit(why); });
    return {
      [this](cancel_atom, std::uint64_t tag) {
        auto whose = current_sender(); // which the promise takes away
        return gather_all<bool>(cancel_atom_v, tag, whose);
      },
      [this](credit_atom, std::uint32_t) -> caf::result<std::uint32_t> {
        passing end{this};
        return caf::make_error(errc::invalid_request,
                               opts_.name + " has shards, and those give no credit");
      },
      [this](is_running_atom) { return gather_all<bool>(is_running_atom_v); },
      [this](stats_atom) { return gather_all<stats_message>(stats_atom_v); },
      [this](pause_atom) { return gather_all<caf::unit_t>(pause_atom_v); },
      [this](resume_atom) { return gather_all<caf::unit_t>(resume_atom_v); },
      [this](const reconfigure_message& msg) { return reconfigure(msg); },
      [this](drain_atom, caf::timespan timeout) {
        return gather_all<std::uint64_t>(drain_atom_v, timeout);
      },
      [this](stop_atom) { return gather_all<caf::unit_t>(stop_atom_v); },
      [this](const join_message& msg) { return let_join(msg); },
      [this](const leave_message& msg) {
        for (auto& shard : shards_) compat::anon_send(shard, msg);
      },
      // Of a worker that has joined, too late for whichever shard it was.
      [this](const job_done_message& msg) { compat::anon_send(shards_.front(), msg); },
    };
  }

private:
  // What came behind the message that is being handled may go on at its end.
  struct passing {
    explicit passing(sharded_batcher* x)
      : self{x}, is_urgent{compat::is_urgent(*x->current_mailbox_element())} {}
    passing(const passing&) = delete;
    passing& operator=(const passing&) = delete;
    ~passing() {
      {
        std::lock_guard lock{self->mutex_};
        if (is_urgent)
          --self->urgent_controls_;
        else
          ++self->controls_passed_;
      }
      self->release();
    }

    sharded_batcher* self;
    bool is_urgent;
  };

  template <class Answer>
  using delegated =
    caf::delegated<std::conditional_t<std::is_same_v<Answer, caf::unit_t>, void, Answer>>;

  struct held_request {
    std::uint64_t behind; // so many messages that concern all
    caf::mailbox_element_ptr msg;
  };

  // -- requests -----------------------------------------------------------------------------------

  compat::enqueue_result pass_on(caf::mailbox_element_ptr msg, compat::execution_context* context) {
    auto to = shard_for(*msg);
    return caf::actor_cast<caf::abstract_actor*>(shards_[to])->enqueue(std::move(msg), context);
  }

  [[nodiscard]] std::size_t shard_for(const caf::mailbox_element& msg) const {
    auto shards = shards_.size();
    if (opts_.shard_by == shard_by::key) return shard_of(how_.key_of(msg), shards);
    auto most = max_batch_items_.load(std::memory_order_relaxed);
    return least_pressed(shards, number_of_this_thread() % shards, [&](std::size_t i) {
      return pressure(how_.load_of(caf::actor_cast<caf::abstract_actor*>(shards_[i])), most);
    });
  }

  // Keeps a request that must not overtake what waits in the mailbox; false: nothing waits any more.
  bool hold(caf::mailbox_element_ptr& msg) {
    std::lock_guard lock{mutex_};
    if (has_ended_ || waiting_.load(std::memory_order_relaxed) == 0) return false;
    held_.push_back({last_control_, std::move(msg)});
    return true;
  }

  // Passes on what nothing that came before keeps any more. Urgent messages overtake the others, so
  // one of them keeps everything.
  void release() {
    for (;;) {
      caf::mailbox_element_ptr next;
      {
        std::lock_guard lock{mutex_};
        if (held_.empty() || urgent_controls_ > 0 || held_.front().behind > controls_passed_) {
          // Only now: until then newcomers wait behind those that are passed on.
          waiting_.store(last_control_ - controls_passed_ + urgent_controls_,
                         std::memory_order_release);
          return;
        }
        next = std::move(held_.front().msg);
        held_.pop_front();
      }
      pass_on(std::move(next), nullptr);
    }
  }

  // -- what concerns all --------------------------------------------------------------------------

  // Asks every shard the same.
  template <class Answer, class... Ts>
  delegated<Answer> gather_all(const Ts&... xs) {
    return gather<Answer>(
      [&](const caf::actor& to, std::size_t, bool is_urgent) { return ask(to, is_urgent, xs...); });
  }

  template <class... Ts>
  auto ask(const caf::actor& to, bool is_urgent, const Ts&... xs) {
    return is_urgent ? compat::urgent_request(this, to, xs...) : compat::request(this, to, xs...);
  }

  // Answers the current message with the sum of what the shards answer to `ask_one(shard, number,
  // is_urgent)`, or with the error of the first one that fails.
  template <class Answer, class AskOne>
  delegated<Answer> gather(AskOne ask_one) {
    passing end{this};
    auto& msg = *current_mailbox_element();
    auto is_urgent = compat::is_urgent(msg);
    auto all =
      std::make_shared<gathering<Answer>>(gathering<Answer>{owned_promise{msg}, shards_.size()});
    if constexpr (std::is_same_v<Answer, stats_message>) all->sum.stats.is_closed = true;
    auto on_error = [all](const caf::error& why) { all->fail(why); };
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      if constexpr (std::is_same_v<Answer, caf::unit_t>)
        ask_one(shards_[i], i, is_urgent).then([all] { all->take(caf::unit); }, on_error);
      else
        ask_one(shards_[i], i, is_urgent).then([all](const Answer& x) { all->take(x); }, on_error);
    }
    return {};
  }

  // Workers that join together stay together, with the next shard in turn.
  caf::result<void> let_join(const join_message& msg) {
    auto answer = std::make_shared<owned_promise>(*current_mailbox_element());
    compat::request(this, shards_[next_to_join_++ % shards_.size()], msg)
      .then([answer] { answer->deliver(caf::unit); },
            [answer](const caf::error& why) { answer->deliver(why); });
    return caf::delegated<void>{};
  }

  caf::result<void> reconfigure(const reconfigure_message& msg) {
    auto refuse = [this](const std::string& text) {
      passing end{this};
      return caf::make_error(errc::invalid_options, text);
    };
    if (!msg.opts) return refuse("there are no options");
    auto wanted = reconfigured(opts_, *msg.opts);
    if (auto problems = validate(wanted); !problems.empty())
      return refuse(text_of_problems(problems));
    max_batch_items_ = wanted.max_batch_items;
    return gather<caf::unit_t>([&](const caf::actor& to, std::size_t i, bool is_urgent) {
      auto share = std::make_shared<const options>(share_of(wanted, i));
      return ask(to, is_urgent, reconfigure_message{std::move(share)});
    });
  }

  const options opts_; // as it began; what may change is with the shards
  const std::vector<caf::actor> shards_;
  const shard_access how_;
  std::atomic<std::size_t> max_batch_items_;
  std::size_t next_to_join_ = 0;

  // Messages that concern all: how many have come, how many of those have gone to the shards, how
  // many urgent ones have not, and how many in all have not.
  std::mutex mutex_;
  bool has_ended_ = false;
  std::uint64_t last_control_ = 0;
  std::uint64_t controls_passed_ = 0;
  std::uint64_t urgent_controls_ = 0;
  std::atomic<std::uint64_t> waiting_ = 0;
  std::deque<held_request> held_;
};

} // namespace

caf::actor spawn_sharded_batcher(caf::actor_system& system, const options& opts,
                                 std::vector<caf::actor> shards, shard_access how) {
  return system.spawn<sharded_batcher>(opts, std::move(shards), how);
}

} // namespace batcher::actors
