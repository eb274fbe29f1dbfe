// SPDX-License-Identifier: BSD-3-Clause
//
// A program to be scraped: two batchers with a workload in made-up time, one of them with nodes,
// behind an endpoint on a free port. It prints its URL, then one line "query<TAB>value" for everything that a scrape must
// find, then an empty line, and serves until its standard input is closed. The values come from its
// own bookkeeping of what it did, not from the counters that are exported. `prometheus_test.py`
// drives it.

#include "batcher/batcher_core.hpp"
#include "batcher/monitoring/exposition.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace batcher;
using namespace batcher::monitoring;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t max_batch_items = 4;
constexpr std::size_t max_queue_items = 6;

/// Two that ask for the same share a place.
struct request {
  time_point arrival;
  int asks_for = 0;
};

/// One batcher, driven by hand, and the books that are kept of it.
class workload {
public:
  using core = batcher_core<request>;

  workload(metrics& to, std::string name) : name_{std::move(name)}, core_{make_core(to, name_)} {}

  // -- workers ------------------------------------------------------------------------------------

  /// Starts one worker that comes up and one that dies and is started again, but is not ready yet.
  void start_workers() {
    auto good = start_worker();
    auto bad = start_worker();
    core_.worker_up(now_, good, 1);
    core_.worker_down(now_, bad);
    now_ += 1s; // longer than it waits
    if (start_worker() != bad) throw std::logic_error{"the workload is wrong: another one started"};
    ++restarts_;
    workers_ = {{"serving", 1}, {"starting", 1}};
  }

  // -- requests -----------------------------------------------------------------------------------

  /// Sends `items` requests, 1 ms apart. Returns the last one's name.
  item_id send(int items, const placement& where = {}) {
    item_id last = 0;
    for (int i = 0; i < items; ++i) last = send_one(++last_asked_for_, where);
    return last;
  }

  /// Sends what the last request asked for once more.
  void send_same() {
    static_cast<void>(send_one(last_asked_for_, {}));
    ++coalesced_;
  }

  void cancel(item_id id) {
    if (!core_.cancel(now_, id)) throw std::logic_error{"the workload is wrong: nothing to cancel"};
    settle({}, {});
  }

  // -- batches ------------------------------------------------------------------------------------

  /// Lets a worker take what is due and answer it after `executed` and 1 ms of way; the first
  /// `item_errors` results are errors. `meanwhile` happens while it is executed. Returns whether
  /// its items have left.
  bool work(duration executed, errc result = errc::none, std::size_t item_errors = 0,
            const std::function<void()>& meanwhile = {}) {
    auto batch = take();
    auto items = batch.items.size();
    if (meanwhile) meanwhile();
    now_ += executed + 1ms;
    batched_items_ += items;
    ++ended_batches_;
    if (result == errc::none) {
      batch_report report{.results = items, .failed = {}, .executed = executed};
      for (std::uint32_t i = 0; i < item_errors; ++i) report.failed.push_back(i);
      core_.complete(now_, batch.id, report);
      settle(executed, report.failed);
      if (core_.complete(now_, batch.id, report)) // it comes twice
        throw std::logic_error{"the workload is wrong: a batch has ended twice"};
      ++late_;
      return true;
    }
    core_.fail(now_, batch.id, result, executed);
    ++failures_[std::string{to_string(result)}];
    bool has_left = settle(executed, {});
    if (has_left) ++denied_; // no other limit is in reach
    if (!has_left && items > 1) ++bisections_;
    return has_left;
  }

  /// Hands a batch to a worker that never comes back.
  void hang() { in_flight_ += take().items.size(); }

  void waste(std::size_t items) { wasted_ += items; }

  /// Tells the batcher that nothing more is due, with `lanes` and `cost` left.
  void rest(std::uint64_t lanes, std::uint64_t cost) {
    if (core_.next_batch(now_)) throw std::logic_error{"the workload is wrong: a batch is due"};
    lanes_ = lanes;
    cost_ = cost;
  }

  [[nodiscard]] observer& watcher() const { return *core_.opts().observer; }

  // -- books --------------------------------------------------------------------------------------

  /// Prints what a scrape must find.
  void tell(std::ostream& out) const {
    std::uint64_t replied = 0;
    for (auto how : all_outcomes) replied += value_of(replies_, to_string(how));
    tell(out, "batcher_requests_total", "", requests_);
    tell_each(out, "batcher_replies_total", "outcome", all_outcomes, replies_);
    tell_each(out, "batcher_batches_total", "reason", all_close_reasons, batches_);
    tell_each(out, "batcher_batch_failures_total", "kind", all_failures, failures_);
    tell_each(out, "batcher_workers", "stage", all_worker_stages, workers_);
    tell(out, "batcher_in_flight_items", "", in_flight_);
    tell(out, "batcher_queue_items", "", requests_ - replied - in_flight_);
    tell(out, "batcher_queue_cost", "", cost_);
    tell(out, "batcher_lanes", "", lanes_);
    tell(out, "batcher_coalesced_requests_total", "", coalesced_);
    tell(out, "batcher_bisections_total", "", bisections_);
    tell(out, "batcher_retries_denied_total", "", denied_);
    tell(out, "batcher_worker_restarts_total", "", restarts_);
    tell(out, "batcher_wasted_items_total", "", wasted_);
    tell(out, "batcher_padding_items_total", "", padding_);
    tell(out, "batcher_late_answers_total", "", late_);
    tell(out, "batcher_batch_items_sum", "", batched_items_);
    tell(out, "batcher_batch_items_count", "", ended_batches_);
    tell(out, "batcher_request_seconds_count", "", left_with_batch_);
    tell(out, "batcher_request_seconds_bucket", ",le=\"+Inf\"", left_with_batch_);
    tell(out, "batcher_request_seconds_sum", "", to_seconds(request_time_));
    tell(out, "batcher_execute_seconds_sum", "", to_seconds(execute_time_));
  }

private:
  using tally = std::map<std::string, std::uint64_t, std::less<>>;

  static core make_core(metrics& to, const std::string& name) {
    options opts{.name = name,
                 .max_batch_items = max_batch_items,
                 .allowed_batch_items = {1, 2, 4},
                 .size_rounding = size_rounding::pad,
                 .max_delay = 10ms,
                 .max_queue_items = max_queue_items,
                 .on_failure = retry::idempotent{.max_attempts = 100, .bisect = true, .budget = 0},
                 .workers = 2,
                 .breaker_failures = 0,
                 .observer = to.new_observer()};
    return core{std::move(opts),
                0,
                {.hash = [](auto& x) { return static_cast<std::size_t>(x.asks_for); },
                 .equal = [](auto& x, auto& y) { return x.asks_for == y.asks_for; }}};
  }

  worker_id start_worker() {
    auto id = core_.next_start(now_);
    if (!id) throw std::logic_error{"the workload is wrong: no worker is to be started"};
    return *id;
  }

  item_id send_one(int asks_for, const placement& where) {
    now_ += 1ms;
    ++requests_;
    auto admitted = core_.admit(now_, {now_, asks_for}, where);
    if (admitted.refused != errc::none) ++replies_[std::string{to_string(admitted.refused)}];
    return admitted.id;
  }

  core::batch take() {
    now_ += 10ms;
    auto batch = core_.next_batch(now_);
    if (!batch) throw std::logic_error{"the workload is wrong: no batch is due"};
    auto items = batch->items.size();
    bool is_first = batch->attempt == 1;
    ++batches_[!is_first ? "retry" : items == max_batch_items ? "size" : "deadline"];
    padding_ += std::bit_ceil(items) - items;
    return std::move(*batch);
  }

  /// Books what has left. Returns whether anything has.
  bool settle(duration executed, const std::vector<std::uint32_t>& failed) {
    auto& left = core_.departures();
    for (auto& each : left) {
      bool is_error = std::find(failed.begin(), failed.end(), each.position) != failed.end();
      if (each.outcome != errc::none)
        ++replies_[std::string{to_string(each.outcome)}];
      else
        ++replies_[is_error ? "item_error" : "ok"];
      if (each.outcome == errc::cancelled) continue;
      ++left_with_batch_;
      request_time_ += now_ - each.item.arrival;
      execute_time_ += executed;
    }
    bool has_left = !left.empty();
    core_.clear_departures();
    return has_left;
  }

  static std::uint64_t value_of(const tally& from, std::string_view name) {
    auto found = from.find(name);
    return found == from.end() ? 0 : found->second;
  }

  template <class Values>
  void tell_each(std::ostream& out, const char* metric, const char* label, const Values& values,
                 const tally& from) const {
    for (auto value : values) {
      auto text = to_string(value);
      auto more = ',' + std::string{label} + "=\"" + std::string{text} + '"';
      tell(out, metric, more, value_of(from, text));
    }
  }

  template <class Value>
  void tell(std::ostream& out, const char* metric, const std::string& more, Value value) const {
    out << metric << "{batcher=\"" << name_ << '"' << more << "}\t" << value << '\n';
  }

  std::string name_;
  core core_;
  time_point now_{1s};
  int last_asked_for_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t coalesced_ = 0;
  std::uint64_t in_flight_ = 0;
  std::uint64_t batched_items_ = 0;
  std::uint64_t ended_batches_ = 0;
  std::uint64_t left_with_batch_ = 0;
  std::uint64_t bisections_ = 0;
  std::uint64_t denied_ = 0;
  std::uint64_t restarts_ = 0;
  std::uint64_t wasted_ = 0;
  std::uint64_t padding_ = 0;
  std::uint64_t late_ = 0;
  std::uint64_t lanes_ = 0;
  std::uint64_t cost_ = 0;
  duration request_time_{};
  duration execute_time_{};
  tally replies_;
  tally batches_;
  tally failures_;
  tally workers_;
};

/// Nodes of the busy batcher: a client, a worker node that was lost and is back, one that is away,
/// and somebody who was refused.
class node_workload {
public:
  explicit node_workload(observer& to) {
    to.on_node("shop", client_);
    client_->on_requests(9);
    to.on_node("gpu-1", before_);
    run(*before_, 2);
    before_->on_dispatched(5, 1);
    before_->on_ended(node_result::lost, 5);
    before_->set_lost();
    before_->on_late_answer();
    to.on_node("gpu-1", there_);
    run(*there_, 4);
    there_->on_dispatched(3, 2);
    there_->set_busy(1);
    to.on_node("gpu-2", away_);
    away_->set_lost();
    to.on_node_refused();
  }

  void tell(std::ostream& out) const {
    tell(out, "nodes", "role=\"client\"", 1);
    tell(out, "nodes", "role=\"worker\"", 1);
    out << "batcher_nodes_refused_total{batcher=\"busy\"}\t1\n";
    out << "batcher_node_requests_total{batcher=\"busy\"}\t9\n";
    const std::string gpu_1 = "node=\"gpu-1\"";
    tell(out, "node_connects_total", gpu_1, 2);
    tell(out, "node_losses_total", gpu_1, 1);
    tell(out, "node_workers", gpu_1 + ",state=\"busy\"", 1);
    tell(out, "node_workers", gpu_1 + ",state=\"idle\"", 2);
    tell(out, "node_workers", gpu_1 + ",state=\"away\"", 0);
    tell(out, "node_workers", "node=\"gpu-2\",state=\"away\"", 3);
    tell(out, "node_in_flight_batches", gpu_1, 1);
    tell(out, "node_in_flight_items", gpu_1, 3);
    tell(out, "node_batches_total", gpu_1 + ",result=\"ok\"", 6);
    tell(out, "node_batches_total", gpu_1 + ",result=\"lost\"", 1);
    tell(out, "node_retries_total", gpu_1, 1);
    tell(out, "node_late_answers_total", gpu_1, 1);
    tell(out, "node_wire_seconds_count", gpu_1, 6);
    tell(out, "node_wire_seconds_sum", gpu_1, 6 * 0.001);
    tell(out, "node_wait_seconds_sum", gpu_1, 6 * 0.004);
    tell(out, "node_execute_seconds_sum", gpu_1, 6 * 0.015);
    tell(out, "node_execute_seconds_bucket", gpu_1 + ",le=\"0.01\"", 0);
    tell(out, "node_execute_seconds_bucket", gpu_1 + ",le=\"0.05\"", 6);
  }

private:
  using counters = std::shared_ptr<node_counters>;

  static void run(node_counters& at, int batches) {
    for (int i = 0; i < batches; ++i) {
      at.on_dispatched(2, 1);
      at.on_times(20ms, 19ms, 15ms);
      at.on_ended(node_result::ok, 2);
    }
  }

  static void tell(std::ostream& out, const char* metric, const std::string& labels, double value) {
    out << "batcher_" << metric << "{batcher=\"busy\"," << labels << "}\t" << value << '\n';
  }

  static counters worker() { return std::make_shared<node_counters>(node_role::worker, 3); }

  counters client_ = std::make_shared<node_counters>(node_role::client, 0);
  counters before_ = worker();
  counters there_ = worker();
  counters away_ = worker();
};

void run_busy(workload& busy) {
  busy.start_workers();
  busy.send(9); // the queue holds 6
  busy.work(7ms);
  busy.work(40us);
  busy.send(3);
  busy.send_same(); // shares the place of the third
  busy.work(3ms, errc::none, 1);
  auto last = busy.send(3);
  busy.work(2ms, errc::none, 0, [&] { busy.cancel(last); });
  busy.waste(1);
  busy.send(4);
  busy.work(2ms, errc::batch_failed);
  busy.work(1ms);
  busy.work(1ms, errc::worker_lost);
  busy.work(1ms);
  busy.work(1ms);
  busy.send(1);
  while (!busy.work(100us, errc::result_count_mismatch)) continue; // until no retry is left
  busy.send(4);
  busy.hang();
  busy.send(1);
  busy.send(1, {.key = "other", .cost = 3});
  busy.rest(2, 4);
}

void run() {
  auto all = std::make_shared<metrics>();
  workload busy{*all, "busy"};
  run_busy(busy);
  node_workload nodes{busy.watcher()};
  workload idle{*all, "idle"};

  exposition http{all, {.port = 0}};
  std::cout << std::setprecision(std::numeric_limits<double>::max_digits10) << http.url() << '\n';
  busy.tell(std::cout);
  nodes.tell(std::cout);
  idle.tell(std::cout);
  std::cout << std::endl;
  while (std::cin.get() != std::istream::traits_type::eof()) continue;
}

} // namespace

int main() {
  try {
    run();
  } catch (const std::exception& error) {
    std::cerr << "scrape_target: " << error.what() << '\n';
    return 1;
  }
}
