// SPDX-License-Identifier: BSD-3-Clause
//
// Nodes of published batchers: they come and go and come back, with names that nobody has checked.

#include "batcher/monitoring/metrics.hpp"

#include "collected.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

using namespace batcher;
using namespace batcher::monitoring;
using namespace std::chrono_literals;

namespace {

using connection = std::shared_ptr<node_counters>;

/// A batcher called "b" to which a test connects nodes.
struct fixture {
  metrics all;
  std::shared_ptr<observer> watcher = all.new_observer();
  std::shared_ptr<live_counters> counters = std::make_shared<live_counters>();

  fixture() { watcher->on_start("b", 64, counters); }

  [[nodiscard]] connection connect(std::string_view name, std::size_t workers = 1) const {
    auto made = std::make_shared<node_counters>(node_role::worker, workers);
    watcher->on_node(name, made);
    return made;
  }

  [[nodiscard]] connection connect_client() const {
    auto made = std::make_shared<node_counters>(node_role::client, 0);
    watcher->on_node("client", made);
    return made;
  }

  [[nodiscard]] std::set<std::string> nodes() const {
    std::set<std::string> found;
    collected now{all};
    for (auto& child : now.children(node_connects_total))
      for (auto& label : child.label)
        if (label.name == "node") found.insert(label.value);
    return found;
  }
};

/// One scrape, for what has the label of a node.
struct scrape : collected {
  explicit scrape(const fixture& f) : collected{f.all} {}

  [[nodiscard]] double counter_of(const metric_info& info, const std::string& node) const {
    return child(info, {{"batcher", "b"}, {"node", node}}).counter.value;
  }
  [[nodiscard]] double gauge_of(const metric_info& info, const std::string& node) const {
    return child(info, {{"batcher", "b"}, {"node", node}}).gauge.value;
  }
  [[nodiscard]] double workers_of(const std::string& node, node_worker_state x) const {
    label_map labels{{"batcher", "b"}, {"node", node}, {"state", std::string{to_string(x)}}};
    return child(node_workers, labels).gauge.value;
  }
  [[nodiscard]] double batches_of(const std::string& node, node_result x) const {
    label_map labels{{"batcher", "b"}, {"node", node}, {"result", std::string{to_string(x)}}};
    return child(node_batches_total, labels).counter.value;
  }
  [[nodiscard]] double connected(node_role x) const {
    label_map labels{{"batcher", "b"}, {"role", std::string{to_string(x)}}};
    return child(monitoring::nodes, labels).gauge.value;
  }
  [[nodiscard]] const prometheus::ClientMetric::Histogram& times_of(const metric_info& info,
                                                                    const std::string& node) const {
    return child(info, {{"batcher", "b"}, {"node", node}}).histogram;
  }
};

constexpr auto idle = node_worker_state::idle;
constexpr auto busy = node_worker_state::busy;
constexpr auto leaving = node_worker_state::leaving;
constexpr auto away = node_worker_state::away;

/// Lets a batch of two items go to a node, come back and take those times.
void run_batch(node_counters& at, node_result how = node_result::ok) {
  at.on_dispatched(2, 1);
  at.on_times(20ms, 15ms, 5ms);
  at.on_ended(how, 2);
}

} // namespace

TEST_CASE("everything of a node is there with 0 as soon as it connects") {
  fixture f;
  auto node = f.connect("gpu-3", 4);
  scrape now{f};
  CHECK(now.connected(node_role::worker) == 1);
  CHECK(now.connected(node_role::client) == 0);
  CHECK(now.counter_of(node_connects_total, "gpu-3") == 1);
  CHECK(now.workers_of("gpu-3", idle) == 4);
  for (auto state : {busy, leaving, away}) CHECK(now.workers_of("gpu-3", state) == 0);
  for (auto how : all_node_results) CHECK(now.batches_of("gpu-3", how) == 0);
  for (auto& info : {node_losses_total, node_retries_total, node_late_answers_total})
    CHECK(now.counter_of(info, "gpu-3") == 0);
  for (auto& info : {node_in_flight_batches, node_in_flight_items})
    CHECK(now.gauge_of(info, "gpu-3") == 0);
  for (auto& info : {node_wire_seconds, node_wait_seconds, node_execute_seconds})
    CHECK(now.times_of(info, "gpu-3").sample_count == 0);
}

TEST_CASE("everything of a node is counted under its own name") {
  fixture f;
  auto node = f.connect("gpu-3", 4);
  node->set_busy(3);
  for (std::size_t i = 0; i < all_node_results.size(); ++i)
    for (std::size_t n = 0; n <= i; ++n) run_batch(*node, all_node_results[i]);
  node->on_dispatched(7, 2);
  node->on_dispatched(5, 3);
  for (int n = 0; n < 9; ++n) node->on_late_answer();
  scrape now{f};
  CHECK(now.workers_of("gpu-3", busy) == 3);
  CHECK(now.workers_of("gpu-3", idle) == 1);
  for (std::size_t i = 0; i < all_node_results.size(); ++i)
    CHECK(now.batches_of("gpu-3", all_node_results[i]) == static_cast<double>(i + 1));
  CHECK(now.gauge_of(node_in_flight_batches, "gpu-3") == 2);
  CHECK(now.gauge_of(node_in_flight_items, "gpu-3") == 12);
  CHECK(now.counter_of(node_retries_total, "gpu-3") == 2);
  CHECK(now.counter_of(node_late_answers_total, "gpu-3") == 9);
}

TEST_CASE("the times of a node are histograms whose sums add up") {
  fixture f;
  auto node = f.connect("a");
  run_batch(*node);
  run_batch(*node);
  scrape now{f};
  for (auto [info, sum, edge] : {std::tuple{node_wire_seconds, 0.010, 5e-3},
                                 {node_wait_seconds, 0.020, 10e-3},
                                 {node_execute_seconds, 0.010, 5e-3}}) {
    auto& times = now.times_of(info, "a");
    CHECK(times.sample_count == 2);
    CHECK(times.sample_sum == sum);
    CHECK(in_bucket(times, edge) == 2);
    CHECK(edges_of(times)
          == std::vector<double>(info.bucket_edges.begin(), info.bucket_edges.end()));
  }
  CHECK(node_edges.front() == 1e-4);
  CHECK(node_edges.back() == 5);
}

TEST_CASE("a lost node is away until it is back, and its counters go on") {
  fixture f;
  auto first = f.connect("a", 2);
  run_batch(*first);
  first->set_busy(1);
  first->on_dispatched(3, 1);
  first->on_ended(node_result::lost, 3);
  first->set_lost();
  auto session_lingers = GENERATE(true, false); // it hears what comes too late
  if (!session_lingers) first.reset();
  for (auto scraped : {1, 2}) {
    INFO("scrape " << scraped);
    scrape lost{f};
    CHECK(lost.workers_of("a", away) == 2);
    CHECK(lost.workers_of("a", busy) + lost.workers_of("a", idle) == 0);
    CHECK(lost.connected(node_role::worker) == 0);
    CHECK(lost.counter_of(node_losses_total, "a") == 1);
    CHECK(lost.batches_of("a", node_result::ok) == 1);
    CHECK(lost.batches_of("a", node_result::lost) == 1);
  }

  auto second = f.connect("a", 2);
  run_batch(*second);
  scrape back{f};
  CHECK(back.workers_of("a", away) == 0);
  CHECK(back.workers_of("a", idle) == 2);
  CHECK(back.connected(node_role::worker) == 1);
  CHECK(back.counter_of(node_connects_total, "a") == 2);
  CHECK(back.counter_of(node_losses_total, "a") == 1);
  CHECK(back.batches_of("a", node_result::ok) == 2);
  CHECK(back.times_of(node_execute_seconds, "a").sample_count == 2);

  second->set_left();
  CHECK(scrape{f}.workers_of("a", away) == 0); // it is where it should be
}

TEST_CASE("a node that came back before its loss was noticed is not away") {
  fixture f;
  auto first = f.connect("a");
  auto second = f.connect("a");
  auto is_twin = GENERATE(false, true); // two of one name: which is lost nobody can tell
  (is_twin ? second : first)->set_lost();
  scrape now{f};
  CHECK(now.workers_of("a", away) == 0);
  CHECK(now.workers_of("a", idle) == 1);
  CHECK(now.counter_of(node_losses_total, "a") == 1);
}

TEST_CASE("a node that left in order leaves its totals, and is not away") {
  fixture f;
  auto node = f.connect("a", 3);
  run_batch(*node);
  node->set_leaving();
  CHECK(scrape{f}.workers_of("a", leaving) == 3);
  node->set_left();
  node->set_lost(); // its session ends
  node.reset();
  scrape now{f};
  for (auto state : all_node_worker_states) CHECK(now.workers_of("a", state) == 0);
  CHECK(now.counter_of(node_losses_total, "a") == 0);
  CHECK(now.batches_of("a", node_result::ok) == 1);
}

TEST_CASE("nodes of one name are summed up, those of different names do not mix") {
  fixture f;
  auto one = f.connect("a", 2);
  auto two = f.connect("a", 3);
  auto other = f.connect("other");
  run_batch(*one);
  run_batch(*two);
  one->set_busy(1);
  two->set_busy(2);
  one->on_dispatched(5, 1);
  two->on_dispatched(7, 1);
  scrape now{f};
  CHECK(now.connected(node_role::worker) == 3);
  CHECK(now.workers_of("a", busy) == 3);
  CHECK(now.workers_of("a", idle) == 2);
  CHECK(now.gauge_of(node_in_flight_batches, "a") == 2);
  CHECK(now.gauge_of(node_in_flight_items, "a") == 12);
  CHECK(now.batches_of("a", node_result::ok) == 2);
  CHECK(now.counter_of(node_connects_total, "a") == 2);
  CHECK(now.batches_of("other", node_result::ok) == 0);
}

TEST_CASE("a name that is no text cannot spoil a scrape") {
  fixture f;
  auto [name, label] = GENERATE(values<std::pair<std::string, std::string>>({
    {"", "unnamed"},
    {"k\xc3\xb6ln", "k??ln"},
    {"\xff\xfe", "??"},
    {std::string("a\0b\n\x7f", 5), "a?b??"},
    {std::string(64, 'x'), std::string(64, 'x')},
    {std::string(100'000, 'x'), std::string(64, 'x')},
    {"a\"b\\c", "a\"b\\c"}, // the text format escapes these
  }));
  auto node = f.connect(name);
  CHECK(f.nodes() == std::set<std::string>{label});
}

TEST_CASE("of the nodes that are gone those that came last are kept, of the others all") {
  constexpr std::size_t most_gone = 64;
  fixture f;
  auto there = f.connect("there all the time");
  auto back = f.connect("goes and comes");
  std::vector<connection> gone;
  auto connect_and_lose = [&](const std::string& name) {
    gone.push_back(f.connect(name));
    gone.back()->set_lost();
  };
  for (std::size_t i = 0; i < most_gone; ++i) connect_and_lose("gone-" + std::to_string(i));
  CHECK(f.nodes().size() == most_gone + 2);
  connect_and_lose("gone-0"); // again
  back->set_lost();
  back = f.connect("goes and comes");
  CHECK(f.nodes().size() == most_gone + 2);
  connect_and_lose("one more");
  auto last = f.connect("the last one");
  auto now = f.nodes();
  CHECK(now.size() == most_gone + 3);
  CHECK(now.count("gone-1") == 0);
  for (auto name : {"there all the time", "goes and comes", "gone-0", "gone-2", "one more"}) {
    INFO(name);
    CHECK(now.count(name) == 1);
  }
  CHECK(scrape{f}.counter_of(node_connects_total, "gone-0") == 2);
}

TEST_CASE("what a connection counted is let go when it is over and the node is back") {
  fixture f;
  auto by_scrape = GENERATE(true, false);
  auto first = f.connect("a");
  std::weak_ptr<node_counters> watched = first;
  first->set_lost();
  auto second = f.connect("a");
  first.reset();
  CHECK_FALSE(watched.expired());
  connection third;
  if (by_scrape)
    static_cast<void>(f.all.Collect());
  else
    third = f.connect("a");
  CHECK(watched.expired());
}

TEST_CASE("clients are counted together") {
  fixture f;
  auto one = f.connect_client();
  auto two = f.connect_client();
  one->on_requests(5);
  two->on_requests(7);
  CHECK(scrape{f}.connected(node_role::client) == 2);
  two->set_lost();
  two.reset();
  scrape now{f};
  CHECK(now.connected(node_role::client) == 1);
  CHECK(now.counter(node_requests_total, "b") == 12);
  CHECK(f.nodes().empty());
}

TEST_CASE("who is refused is counted without a name") {
  fixture f;
  CHECK(scrape{f}.counter(nodes_refused_total, "b") == 0);
  f.watcher->on_node_refused();
  f.watcher->on_node_refused();
  CHECK(scrape{f}.counter(nodes_refused_total, "b") == 2);
}

TEST_CASE("an observer that no batcher has counts no nodes") {
  fixture f;
  auto other = f.all.new_observer();
  other->on_node("a", std::make_shared<node_counters>(node_role::worker, 1));
  other->on_node_refused();
  CHECK(f.nodes().empty());
  CHECK(scrape{f}.counter(nodes_refused_total, "b") == 0);
}
