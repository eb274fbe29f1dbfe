// SPDX-License-Identifier: BSD-3-Clause
//
// Range checks of the options.

#include "batcher/options.hpp"

#include <algorithm>
#include <string_view>

namespace batcher {

namespace {

constexpr std::size_t most_workers = 4'096;
constexpr std::size_t most_credit = 1'024;
constexpr duration longest_delay = std::chrono::hours{1};

std::string problem(std::string_view knob, const std::string& value, std::string_view range) {
  std::string text{knob};
  text += " is ";
  text += value;
  text += ", but must be ";
  text += range;
  return text;
}

} // namespace

std::vector<std::string> validate(const options& opts) {
  std::vector<std::string> problems;
  auto require = [&](bool good, std::string_view knob, const std::string& value,
                     std::string_view range) {
    if (!good) problems.push_back(problem(knob, value, range));
  };
  require(!opts.name.empty(), "name", "empty", "a text of at least one character");
  require(opts.max_batch_items >= 1, "max_batch_items", std::to_string(opts.max_batch_items),
          "1 or more");
  require(opts.max_delay >= duration::zero() && opts.max_delay <= longest_delay, "max_delay",
          std::to_string(opts.max_delay.count()) + " ns", "from 0 to 1 hour");
  require(opts.when_idle == when_idle::fill || opts.when_idle == when_idle::immediate, "when_idle",
          std::to_string(static_cast<int>(opts.when_idle)), "fill or immediate");
  require(opts.max_queue_items >= std::max<std::size_t>(opts.max_batch_items, 1), "max_queue_items",
          std::to_string(opts.max_queue_items),
          "1 or more and at least max_batch_items (" + std::to_string(opts.max_batch_items) + ")");
  require(opts.workers >= 1 && opts.workers <= most_workers, "workers",
          std::to_string(opts.workers), "from 1 to 4096");
  require(opts.worker_credit >= 1 && opts.worker_credit <= most_credit, "worker_credit",
          std::to_string(opts.worker_credit), "from 1 to 1024");
  require(opts.worker_execution == worker_execution::detached
            || opts.worker_execution == worker_execution::cooperative,
          "worker_execution", std::to_string(static_cast<int>(opts.worker_execution)),
          "detached or cooperative");
  return problems;
}

} // namespace batcher
