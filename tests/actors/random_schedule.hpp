// SPDX-License-Identifier: BSD-3-Clause
//
// One random schedule of the actors, in virtual time: clients that ask everything that can be asked
// of a batcher, workers that answer or fail as told, and what is kept to check the reply contract.

#pragma once

#include "actor_fixture.hpp"
#include "random_options.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace batcher::tests {

using promise = actors::batch_promise<int>;
using results = actors::bulk_results<int>;
using hooks = actors::hooks<int, int>;

class schedule : public actor_fixture {
public:
  explicit schedule(std::uint32_t bits);

  ~schedule();

  void take(std::uint32_t bits);

  /// Lets the functions answer, ends the batcher one way or another, and counts.
  void check_all_answered(std::uint32_t bits);

  /// Adds what this schedule has reached to the counts of all schedules.
  void add_to(std::map<std::string, int>& reached) const {
    for (auto& [what, times] : reached_) reached[what] += times > 0;
  }

private:
  /// What the answer to a batch comes to.
  enum class answer { values, one_error, failure, one_too_many, none_at_all, dropped };
  static constexpr std::uint32_t answers = 6;

  struct expectation {
    std::size_t client;
    int answers = 0;
  };
  struct owed_batch {
    std::vector<int> requests;
    promise to;
  };

  static constexpr std::size_t nobody = ~std::size_t{0}; // from outside

  // -- setting up ---------------------------------------------------------------------------------

  hooks random_hooks(dice& roll);

  template <class Factory>
  handle spawn_watched(const options& opts, const hooks& how, Factory make);

  void fail_start();

  void note_policy(const options& opts) {
    was_idempotent_ |= !std::holds_alternative<retry::never>(opts.on_failure);
  }

  // -- requests -----------------------------------------------------------------------------------

  static int class_of(int x);

  int value_of(int x) const;

  /// Returns what takes the answer to a new request, which has the number `next_`.
  std::function<void(caf::expected<int>)> expect(std::size_t client);

  actors::submit<int> random_submit(dice& roll);

  void submit_some(dice& roll);

  void send_bulk(dice& roll);

  void ask_some(dice& roll);

  void cancel_one(dice& roll);

  /// Sends what has an answer of its own, which is owed as well.
  template <class T, class... Ts>
  void expect_answer(std::string what, std::size_t client, Ts... xs);

  // -- what the functions do ----------------------------------------------------------------------

  void note_executed(batch xs);

  results results_for(answer how, batch xs);

  /// Answers one of the batches that are owed, or says how the next one will be answered.
  void answer_one(dice& roll, answer how);

  // -- what goes wrong ----------------------------------------------------------------------------

  void take_rare(std::uint32_t what, dice& roll);

  static caf::actor live(const caf::actor_addr& addr) { return caf::actor_cast<caf::actor>(addr); }

  std::size_t some_client(dice& roll) { return clients_.size() - 1 - roll(3); }

  // Another one comes in its place.
  void end_client(dice& roll);

  bool is_waiting(std::size_t client) const {
    return std::find(ended_.begin(), ended_.end(), client) == ended_.end();
  }

  // -- checks -------------------------------------------------------------------------------------

  // Nothing ends: time passes and the functions answer.
  void go_on();

  void check_counters();

  // Nothing is left, so every tag is free; the closed batcher refuses with another code.
  void check_tags();

  handle batcher_;
  std::vector<caf::actor> clients_;
  std::vector<std::size_t> ended_;
  std::pair<std::size_t, std::uint64_t> last_tagged_; // client and tag
  std::vector<caf::actor_addr> workers_;
  std::vector<owed_batch> owed_;
  answer next_answer_ = answer::values;
  std::uint32_t failing_starts_ = 0;
  bool coalesces_ = false;
  bool was_idempotent_ = false;
  bool was_killed_ = false;
  int next_ = 0;
  int wrong_values_ = 0;
  std::vector<expectation> expected_;
  std::map<int, int> executed_;
  std::map<std::string, int> reached_;
};

} // namespace batcher::tests
