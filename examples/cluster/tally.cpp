// SPDX-License-Identifier: BSD-3-Clause
//
// Writes what was counted, see tally.hpp.

#include "cluster/tally.hpp"

#include "command_line/values.hpp"

#include <nlohmann/json.hpp>

namespace cluster {

namespace {

using command_line::grouped;

std::string count(std::uint64_t n) { return grouped(static_cast<double>(n)); }
std::string ms(batcher::duration d) { return grouped(batcher::to_seconds(d) * 1e3, 1); }

double per_second(const tally& x) {
  return x.seconds > 0 ? static_cast<double>(x.answered) / x.seconds : 0;
}

double mean_batch_items(const tally& x) {
  return x.batches > 0 ? static_cast<double>(x.answered + x.wrong) / x.batches : 0;
}

} // namespace

std::uint64_t tally::failed() const {
  std::uint64_t sum = 0;
  for (auto& [name, n] : errors) sum += n;
  return sum;
}

std::string to_text(const tally& x) {
  auto text = count(x.answered) + " of " + count(x.sent) + " requests answered in "
              + grouped(x.seconds, 2) + " s, " + grouped(per_second(x)) + " per second\n";
  text += count(x.wrong) + " answered wrong, " + count(x.failed()) + " failed, "
          + count(x.unanswered()) + " without an answer\n";
  for (auto& [name, n] : x.errors) text += "  " + name + ": " + count(n) + '\n';
  if (!x.last_error.empty()) text += "  the last error: " + x.last_error + '\n';
  if (x.answered == 0) return text;
  auto quantile = [&](double q) { return ms(x.latencies.quantile(q)); };
  text += "latency, ms: p50 " + quantile(0.5) + ", p95 " + quantile(0.95) + ", p99 "
          + quantile(0.99) + ", max " + ms(x.latencies.largest()) + '\n';
  text += "mean batch: " + grouped(mean_batch_items(x), 1) + " items\n";
  for (auto& [node, n] : x.answers_of) text += "  by " + node + ": " + count(n) + '\n';
  return text;
}

std::string to_json(const tally& x) {
  auto quantile = [&](double q) { return batcher::to_seconds(x.latencies.quantile(q)); };
  nlohmann::ordered_json all = {
    {"sent", x.sent},
    {"answered", x.answered},
    {"wrong", x.wrong},
    {"failed", x.failed()},
    {"unanswered", x.unanswered()},
    {"errors", x.errors},
    {"last_error", x.last_error},
    {"seconds", x.seconds},
    {"requests_per_second", per_second(x)},
    {"latency_seconds",
     {{"mean", batcher::to_seconds(x.latencies.mean())},
      {"p50", quantile(0.5)},
      {"p95", quantile(0.95)},
      {"p99", quantile(0.99)},
      {"max", batcher::to_seconds(x.latencies.largest())}}},
    {"mean_batch_items", mean_batch_items(x)},
    {"answers_of", x.answers_of},
  };
  // Names of workers come from elsewhere and may be no UTF-8.
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

} // namespace cluster
