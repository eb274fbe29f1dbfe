// SPDX-License-Identifier: BSD-3-Clause
//
// Range checks of the options: one line for each knob, in the order of the header. And what a running
// batcher keeps of them.

#include "batcher/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <utility>

namespace batcher {

namespace {

constexpr std::size_t most_workers = 4'096;
constexpr std::size_t most_credit = 1'024;
constexpr std::size_t most_shards = 64;
constexpr std::size_t most_attempts = 100;
constexpr std::size_t most_weight = 1'000;
constexpr double most_budget = 10;
constexpr duration least_pause = std::chrono::milliseconds{1};
constexpr duration hour = std::chrono::hours{1};
constexpr duration day = std::chrono::hours{24};

// -- values as text -------------------------------------------------------------------------------

std::string text_of(std::size_t x) { return std::to_string(x); }

std::string text_of(double x) {
  std::array<char, 32> digits; // the longest, -2.2250738585072014e-308, has 24
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), x).ptr};
}

// All units that it has, e.g. "1 h 30 min".
std::string text_of(duration x) {
  constexpr std::array<std::pair<std::uint64_t, std::string_view>, 6> units{{
    {3'600'000'000'000, " h"},
    {60'000'000'000, " min"},
    {1'000'000'000, " s"},
    {1'000'000, " ms"},
    {1'000, " us"},
    {1, " ns"},
  }};
  if (x == duration::zero()) return "0";
  bool is_negative = x < duration::zero();
  auto left = static_cast<std::uint64_t>(x.count());
  if (is_negative) left = 0 - left; // unsigned: the least duration has no positive counterpart
  std::string text;
  for (auto [nanoseconds, unit] : units) {
    if (left < nanoseconds) continue;
    text += text.empty() ? (is_negative ? "-" : "") : " ";
    text += std::to_string(left / nanoseconds);
    text += unit;
    left %= nanoseconds;
  }
  return text;
}

std::string text_of(const std::vector<std::size_t>& sizes) {
  constexpr std::size_t most_shown = 16;
  std::string text = "{";
  for (std::size_t i = 0; i < std::min(sizes.size(), most_shown); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(sizes[i]);
  if (sizes.size() > most_shown) text += ", ... " + std::to_string(sizes.size()) + " in all";
  return text + '}';
}

/// One end of a range: a value of its own or that of another knob.
template <class T>
struct bound {
  T value;
  std::string_view knob = {};
};

template <class T>
std::string text_of(const bound<T>& end) {
  if (end.knob.empty()) return text_of(end.value);
  return std::string{end.knob} + " (" + text_of(end.value) + ')';
}

// -- checks ---------------------------------------------------------------------------------------

enum class zero : std::uint8_t { ordinary, is_good };

class checker {
public:
  void require(bool is_good, std::string_view knob, const std::string& value,
               std::string_view what) {
    if (is_good) return;
    auto& text = problems_.emplace_back(knob);
    text += " is ";
    text += value;
    text += ", but must be ";
    text += what;
  }

  /// False for a number that is none, too.
  template <class T>
  bool in_range(std::string_view knob, T value, std::type_identity_t<bound<T>> least,
                std::type_identity_t<bound<T>> most, zero at_zero = zero::ordinary) {
    bool is_good =
      (value >= least.value && value <= most.value) || (at_zero == zero::is_good && value == T{});
    if (is_good) return true;
    std::string range = at_zero == zero::is_good ? "0 or " : "";
    range += "from " + text_of(least) + " to " + text_of(most);
    require(false, knob, text_of(value), range);
    return false;
  }

  void at_least(std::string_view knob, std::size_t value, const bound<std::size_t>& least) {
    require(value >= least.value, knob, text_of(value), text_of(least) + " or more");
  }

  /// `names`: those of all enumerators, which count from 0.
  template <class Enum>
  void enumerator(std::string_view knob, Enum value,
                  std::initializer_list<std::string_view> names) {
    auto number = static_cast<std::size_t>(value);
    std::string range;
    for (auto name : names) {
      if (!range.empty()) range += name == *std::prev(names.end()) ? " or " : ", ";
      range += name;
    }
    require(number < names.size(), knob, text_of(number), range);
  }

  std::vector<std::string> take() { return std::move(problems_); }

private:
  std::vector<std::string> problems_;
};

void check_allowed_sizes(checker& check, const options& opts) {
  auto& sizes = opts.allowed_batch_items;
  auto require = [&](bool is_good, std::string_view what) {
    check.require(is_good, "allowed_batch_items", text_of(sizes), what);
  };
  if (!sizes.empty()) {
    require(std::find(sizes.begin(), sizes.end(), 0u) == sizes.end(), "a list without 0");
    require(std::adjacent_find(sizes.begin(), sizes.end(), std::greater_equal{}) == sizes.end(),
            "an ascending list that names each size once");
    require(sizes.back() == opts.max_batch_items,
            "a list that ends with "
              + text_of(bound<std::size_t>{opts.max_batch_items, "max_batch_items"}));
  }
  check.enumerator("size_rounding", opts.size_rounding, {"down", "pad"});
  check.require(opts.size_rounding != size_rounding::pad || !sizes.empty(), "size_rounding", "pad",
                "down while allowed_batch_items is empty");
}

void check_batches(checker& check, const options& opts) {
  check.at_least("max_batch_items", opts.max_batch_items, {1});
  check.in_range("preferred_batch_items", opts.preferred_batch_items, {0},
                 {opts.max_batch_items, "max_batch_items"});
  check_allowed_sizes(check, opts);
  check.in_range("max_delay", opts.max_delay, {duration::zero()}, {hour});
  check.enumerator("when_idle", opts.when_idle, {"fill", "immediate", "adaptive"});
  check.in_range("batch_timeout", opts.batch_timeout, {duration::zero()}, {day});
  check.in_range("request_timeout", opts.request_timeout, {duration::zero()}, {day});
}

void check_queue(checker& check, const options& opts) {
  bound<std::size_t> batch{opts.max_batch_items, "max_batch_items"};
  if (batch.value == 0) batch = {1};
  check.at_least("max_queue_items", opts.max_queue_items, batch);
  // A queue that is too short is its own problem, and none of the lane's.
  bound<std::size_t> queue{opts.max_queue_items, "max_queue_items"};
  check.in_range("max_lane_items", opts.max_lane_items, batch,
                 queue.value < batch.value ? batch : queue, zero::is_good);
  check.in_range("max_tenant_items", opts.max_tenant_items, {1}, queue, zero::is_good);
  check.at_least("max_lanes", opts.max_lanes, {1});
  check.enumerator("overload", opts.overload, {"refuse_newest", "drop_oldest", "wait_for_credit"});
  check.in_range("credit_lease", opts.credit_lease, {least_pause}, {hour});
}

void check_order(checker& check, const options& opts) {
  check.in_range("priority_head_start", opts.priority_head_start, {duration::zero()}, {hour});
  for (auto& [tenant, weight] : opts.tenant_weights)
    check.in_range("tenant_weights[\"" + tenant + "\"]", std::size_t{weight}, {1}, {most_weight});
}

void check_failure(checker& check, const options& opts) {
  auto* again = std::get_if<retry::idempotent>(&opts.on_failure);
  if (!again) return;
  check.in_range("on_failure.max_attempts", again->max_attempts, {1}, {most_attempts});
  check.in_range("on_failure.budget", again->budget, {0}, {most_budget});
}

void check_workers(checker& check, const options& opts) {
  check.in_range("workers", opts.workers, {0}, {most_workers});
  check.in_range("worker_credit", opts.worker_credit, {1}, {most_credit});
  check.enumerator("worker_execution", opts.worker_execution, {"detached", "cooperative"});
  auto has_restart_delay =
    check.in_range("restart_delay", opts.restart_delay, {least_pause}, {hour}, zero::is_good);
  // A restart delay that is out of its range tells nothing about the longest one.
  bound<duration> least{opts.restart_delay, "restart_delay"};
  check.in_range("max_restart_delay", opts.max_restart_delay,
                 has_restart_delay ? least : bound<duration>{duration::zero()}, {hour});
  check.in_range("max_outage", opts.max_outage, {duration::zero()}, {hour});
}

void check_shards(checker& check, const options& opts) {
  bound<std::size_t> most{most_shards};
  if (opts.workers < most_shards) most = {std::max<std::size_t>(opts.workers, 1), "workers"};
  check.in_range("shards", opts.shards, {1}, most);
  check.enumerator("shard_by", opts.shard_by, {"load", "key"});
  if (opts.shards <= 1) return;
  check.require(opts.overload != overload::wait_for_credit, "overload", "wait_for_credit",
                "refuse_newest or drop_oldest while shards is more than 1");
  if (opts.shard_by != shard_by::load) return;
  auto none = [&](std::string_view knob, std::size_t limit) {
    check.require(limit == 0, knob, text_of(limit), "0 while a lane has a part in every shard");
  };
  none("max_lane_items", opts.max_lane_items);
  none("max_tenant_items", opts.max_tenant_items);
  none("max_lane_batches", opts.max_lane_batches);
}

} // namespace

std::vector<std::string> validate(const options& opts) {
  checker check;
  check.require(!opts.name.empty(), "name", "empty", "a text of at least one character");
  check_batches(check, opts);
  check_queue(check, opts);
  check_order(check, opts);
  check_failure(check, opts);
  check_workers(check, opts);
  check_shards(check, opts);
  return check.take();
}

options reconfigured(const options& running, options wanted) {
  wanted.name = running.name;
  wanted.observer = running.observer;
  wanted.shards = running.shards;
  wanted.shard_by = running.shard_by;
  return wanted;
}

} // namespace batcher
