// SPDX-License-Identifier: BSD-3-Clause
//
// Names and explains the knobs, see batcher_options.hpp.

#include "command_line/batcher_options.hpp"

#include "command_line/options.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace command_line {

void add_batch_options(CLI::App& app, batcher::options& to) {
  add_count(app, "--max-batch-items", to.max_batch_items, "Most items in a batch");
  add_count(app, "--preferred-batch-items", to.preferred_batch_items,
            "Items that close a batch while a worker is free; 0: the same");
  auto sizes = [](const std::string& text) {
    std::vector<std::size_t> result;
    for (auto x : parse_list(text)) result.push_back(count_of(x, text));
    return result;
  };
  add(app, "--allowed-batch-items", to.allowed_batch_items, sizes,
      "The only sizes there are, as a text such as \"16,32,64\"")
    ->type_name("LIST");
  add_choice(app, "--size-rounding", to.size_rounding,
             {{"down", batcher::size_rounding::down}, {"pad", batcher::size_rounding::pad}},
             "What becomes of other sizes");
  add_time(app, "--max-delay", to.max_delay, "Longest wait for others to join");
  add_choice(app, "--when-idle", to.when_idle,
             {{"fill", batcher::when_idle::fill},
              {"immediate", batcher::when_idle::immediate},
              {"adaptive", batcher::when_idle::adaptive}},
             "What an idle worker does with a partial batch");
}

void add_limit_options(CLI::App& app, batcher::options& to) {
  add_time(app, "--batch-timeout", to.batch_timeout, "Longest that a batch may take; 0: any");
  add_time(app, "--request-timeout", to.request_timeout, "Longest that a request may take; 0: any");
  add_count(app, "--max-queue-items", to.max_queue_items, "Most items that wait");
  add_count(app, "--max-lane-items", to.max_lane_items, "The same of each key; 0: any");
  add_count(app, "--max-lane-batches", to.max_lane_batches,
            "Batches of a key with the workers at once; 0: any");
  add_choice(
    app, "--overload", to.overload,
    {{"refuse", batcher::overload::refuse_newest},
     {"drop", batcher::overload::drop_oldest},
     {"wait", batcher::overload::wait_for_credit}},
    "What a full queue does: refuse the newest, drop the oldest, or refuse and let clients wait "
    "that ask for credit");
  add_count(app, "--breaker-failures", to.breaker_failures,
            "Failures in a row that put a worker aside; 0: none");
}

} // namespace command_line
