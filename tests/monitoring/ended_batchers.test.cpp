// SPDX-License-Identifier: BSD-3-Clause
//
// Counters go on, whatever batchers end, go and come again.

#include "batcher/monitoring/metrics.hpp"

#include "collected.hpp"
#include "fake_batcher.hpp"

#include <cstddef>
#include <memory>
#include <string>

using namespace batcher;
using namespace batcher::monitoring;

TEST_CASE("a batcher that has ended leaves its totals and no gauge") {
  metrics all;
  {
    fake_batcher first{all, "b"};
    first.queue(5);
    first.dispatch(3);
    CHECK(collected{all}.requests("b") == 5);
    first.queue(4); // after the last scrape that saw it alive
    first.answer(3);
    first.observe_batch(3);
    count_each(*first.counters, 0);
    first.counters->on_failure(failure::batch_timeout);
    first.counters->set_queue_cost(5);
    first.counters->set_lanes(5);
    first.counters->set_workers(worker_stage::serving, 5);
  }
  for (auto scrape : {1, 2}) {
    INFO("scrape " << scrape);
    collected ended{all};
    CHECK(ended.requests("b") == 9);
    CHECK(ended.replies("b", outcome::ok) == 3);
    CHECK(ended.batches("b", close_reason::deadline) == 1);
    for (std::size_t i = 0; i < counted_by_count_each.size(); ++i)
      CHECK(ended.counter(counted_by_count_each[i], "b") == static_cast<double>(i + 1));
    CHECK(ended.failures("b", failure::batch_timeout) == 1);
    for (auto& info : {queue_items, queue_cost, in_flight_items, lanes})
      CHECK(ended.gauge(info, "b") == 0);
    CHECK(ended.workers_at("b", worker_stage::serving) == 0);
    CHECK(ended.histogram(batch_items, "b").sample_sum == 3);
  }
}

TEST_CASE("counters go on where the last batcher of the name stopped") {
  metrics all;
  double before = 0;
  for (int life = 1; life <= 5; ++life) {
    fake_batcher again{all, "b"};
    CHECK(collected{all}.requests("b") == before);
    again.queue(2);
    again.dispatch(2);
    again.answer(1);
    before += 2;
    collected now{all};
    CHECK(now.requests("b") == before);
    CHECK(now.replies("b", outcome::ok) == life);
    CHECK(now.batches("b", close_reason::deadline) == life);
    CHECK(now.gauge(in_flight_items, "b") == 1);
  }
}

TEST_CASE("a batcher lives until nobody else holds its counters") {
  metrics all;
  std::shared_ptr<live_counters> kept;
  {
    fake_batcher one{all, "b"};
    kept = one.counters;
  } // its observer is gone
  CHECK(collected{all}.requests("b") == 0);
  kept->on_request();
  kept->on_admitted();
  CHECK(collected{all}.requests("b") == 1);
  CHECK(collected{all}.gauge(queue_items, "b") == 1);
  kept.reset();
  CHECK(collected{all}.requests("b") == 1);
  CHECK(collected{all}.gauge(queue_items, "b") == 0);
}

TEST_CASE("the counters of an ended batcher are let go at a scrape or at the next start") {
  metrics all;
  auto by_scrape = GENERATE(true, false);
  std::weak_ptr<live_counters> first;
  std::shared_ptr<observer> watcher; // an application may keep its options
  {
    fake_batcher one{all, "b"};
    first = one.counters;
    watcher = one.watcher;
  }
  CHECK_FALSE(first.expired());
  fake_batcher other{all, by_scrape ? "other" : "b"};
  CHECK(first.expired() == !by_scrape);
  static_cast<void>(all.Collect());
  CHECK(first.expired());
}

TEST_CASE("an observer that is started again keeps what it counted before") {
  metrics all;
  auto second_name = GENERATE(as<std::string>{}, "a", "b");
  auto second = std::make_shared<live_counters>();
  fake_batcher first{all, "a"};
  first.queue(3);
  first.observe_batch(2);
  first.watcher->on_start(second_name, 64, second);
  second->on_request();
  first.observe_batch(4);
  collected now{all};
  auto same = second_name == "a";
  CHECK(now.requests("a") == (same ? 4 : 3));
  CHECK(now.requests(second_name) == (same ? 4 : 1));
  CHECK(now.histogram(batch_items, "a").sample_sum == (same ? 6 : 2));
  CHECK(now.histogram(batch_items, second_name).sample_sum == (same ? 6 : 4));
}

TEST_CASE("an observer may outlive the metrics") {
  auto all = std::make_unique<metrics>();
  fake_batcher one{*all, "b"};
  all.reset();
  one.observe_batch(2);
  one.watcher->on_start("b", 64, one.counters);
  CHECK(one.counters.use_count() == 3); // the test's and one for each start
}
