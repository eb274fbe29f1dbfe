// SPDX-License-Identifier: BSD-3-Clause
//
// A copy that threw inside the batcher ended it: of a result that identical requests share, while
// everything that had left the core was to be answered a second time, now without results; and of a
// request that ran again, though nobody else needed it any more.

#include "../actors/actor_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

using unlucky_handle = actors::batcher_handle<unlucky, int>;
using unlucky_batch = std::span<const unlucky>;

struct copies_fixture : actor_fixture {
  template <class Request, class Response, class Factory>
  auto spawn_unlucky(options opts, Factory make_worker, actors::hooks<Request, Response> how = {}) {
    opts.worker_execution = worker_execution::cooperative;
    return actors::spawn_batcher<Request, Response>(time.system(), opts, make_worker, how);
  }

  void ask_for(const unlucky_handle& b, std::initializer_list<int> xs) {
    for (auto x : xs) actors::ask(b, unlucky{x}, keep(x));
    time.run();
  }

  static std::vector<int> values_of(unlucky_batch xs) {
    std::vector<int> out;
    for (auto& x : xs) out.push_back(x.value);
    return out;
  }
};

} // namespace

TEST_CASE_METHOD(copies_fixture, "a shared result that cannot be copied costs one caller") {
  actors::hooks<int, unlucky> same{.hash = [](const int& x) { return static_cast<std::size_t>(x); },
                                   .equal = [](const int& x, const int& y) { return x == y; }};
  auto b = spawn_unlucky<int, unlucky>(
    {.max_delay = 1ms},
    [] {
      return [](batch xs) {
        std::vector<unlucky> out;
        for (auto x : xs) out.emplace_back(x);
        return out;
      };
    },
    same);
  std::vector<std::pair<int, caf::error>> all;
  for (auto x : {13, 13, 1})
    actors::ask(b, x, [&, x](caf::expected<unlucky> y) {
      all.emplace_back(x, y ? caf::error{} : y.error());
    });
  time.run();
  time.advance(1ms);
  REQUIRE(all.size() == 3);
  CHECK(all[0].second == caf::make_error(errc::batch_failed));
  CHECK(actors::text_of(all[0].second) == "no second 13");
  CHECK_FALSE(all[1].second);
  CHECK_FALSE(all[2].second);
}

TEST_CASE_METHOD(copies_fixture, "requests whose function has returned run again without a copy") {
  int runs = 0;
  auto b =
    spawn_unlucky<unlucky, int>({.max_batch_items = 2, .on_failure = retry::idempotent{}}, [&runs] {
      return [&runs](unlucky_batch xs) {
        if (++runs < 3) throw std::runtime_error{"not yet"};
        return values_of(xs);
      };
    });
  ask_for(b, {13, 1});
  CHECK(runs > 2);
  CHECK(answered.values.count(13) == 1);
}

TEST_CASE_METHOD(copies_fixture, "a request that must be copied and cannot is answered so") {
  std::vector<actors::batch_promise<int>> held;
  auto b =
    spawn_unlucky<unlucky, int>({.max_batch_items = 3,
                                 .batch_timeout = 50ms,
                                 .on_failure = retry::idempotent{},
                                 .worker_credit = 4},
                                [&] {
                                  return [&](unlucky_batch xs, actors::batch_promise<int> p) {
                                    if (xs.size() == 3)
                                      held.push_back(std::move(p));
                                    else
                                      p.deliver(values_of(xs));
                                  };
                                });
  ask_for(b, {1, 13, 2});
  REQUIRE(held.size() == 1);
  time.advance(50ms);
  CHECK(answered.values == std::multimap<int, int>{{1, 1}, {2, 2}});
  REQUIRE(answered.failed_with(errc::batch_failed) == 1);
  CHECK(actors::text_of(answered.errors.find(13)->second) == "no second 13");
}
