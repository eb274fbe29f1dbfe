// SPDX-License-Identifier: BSD-3-Clause
//
// Who was promised a reply and what came. Any thread.

#pragma once

#include "batcher/actors/messages.hpp"

#include <caf/expected.hpp>
#include <caf/sec.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>

namespace soak {

/// What the batch functions give to items that they find fault with.
inline caf::error item_error() { return caf::make_error(caf::sec::invalid_argument); }

struct ledger {
  std::atomic<std::uint64_t> requests = 0;
  std::atomic<std::uint64_t> replies = 0;
  std::atomic<std::uint64_t> doubled = 0;
  std::atomic<std::uint64_t> overdue = 0; ///< Futures that were given up.
  std::atomic<std::uint64_t> wrong = 0;   ///< Another value than the right one.
  /// By code; a right result counts as `none`.
  std::array<std::atomic<std::uint64_t>, batcher::all_errcs.size()> by_code = {};
  std::atomic<std::uint64_t> item_errors = 0;
  std::atomic<std::uint64_t> receiver_down = 0; ///< CAF's own, of a batcher that was killed.
  std::atomic<std::uint64_t> other_errors = 0;
  /// Questions that are no requests: cancellations and asking for credit.
  std::atomic<std::uint64_t> questions = 0;
  std::atomic<std::uint64_t> answers = 0;

  void on_reply(int request, const caf::expected<int>& reply) {
    ++replies;
    if (!reply)
      on_error(reply.error());
    else if (*reply == 2 * request)
      ++by_code[0];
    else
      ++wrong;
  }

  [[nodiscard]] bool is_balanced() const { return requests == replies && questions == answers; }

private:
  void on_error(const caf::error& why) {
    if (why == item_error())
      ++item_errors;
    else if (why.category() == caf::make_error(batcher::errc::expired).category())
      ++by_code.at(static_cast<std::size_t>(why.code()));
    else if (why == caf::make_error(caf::sec::request_receiver_down))
      ++receiver_down;
    else
      ++other_errors;
  }
};

/// One promised reply, which notices a second one.
class slip {
public:
  slip(ledger& in, int request) : ledger_{&in}, request_{request} { ++in.requests; }

  void answer(const caf::expected<int>& reply) {
    if (is_answered_.exchange(true))
      ++ledger_->doubled;
    else
      ledger_->on_reply(request_, reply);
  }

private:
  ledger* ledger_;
  int request_;
  std::atomic<bool> is_answered_ = false;
};

using slip_ptr = std::shared_ptr<slip>;

/// Prints what came and returns whether that is what was promised. An error that neither the user nor
/// a batcher gives is as bad as none, but for CAF's own of an actor that is gone.
[[nodiscard]] inline bool print(const ledger& of) {
  std::printf("%lu requests, %lu replies, %lu doubled, %lu overdue, %lu wrong, %lu of a foreign "
              "error; %lu cancellations and credits asked for, %lu answered\n",
              of.requests.load(), of.replies.load(), of.doubled.load(), of.overdue.load(),
              of.wrong.load(), of.other_errors.load(), of.questions.load(), of.answers.load());
  for (auto code : batcher::all_errcs) {
    auto n = of.by_code[static_cast<std::size_t>(code)].load();
    if (n > 0)
      std::printf("  %-22s %10lu\n", code == batcher::errc::none ? "ok" : to_string(code).data(),
                  n);
  }
  std::printf("  %-22s %10lu\n  %-22s %10lu\n", "the item's own error", of.item_errors.load(),
              "request_receiver_down", of.receiver_down.load());
  return of.is_balanced() && of.doubled == 0 && of.overdue == 0 && of.wrong == 0
         && of.other_errors == 0;
}

} // namespace soak
