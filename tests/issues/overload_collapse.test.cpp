// SPDX-License-Identifier: BSD-3-Clause
//
// Three times the capacity, first in, first out, and everybody with a deadline that is shorter than
// the queue is long: every item came to a worker with less time left than its batch took, so that
// all the work was done for nobody. Now those that cannot be answered in time make place for others.

#include "batcher/batcher_core.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

struct request {
  int number;
};

constexpr auto batch_time = 8ms;
constexpr std::size_t batch_items = 64;

// Returns how many of the requests are answered in time in ten seconds of virtual time.
std::size_t answered_at(double load) {
  batcher_core<request> core{{.max_batch_items = batch_items,
                              .request_timeout = 50ms,
                              .max_queue_items = 65'536,
                              .worker_credit = 2}};
  auto now = time_point{1h};
  const auto end = now + 10s;
  auto gap = duration{static_cast<duration::rep>(static_cast<double>(duration{batch_time}.count())
                                                 / batch_items / load)};
  while (auto worker = core.next_start(now)) core.worker_up(now, *worker, 2);
  std::size_t answered = 0;
  std::size_t refused = 0;
  std::map<batch_id, std::size_t> held; // in the order of dispatch
  auto next_request = now;
  auto next_done = time_point::max();
  while (now < end) {
    now = std::min({next_request, next_done, core.next_deadline().value_or(time_point::max())});
    if (now == next_request) {
      refused += core.admit(now, {0}).refused != errc::none;
      next_request += gap;
    }
    if (now == next_done) {
      auto [id, items] = *held.begin();
      held.erase(held.begin());
      core.complete(now, id, {.results = items});
      next_done = held.empty() ? time_point::max() : now + batch_time;
    }
    core.expire(now);
    while (auto b = core.next_batch(now)) {
      if (held.empty()) next_done = now + batch_time;
      held.emplace(b->id, b->items.size());
    }
    for (auto& left : core.departures()) answered += left.outcome == errc::none;
    core.clear_departures();
  }
  CHECK(refused == 0);
  return answered;
}

} // namespace

TEST_CASE("an overload of requests with deadlines costs no goodput") {
  auto capacity = answered_at(0.99);
  CHECK(capacity > 70'000);
  for (auto load : {1.25, 3.0, 10.0}) {
    CAPTURE(load);
    CHECK(answered_at(load) >= capacity * 95 / 100);
  }
}
