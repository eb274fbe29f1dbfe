// SPDX-License-Identifier: BSD-3-Clause
//
// Clients that use everything there is: requests with all kinds of wishes, many at once, futures,
// callbacks, cancellations, credit, `client`.

#pragma once

#include "answer_watch.hpp"
#include "faults.hpp"
#include "ledger.hpp"

#include "batcher/actors/ask.hpp"
#include "batcher/actors/client.hpp"

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace soak {

namespace compat = batcher::actors::compat;

/// What all clients share. Outlives them.
struct stage {
  explicit stage(caf::actor_system& system)
    : faulty{spawn_faulty(system)}, cooperative{spawn_cooperative(system)}, sharded{spawn_sharded(
                                                                              system)},
      chained{spawn_chained(system, faulty.batcher)}, batchers{faulty.batcher, cooperative.batcher,
                                                               sharded.batcher, chained.batcher} {}

  watched faulty;
  watched cooperative;
  watched sharded;
  watched chained;
  std::vector<handle> batchers;
  ledger count;
  std::atomic<std::uint64_t> last_tag = 0;
  std::atomic<bool> is_over = false;
};

// Few numbers, so that some are in the batcher twice, and many.
inline int random_number(randomness& random) {
  return static_cast<int>(random.below(random.chance(0.3) ? 100 : 1'000'000));
}

inline batcher::actors::submit<int> random_request(randomness& random) {
  static const std::array<std::string, 4> keys{"", "x", "y", "z"};
  static const std::array<std::string, 3> tenants{"", "a", "b"};
  return {
    .request = random_number(random),
    .timeout = random.chance(0.3) ? std::chrono::microseconds{1 + random.below(20'000)} : 0us,
    .priority = static_cast<std::uint8_t>(random.below(random.chance(0.01) ? 12 : 8)),
    .key = keys[random.below(keys.size())],
    .tenant = tenants[random.below(tenants.size())],
  };
}

inline batcher::actors::bulk<int> random_bulk(randomness& random) {
  auto wishes = random_request(random);
  batcher::actors::bulk<int> many{.requests = {},
                                  .timeout = wishes.timeout,
                                  .priority = wishes.priority,
                                  .key = wishes.key,
                                  .tenant = wishes.tenant};
  for (auto left = random.below(40); left > 0; --left)
    many.requests.push_back(random_number(random));
  return many;
}

inline std::vector<slip_ptr> slips_for(stage& on, const batcher::actors::bulk<int>& many) {
  std::vector<slip_ptr> slips;
  for (auto x : many.requests) slips.push_back(std::make_shared<slip>(on.count, x));
  return slips;
}

// A missing or surplus result shows as such in the ledger.
inline void settle(const std::vector<slip_ptr>& slips,
                   const batcher::actors::bulk_results<int>& results) {
  for (std::size_t i = 0; i < std::min(slips.size(), results.size()); ++i)
    slips[i]->answer(results[i]);
  for (std::size_t i = slips.size(); i < results.size(); ++i) slips.at(0)->answer(results[i]);
}

// -- threads --------------------------------------------------------------------------------------

using counter = std::shared_ptr<std::atomic<std::size_t>>;

/// How long a thread waits for a reply before it takes it for lost. No request takes that long.
inline constexpr auto longest_wait = 20s;

/// Asks with a callback. `outstanding`, if any, counts those on their way.
inline void ask_once(stage& on, const handle& to, batcher::actors::submit<int> what,
                     const counter& outstanding = {}) {
  auto promised = std::make_shared<slip>(on.count, what.request);
  if (outstanding) ++*outstanding;
  batcher::actors::ask(to, std::move(what),
                       [promised, outstanding](const caf::expected<int>& reply) {
                         promised->answer(reply);
                         if (outstanding) --*outstanding;
                       });
}

inline void act_at_random(stage& on, randomness& random, const counter& outstanding) {
  const auto& to = on.batchers[random.below(on.batchers.size())];
  auto what = random_request(random);
  auto dice = random.below(100);
  if (dice < 4) {
    auto many = random_bulk(random);
    auto slips = slips_for(on, many);
    ++*outstanding;
    batcher::actors::ask_all(to, std::move(many), [slips, outstanding](const auto& results) {
      settle(slips, results);
      --*outstanding;
    });
  } else if (dice < 10) {
    slip promised{on.count, what.request};
    auto answer = batcher::actors::ask(to, std::move(what));
    if (answer.wait_for(longest_wait) == std::future_status::ready)
      promised.answer(answer.get());
    else
      ++on.count.overdue; // and one reply too few
  } else if (dice < 20) {
    what.tag = ++on.last_tag;
    auto tag = what.tag;
    ask_once(on, to, std::move(what), outstanding);
    batcher::actors::cancel(to, tag);
  } else {
    ask_once(on, to, std::move(what), outstanding);
  }
}

/// Asks from a thread of no actor until it is over.
inline void run_thread_client(stage& on, std::uint64_t seed) {
  constexpr std::size_t most_outstanding = 200;
  randomness random{seed};
  auto outstanding = std::make_shared<std::atomic<std::size_t>>(0);
  while (!on.is_over) {
    for (int i = 0; i < 10 && *outstanding < most_outstanding; ++i)
      act_at_random(on, random, outstanding);
    std::this_thread::sleep_for(2ms);
  }
}

// -- actors ---------------------------------------------------------------------------------------

/// Asks by messages until it is over, and ends when everything is answered.
class actor_client final : public caf::event_based_actor {
public:
  actor_client(caf::actor_config& cfg, stage& on, std::uint64_t seed)
    : caf::event_based_actor{cfg}, on_{on}, random_{seed} {
    for (const auto& b : on.batchers) helpers_.emplace_back(this, b);
  }

  const char* name() const override { return "soak.client"; }

  compat::enqueue_result enqueue(caf::mailbox_element_ptr msg,
                                 compat::execution_context* context) override {
    if (watch_.is_second(*msg)) ++on_.count.doubled;
    return caf::event_based_actor::enqueue(std::move(msg), context);
  }

protected:
  caf::behavior make_behavior() override {
    wake();
    return {[this](batcher::actors::tick_atom) { wake(); }};
  }

private:
  static constexpr std::size_t most_outstanding = 16;

  void wake() {
    if (on_.is_over && outstanding_ == 0) return quit();
    while (!on_.is_over && outstanding_ < most_outstanding) act();
    compat::delayed_send(this, caf::actor_cast<caf::actor>(this), 2ms,
                         batcher::actors::tick_atom_v);
  }

  void act() {
    const auto& to = on_.batchers[random_.below(on_.batchers.size())];
    auto what = random_request(random_);
    auto dice = random_.below(100);
    if (dice < 30) {
      auto promised = std::make_shared<slip>(on_.count, what.request);
      ask(promised, to, what.request);
    } else if (dice < 40) {
      ask_many(to);
    } else if (dice < 50) {
      ask_for_credit(to, std::move(what));
    } else if (dice < 70) {
      ask_with_help(random_.below(helpers_.size()), std::move(what));
    } else if (dice < 80) {
      what.tag = ++on_.last_tag;
      auto tag = what.tag;
      submit(to, std::move(what));
      cancel(to, tag);
    } else {
      submit(to, std::move(what));
    }
  }

  void submit(const handle& to, batcher::actors::submit<int> what) {
    auto promised = std::make_shared<slip>(on_.count, what.request);
    ask(promised, to, message_of(std::move(what)));
  }

  template <class Message>
  void ask(const slip_ptr& promised, const handle& to, Message message) {
    ++outstanding_;
    compat::request(this, to, std::move(message))
      .then(
        [this, promised](int y) {
          promised->answer(y);
          --outstanding_;
        },
        [this, promised](const caf::error& why) {
          promised->answer(why);
          --outstanding_;
        });
  }

  void ask_with_help(std::size_t number, batcher::actors::submit<int> what) {
    auto promised = std::make_shared<slip>(on_.count, what.request);
    ++outstanding_;
    helpers_[number].ask(std::move(what), [this, promised](const caf::expected<int>& reply) {
      promised->answer(reply);
      --outstanding_;
    });
  }

  void ask_many(const handle& to) {
    auto many = random_bulk(random_);
    auto slips = slips_for(on_, many);
    ++outstanding_;
    compat::request(this, to, message_of(std::move(many)))
      .then(
        [this, slips](batcher::actors::bulk_reply_message& reply) {
          settle(slips, batcher::actors::results_of<int>(reply));
          --outstanding_;
        },
        [this, slips](const caf::error& why) {
          for (const auto& promised : slips) promised->answer(why);
          --outstanding_;
        });
  }

  void cancel(const handle& to, std::uint64_t tag) {
    ++on_.count.questions;
    ++outstanding_;
    auto settle_question = [this] {
      ++on_.count.answers;
      --outstanding_;
    };
    compat::request(this, to, batcher::actors::cancel_atom_v, tag)
      .then([settle_question](bool) { settle_question(); },
            [settle_question](const caf::error&) { settle_question(); });
  }

  // Mostly there is no credit to be had, but the wrong answer must come as well.
  void ask_for_credit(const handle& to, batcher::actors::submit<int> what) {
    ++on_.count.questions;
    ++outstanding_;
    compat::request(this, to, batcher::actors::credit_atom_v, std::uint32_t{3})
      .then(
        [this, to, what](std::uint32_t) mutable {
          ++on_.count.answers;
          --outstanding_;
          what.on_credit = true;
          submit(to, std::move(what));
        },
        [this](const caf::error&) {
          ++on_.count.answers;
          --outstanding_;
        });
  }

  stage& on_;
  randomness random_;
  std::vector<batcher::actors::client<handle>> helpers_;
  std::size_t outstanding_ = 0;
  answer_watch watch_;
};

/// Asks and ends without waiting for the answers, which then reach nobody.
class mortal final : public caf::event_based_actor {
public:
  mortal(caf::actor_config& cfg, const std::vector<handle>& batchers, std::uint64_t seed)
    : caf::event_based_actor{cfg}, batchers_{batchers}, random_{seed} {}

  const char* name() const override { return "soak.mortal"; }

protected:
  caf::behavior make_behavior() override {
    for (const auto& b : batchers_)
      for (int i = 0; i < 5; ++i)
        compat::request(this, b, message_of(random_request(random_)))
          .then([](int) {}, [](const caf::error&) {});
    compat::delayed_send(this, caf::actor_cast<caf::actor>(this), 1ms,
                         batcher::actors::tick_atom_v);
    return {[this](batcher::actors::tick_atom) { quit(); }};
  }

private:
  std::vector<handle> batchers_;
  randomness random_;
};

} // namespace soak
