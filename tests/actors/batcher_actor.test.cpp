// SPDX-License-Identifier: BSD-3-Clause
//
// The batcher actor in virtual time: batching, errors, workers.

#include "actor_fixture.hpp"

#include <stdexcept>

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

// A batch function in the place of its factory is refused by name, not deep inside a template.
static_assert(!actors::worker_factory<std::vector<int> (*)(batch), int, int>);

namespace {

std::vector<int> range(int from, int to) {
  std::vector<int> out;
  for (int i = from; i < to; ++i) out.push_back(i);
  return out;
}

} // namespace

// -- batching -------------------------------------------------------------------------------------

TEST_CASE_METHOD(actor_fixture, "ten requests inside the window are one call, in order") {
  auto b = spawn_doubler({.max_batch_items = 64, .max_delay = 10ms});
  request(b, 0, 10);
  time.advance(10ms - 1ns);
  CHECK(called.empty());
  time.advance(1ns);
  CHECK(called == calls{range(0, 10)});
  CHECK(answered.values.size() == 10);
  for (auto [x, y] : answered.values) CHECK(y == 2 * x);
}

TEST_CASE_METHOD(actor_fixture, "25 requests with a cap of 10 are calls of 10, 10 and 5") {
  auto b = spawn_doubler({.max_batch_items = 10, .max_delay = 10ms});
  request(b, 0, 25);
  CHECK(called == calls{range(0, 10), range(10, 20)});
  time.advance(10ms);
  CHECK(called == calls{range(0, 10), range(10, 20), range(20, 25)});
  CHECK(answered.values.size() == 25);
}

TEST_CASE_METHOD(actor_fixture, "the window starts with the oldest request, not with the last") {
  auto b = spawn_doubler({.max_delay = 10ms});
  request(b, 0, 1);
  time.advance(9ms);
  request(b, 1, 2);
  time.advance(1ms);
  CHECK(called == calls{range(0, 2)});
}

TEST_CASE_METHOD(actor_fixture, "a timer that was overtaken by a full batch closes nothing") {
  auto b = spawn_doubler({.max_batch_items = 2, .max_delay = 10ms});
  request(b, 0, 1);
  time.advance(6ms);
  request(b, 1, 2);
  CHECK(called.size() == 1);
  request(b, 2, 3);
  time.advance(4ms); // the first window would end here
  CHECK(called.size() == 1);
  time.advance(6ms);
  CHECK(called == calls{range(0, 2), range(2, 3)});
}

TEST_CASE_METHOD(actor_fixture, "a window longer than one timer step still ends on time") {
  auto b = spawn_doubler({.max_delay = 1s});
  request(b, 0, 1);
  for (int i = 0; i < 9; ++i) time.advance(100ms);
  time.advance(100ms - 1ns);
  CHECK(called.empty());
  time.advance(1ns);
  CHECK(called.size() == 1);
}

TEST_CASE_METHOD(actor_fixture, "with immediate a lone request does not wait") {
  auto b = spawn_doubler({.when_idle = when_idle::immediate});
  request(b, 0, 1);
  CHECK(answered.values.size() == 1);
}

TEST_CASE_METHOD(actor_fixture, "a batcher can be used as the plain actor that it replaces") {
  actors::plain_handle<int, int> plain = spawn_doubler({.when_idle = when_idle::immediate});
  send_requests(plain, 3, 4);
  time.run();
  CHECK(answered.values == std::multimap<int, int>{{3, 6}});
}

TEST_CASE_METHOD(actor_fixture, "requests are answered although every handle was dropped") {
  request(spawn_doubler({.max_delay = 10ms}), 0, 3);
  time.advance(10ms);
  CHECK(answered.values.size() == 3);
}

// -- errors ---------------------------------------------------------------------------------------

TEST_CASE_METHOD(actor_fixture, "an error given to one item reaches its caller alone") {
  auto b = spawn({.max_delay = 1ms}, [] {
    return [](batch xs) {
      std::vector<caf::expected<int>> results;
      for (auto x : xs) {
        if (x == 1)
          results.emplace_back(caf::make_error(caf::sec::invalid_argument, "no ones"));
        else
          results.emplace_back(x);
      }
      return results;
    };
  });
  request(b, 0, 3);
  time.advance(1ms);
  CHECK(answered.values == std::multimap<int, int>{{0, 0}, {2, 2}});
  REQUIRE(answered.errors.size() == 1);
  CHECK(answered.errors.begin()->first == 1);
  CHECK(answered.errors.begin()->second == caf::make_error(caf::sec::invalid_argument));
  CHECK(text(answered.errors.begin()->second).find("no ones") != std::string::npos);
}

TEST_CASE_METHOD(actor_fixture, "an item's error without a code is still an error") {
  auto b = spawn({.when_idle = when_idle::immediate}, [] {
    return [](batch xs) { return std::vector<caf::expected<int>>(xs.size(), caf::error{}); };
  });
  request(b, 0, 1);
  CHECK(answered.failed_with(errc::batch_failed) == 1);
}

TEST_CASE_METHOD(actor_fixture, "an exception fails its batch with its text and nothing else") {
  auto b = spawn({.max_batch_items = 2, .max_delay = 1ms}, [] {
    return [](batch xs) -> std::vector<int> {
      if (xs[0] == 0) throw std::runtime_error{"model is on fire"};
      return {xs.begin(), xs.end()};
    };
  });
  request(b, 0, 4);
  CHECK(answered.failed_with(errc::batch_failed) == 2);
  CHECK(answered.values == std::multimap<int, int>{{2, 2}, {3, 3}});
  CHECK(text(answered.errors.begin()->second).find("model is on fire") != std::string::npos);
}

TEST_CASE_METHOD(actor_fixture, "an exception that is no std::exception fails its batch, too") {
  auto b = spawn({.max_delay = 1ms}, [] { return [](batch) -> std::vector<int> { throw 42; }; });
  request(b, 0, 2);
  time.advance(1ms);
  CHECK(answered.failed_with(errc::batch_failed) == 2);
}

TEST_CASE_METHOD(actor_fixture,
                 "a wrong number of results fails its batch and tells both numbers") {
  auto wrong = GENERATE(0, 2, 4);
  auto b = spawn({.max_delay = 1ms}, [wrong] {
    return [wrong](batch) { return std::vector<int>(static_cast<std::size_t>(wrong)); };
  });
  request(b, 0, 3);
  time.advance(1ms);
  CHECK(answered.failed_with(errc::result_count_mismatch) == 3);
  auto expected = "returned " + std::to_string(wrong) + " results for 3 items";
  CHECK(text(answered.errors.begin()->second).find(expected) != std::string::npos);
}

TEST_CASE_METHOD(actor_fixture, "a full queue names itself and hurts nobody else") {
  auto b = spawn_doubler(
    {.name = "predict", .max_batch_items = 4, .max_delay = 1ms, .max_queue_items = 4});
  request(b, 0, 10); // four are dispatched, four queued, and two are too many
  time.advance(1ms);
  CHECK(answered.total() == 10);
  CHECK(answered.failed_with(errc::queue_full) == 2);
  REQUIRE(answered.errors.size() == 2);
  CHECK(text(answered.errors.begin()->second).find("the queue of predict is full with 4 items")
        != std::string::npos);
  request(b, 20, 22);
  time.advance(1ms);
  CHECK(answered.values.count(20) == 1);
}

TEST_CASE_METHOD(actor_fixture, "bad options are refused with every problem") {
  try {
    static_cast<void>(spawn_doubler({.name = "", .max_batch_items = 0, .workers = 5'000}));
    FAIL("no exception");
  } catch (const actors::invalid_options& e) {
    std::string what = e.what();
    for (auto knob : {"name is", "max_batch_items is", "workers is"})
      CHECK(what.find(knob) != std::string::npos);
  }
}

// -- workers --------------------------------------------------------------------------------------

TEST_CASE_METHOD(actor_fixture, "make_worker runs once per worker and is told its number") {
  std::vector<std::size_t> made;
  auto b = spawn({.max_batch_items = 1, .workers = 3}, [&made](std::size_t number) {
    made.push_back(number);
    return [](batch xs) { return std::vector<int>{xs.begin(), xs.end()}; };
  });
  request(b, 0, 9);
  CHECK(answered.values.size() == 9);
  std::sort(made.begin(), made.end());
  CHECK(made == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE_METHOD(actor_fixture, "a batch function may own what cannot be copied") {
  auto b = spawn({.max_batch_items = 1}, [] {
    return
      [factor = std::make_unique<int>(7)](batch xs) { return std::vector<int>{*factor * xs[0]}; };
  });
  request(b, 2, 3);
  CHECK(answered.values == std::multimap<int, int>{{2, 14}});
}

TEST_CASE_METHOD(actor_fixture, "if one make_worker throws, the other workers serve") {
  auto b = spawn({.max_batch_items = 1, .workers = 2}, [](std::size_t number) {
    if (number == 0) throw std::runtime_error{"no such model file"};
    return [](batch xs) { return std::vector<int>{xs.begin(), xs.end()}; };
  });
  request(b, 0, 5);
  CHECK(answered.values.size() == 5);
}

TEST_CASE_METHOD(actor_fixture, "if every make_worker throws, callers are told why at once") {
  auto b =
    spawn({.max_delay = 1h, .restart_delay = 0ns}, []() -> std::function<std::vector<int>(batch)> {
      throw std::runtime_error{"no such model file"};
    });
  request(b, 0, 2);
  CHECK(answered.failed_with(errc::no_workers) == 2);
  CHECK(text(answered.errors.begin()->second).find("no such model file") != std::string::npos);
}

namespace {

/// A worker factory that cannot be copied any more once `broken` is set.
struct breakable_factory {
  explicit breakable_factory(bool& is_broken) : broken{&is_broken} {}
  breakable_factory(const breakable_factory& other) : broken{other.broken} {
    if (*broken) throw std::runtime_error{"cannot be copied"};
  }
  auto operator()() const {
    return [](batch xs) { return std::vector<int>{xs.begin(), xs.end()}; };
  }
  bool* broken;
};

} // namespace

TEST_CASE_METHOD(actor_fixture, "a make_worker that cannot be copied costs its worker") {
  bool broken = false;
  auto b = actors::spawn_batcher<int, int>(
    time.system(), {.worker_execution = worker_execution::cooperative, .restart_delay = 0ns},
    breakable_factory{broken});
  broken = true;
  request(b, 0, 1);
  CHECK(answered.failed_with(errc::no_workers) == 1);
  CHECK(text(answered.errors.begin()->second).find("cannot be copied") != std::string::npos);
}

TEST_CASE_METHOD(actor_fixture, "a worker that cannot be started is lost, and only that one") {
  using actor_type = actors::batcher_actor<int, int>;
  auto most = GENERATE(std::size_t{0}, std::size_t{1});
  auto start = [&](actor_type* self, std::size_t number) -> actors::worker_handle {
    if (number >= most) throw std::runtime_error{"no thread left"};
    auto make = [] { return [](batch xs) { return std::vector<int>{xs.begin(), xs.end()}; }; };
    return actors::spawn_worker<int, int>(self, actors::maker_of<int, int>(make), number,
                                          std::make_shared<const actors::hooks<int, int>>(),
                                          worker_execution::cooperative);
  };
  handle b = time.system().spawn<actor_type>(
    options{.when_idle = when_idle::immediate, .workers = 2, .restart_delay = 0ns},
    std::move(start));
  request(b, 0, 1);
  if (most == 1) {
    CHECK(answered.values.size() == 1);
  } else {
    CHECK(answered.failed_with(errc::no_workers) == 1);
    CHECK(text(answered.errors.begin()->second).find("no thread left") != std::string::npos);
  }
}

TEST_CASE_METHOD(actor_fixture, "requests wait for the first worker to be ready") {
  auto b = actors::spawn_batcher<int, int>(
    time.system(), {.max_batch_items = 2, .worker_execution = worker_execution::cooperative}, [] {
      return [](batch xs) { return std::vector<int>{xs.begin(), xs.end()}; };
    });
  request(b, 0, 4); // sent before anything of the batcher has run
  CHECK(answered.values.size() == 4);
}

namespace {

struct copy_counter {
  static inline int copies = 0;
  copy_counter() = default;
  copy_counter(const copy_counter& other) : value{other.value} { ++copies; }
  copy_counter(copy_counter&&) noexcept = default;
  copy_counter& operator=(const copy_counter& other) {
    value = other.value;
    ++copies;
    return *this;
  }
  copy_counter& operator=(copy_counter&&) noexcept = default;
  int value = 0;
};

} // namespace

TEST_CASE("a job takes its requests to the function and its results back without a copy") {
  auto work = std::make_shared<actors::job<copy_counter, copy_counter>>(3);
  work->requests.resize(3);
  test_system<> time;
  auto run = [](std::span<const copy_counter> xs) { return std::vector<copy_counter>(xs.size()); };
  copy_counter::copies = 0;
  actors::run_job(run, work, time.system().clock());
  CHECK(copy_counter::copies == 0);
  CHECK(work->report.results == 3);
  CHECK(work->outcome == errc::none);
}
