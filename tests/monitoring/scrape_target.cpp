// SPDX-License-Identifier: BSD-3-Clause
//
// A program to be scraped: two batchers with a workload in made-up time, behind an endpoint on a
// free port. It prints its URL, then one line "query<TAB>value" for everything that a scrape must
// find, then an empty line, and serves until its standard input is closed. The values come from its
// own bookkeeping of what it did, not from the counters that are exported. `prometheus_test.py`
// drives it.

#include "batcher/batcher_core.hpp"
#include "batcher/monitoring/exposition.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
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

/// One batcher, driven by hand, and the books that are kept of it.
class workload {
public:
  workload(metrics& to, std::string name)
    : name_{std::move(name)}, core_{options{.name = name_,
                                            .max_batch_items = max_batch_items,
                                            .max_delay = 10ms,
                                            .max_queue_items = max_queue_items,
                                            .observer = to.new_observer()}} {}

  /// Sends `items` requests, 1 ms apart.
  void send(int items) {
    for (int i = 0; i < items; ++i) {
      now_ += 1ms;
      ++requests_;
      auto refused = core_.admit(now_, time_point{now_});
      if (refused != errc::none) ++replies_[std::string{to_string(refused)}];
    }
  }

  /// Lets a worker take what is due and answer it after `executed` and 1 ms of way.
  void work(duration executed, errc result = errc::none, std::size_t item_errors = 0) {
    now_ += 10ms;
    auto batch = core_.next_batch(now_);
    if (!batch) throw std::logic_error{"the workload is wrong: no batch is due"};
    auto items = batch->items.size();
    std::vector<time_point> arrivals(batch->items.begin(), batch->items.end());
    ++batches_[items == max_batch_items ? "size" : "deadline"];
    now_ += executed + 1ms;
    if (result == errc::none) {
      static_cast<void>(core_.complete(now_, batch->id, {items, item_errors, executed}));
      replies_["ok"] += items - item_errors;
      replies_["item_error"] += item_errors;
    } else {
      static_cast<void>(core_.fail(now_, batch->id, result, executed));
      replies_[std::string{to_string(result)}] += items;
    }
    for (auto arrival : arrivals) request_time_ += now_ - arrival;
    execute_time_ += executed * static_cast<int>(items);
    batched_items_ += items;
  }

  /// Hands a batch to a worker that never comes back.
  void hang() {
    now_ += 10ms;
    auto batch = core_.next_batch(now_);
    if (!batch) throw std::logic_error{"the workload is wrong: no batch is due"};
    ++batches_[batch->items.size() == max_batch_items ? "size" : "deadline"];
    in_flight_ += batch->items.size();
  }

  void worker_up() { core_.worker_up(1, 1); }

  /// Prints what a scrape must find.
  void tell(std::ostream& out) const {
    std::uint64_t replied = 0;
    for (auto how : all_outcomes) replied += value_of(replies_, to_string(how));
    std::uint64_t batched = 0;
    for (auto& [reason, batches] : batches_) batched += batches;
    tell(out, "batcher_requests_total", "", requests_);
    for (auto how : all_outcomes)
      tell(out, "batcher_replies_total", label("outcome", how), value_of(replies_, to_string(how)));
    for (auto why : all_close_reasons)
      tell(out, "batcher_batches_total", label("reason", why), value_of(batches_, to_string(why)));
    tell(out, "batcher_in_flight_items", "", in_flight_);
    tell(out, "batcher_queue_items", "", requests_ - replied - in_flight_);
    tell(out, "batcher_batch_items_sum", "", batched_items_);
    tell(out, "batcher_batch_items_count", "", batched - (in_flight_ > 0 ? 1 : 0));
    tell(out, "batcher_request_seconds_count", "", batched_items_);
    tell(out, "batcher_request_seconds_bucket", ",le=\"+Inf\"", batched_items_);
    tell(out, "batcher_request_seconds_sum", "", to_seconds(request_time_));
    tell(out, "batcher_execute_seconds_sum", "", to_seconds(execute_time_));
  }

private:
  using tally = std::map<std::string, std::uint64_t, std::less<>>;

  static std::uint64_t value_of(const tally& from, std::string_view name) {
    auto found = from.find(name);
    return found == from.end() ? 0 : found->second;
  }

  template <class Value>
  static std::string label(const char* name, Value value) {
    return ',' + std::string{name} + "=\"" + std::string{to_string(value)} + '"';
  }

  template <class Value>
  void tell(std::ostream& out, const char* metric, const std::string& more, Value value) const {
    out << metric << "{batcher=\"" << name_ << '"' << more << "}\t" << value << '\n';
  }

  std::string name_;
  batcher_core<time_point> core_;
  time_point now_{1s};
  std::uint64_t requests_ = 0;
  std::uint64_t in_flight_ = 0;
  std::uint64_t batched_items_ = 0;
  duration request_time_{};
  duration execute_time_{};
  tally replies_;
  tally batches_;
};

void run() {
  auto all = std::make_shared<metrics>();
  workload busy{*all, "busy"};
  busy.worker_up();
  busy.send(9); // the queue holds 6
  busy.work(7ms);
  busy.work(40us);
  busy.send(4);
  busy.work(3ms, errc::none, 1);
  busy.send(3);
  busy.work(2ms, errc::batch_failed);
  busy.send(6);
  busy.hang();
  busy.send(1);
  workload idle{*all, "idle"};

  exposition http{all, {.port = 0}};
  std::cout << std::setprecision(std::numeric_limits<double>::max_digits10) << http.url() << '\n';
  busy.tell(std::cout);
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
