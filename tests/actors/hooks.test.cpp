// SPDX-License-Identifier: BSD-3-Clause
//
// What a user tells a batcher of the requests: their cost, how to take them apart, which are the
// same, and what warms a worker up.

#include "held_workers.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

namespace {

using hooks = actors::hooks<int, int>;

std::size_t value_of(const int& x) {
  if (x < 0) throw std::runtime_error{"a negative cost"};
  return static_cast<std::size_t>(x);
}

/// Takes a number apart into such of at most `limit`.
std::vector<int> parts_of(const int& x, std::size_t limit) {
  std::vector<int> out;
  auto most = static_cast<int>(limit);
  for (auto left = x; left > 0; left -= most) out.push_back(std::min(left, most));
  return out;
}

int sum_of(std::vector<int> xs) {
  int sum = 0;
  for (auto x : xs) sum += x;
  return sum;
}

const hooks splitting{.cost = value_of, .split = parts_of, .join = sum_of};
const hooks same_numbers{.hash = [](const int& x) { return static_cast<std::size_t>(x); },
                         .equal = [](const int& x, const int& y) { return x == y; }};
const options ten_at_most{.max_batch_cost = 10, .max_delay = 1ms};

bool says(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

} // namespace

// -- cost -----------------------------------------------------------------------------------------

TEST_CASE_METHOD(actor_fixture, "a batch holds no more than max_batch_cost by the user's measure") {
  auto b = spawn_doubler(ten_at_most, {.cost = value_of});
  for (auto x : {4, 5, 3, 7}) request(b, x, x + 1);
  time.advance(1ms);
  CHECK(called == calls{{4, 5}, {3, 7}});
}

TEST_CASE_METHOD(actor_fixture, "a request that costs too much for any batch is refused by name") {
  auto b = spawn_doubler(ten_at_most, {.cost = value_of});
  request(b, 10, 12);
  CHECK(answered.values.count(10) == 1);
  REQUIRE(answered.failed_with(errc::too_costly) == 1);
  CHECK(says(text(answered.errors.begin()->second), "more than the 10"));
}

TEST_CASE_METHOD(actor_fixture, "a hook that throws costs its request and no other") {
  auto b = spawn_doubler(ten_at_most, {.cost = value_of});
  request(b, 1, 2);
  request(b, -1, 0);
  request(b, 2, 3);
  time.advance(1ms);
  CHECK(called == calls{{1, 2}});
  REQUIRE(answered.failed_with(errc::invalid_request) == 1);
  CHECK(says(text(answered.errors.begin()->second), "a negative cost"));
  CHECK(counted(b, outcome::invalid_request) == 1);
}

TEST_CASE_METHOD(actor_fixture, "hooks that miss their other half are refused, all at once") {
  try {
    static_cast<void>(spawn_doubler({.workers = 5'000}, {.split = parts_of, .hash = value_of}));
    FAIL("no exception");
  } catch (const actors::invalid_options& e) {
    for (auto problem : {"workers is", "split and join", "needs the hook cost", "hash and equal"})
      CHECK(says(e.what(), problem));
  }
}

// -- split and join -------------------------------------------------------------------------------

TEST_CASE_METHOD(actor_fixture,
                 "a request that is too large is taken apart and put together again") {
  auto b = spawn_doubler(ten_at_most, splitting);
  request(b, 25, 26);
  time.advance(1ms);
  CHECK(called == calls{{10}, {10}, {5}});
  CHECK(answered.values == std::multimap<int, int>{{25, 50}});
}

TEST_CASE_METHOD(actor_fixture,
                 "a request whose part fails gets the error of the first such part") {
  auto b = spawn(
    ten_at_most,
    [] {
      return [](batch xs) {
        actors::bulk_results<int> out;
        for (auto x : xs) {
          if (x == 10)
            out.emplace_back(x);
          else
            out.emplace_back(caf::make_error(errc::batch_timeout, "no " + std::to_string(x)));
        }
        return out;
      };
    },
    splitting);
  request(b, 15, 16);
  request(b, 10, 11);
  time.advance(1ms);
  CHECK(answered.values.count(10) == 1);
  REQUIRE(answered.failed_with(errc::batch_timeout) == 1);
  CHECK(says(text(answered.errors.begin()->second), "no 5"));
}

TEST_CASE_METHOD(actor_fixture,
                 "a split or join that throws or returns nothing costs its request") {
  auto how = splitting;
  auto which = GENERATE(0, 1, 2);
  if (which == 0)
    how.split = [](const int&, std::size_t) -> std::vector<int> {
      throw std::runtime_error{"cannot split"};
    };
  if (which == 1) how.split = [](const int&, std::size_t) { return std::vector<int>{}; };
  if (which == 2)
    how.join = [](std::vector<int>) -> int { throw std::runtime_error{"cannot join"}; };
  auto b = spawn_doubler(ten_at_most, how);
  request(b, 25, 26);
  request(b, 5, 6);
  time.advance(1ms);
  CHECK(answered.values.size() == 1);
  REQUIRE(answered.failed_with(errc::invalid_request) == 1);
  CHECK(
    says(text(answered.errors.begin()->second),
         std::array{"cannot split", "no parts", "cannot join"}[static_cast<std::size_t>(which)]));
}

TEST_CASE_METHOD(actor_fixture,
                 "nothing is executed of a request with a part that costs too much") {
  auto how = splitting;
  how.split = [](const int&, std::size_t) { return std::vector<int>{1, 11, 2}; };
  auto b = spawn_doubler(ten_at_most, how);
  request(b, 14, 15);
  time.advance(1ms);
  CHECK(called.empty());
  CHECK(answered.failed_with(errc::too_costly) == 1);
  CHECK(counted(b, outcome::too_costly) == 1);
  CHECK(stats(b).counters.requests == 1);
}

TEST_CASE_METHOD(actor_fixture,
                 "a hook that throws for a part costs the whole, wherever it came from") {
  auto how = splitting;
  how.hash = [](const int& x) -> std::size_t {
    if (x == 5) throw std::runtime_error{"no hash for 5"};
    return 0;
  };
  how.equal = same_numbers.equal;
  auto b = spawn_doubler(ten_at_most, how);
  request(b, 15, 16);
  actors::ask(b, 25, keep(25));
  time.run();
  time.advance(1ms);
  CHECK(answered.failed_with(errc::invalid_request) == 2);
  for (auto& [x, why] : answered.errors) CHECK(says(text(why), "no hash for 5"));
  CHECK(stats(b).counters.requests == stats(b).counters.replied());
}

TEST_CASE_METHOD(actor_fixture,
                 "the parts of a request are not executed once its client has ended") {
  auto b = spawn_doubler(ten_at_most, splitting);
  auto client = spawn_client();
  tell(b, actors::pause_atom_v);
  submit(client, b, {.request = 25});
  exit(client, caf::exit_reason::kill);
  tell(b, actors::resume_atom_v);
  time.advance(1ms);
  CHECK(called.empty());
  CHECK(counted(b, outcome::cancelled) == 3);
}

TEST_CASE_METHOD(actor_fixture,
                 "a request in parts uses up one credit and can be cancelled by its tag") {
  auto opts = ten_at_most;
  opts.max_batch_items = 1;
  opts.max_queue_items = 4;
  opts.overload = overload::wait_for_credit;
  auto b = spawn_doubler(opts, splitting);
  auto client = spawn_client();
  tell(b, actors::pause_atom_v);
  CHECK(*ask_as<std::uint32_t>(client, b, actors::credit_atom_v, std::uint32_t{2}) == 2u);
  submit(client, b, {.request = 25, .tag = 1, .on_credit = true});
  CHECK(stats(b).counters.queue_items == 3);
  submit(client, b, {.request = 5});
  CHECK(answered.failed_with(errc::queue_full) == 1); // the other credit is still held
  CHECK(*ask_as<bool>(client, b, actors::cancel_atom_v, std::uint64_t{1}) == true);
  CHECK(answered.failed_with(errc::cancelled) == 1);
  CHECK(stats(b).counters.queue_items == 0);
}

// -- identical requests ---------------------------------------------------------------------------

TEST_CASE_METHOD(actor_fixture,
                 "identical requests are executed once and each caller has its reply") {
  auto b = spawn_doubler({.max_delay = 1ms}, same_numbers);
  for (auto x : {7, 8, 7, 7}) request(b, x, x + 1);
  time.advance(1ms);
  CHECK(called == calls{{7, 8}});
  CHECK(answered.values == std::multimap<int, int>{{7, 14}, {7, 14}, {7, 14}, {8, 16}});
  CHECK(stats(b).counters.coalesced == 2);
}

TEST_CASE_METHOD(held_fixture, "an identical request joins one in flight and shares its failure") {
  auto b = spawn_held({.max_batch_items = 1}, same_numbers);
  request(b, 7, 8);
  request(b, 7, 8);
  release(0, fate::thrown);
  time.run();
  CHECK(answered.failed_with(errc::batch_failed) == 2);
  request(b, 7, 8); // nothing is there any more to be joined
  release(0);
  time.run();
  CHECK(answered.values.size() == 1);
}

TEST_CASE_METHOD(actor_fixture, "identical requests of different keys are executed apart") {
  auto b = spawn_doubler({.max_delay = 1ms}, same_numbers);
  auto client = spawn_client();
  submit(client, b, {.request = 7, .key = "a"});
  submit(client, b, {.request = 7, .key = "b"});
  time.advance(1ms);
  CHECK(called == calls{{7}, {7}});
}

TEST_CASE_METHOD(actor_fixture, "whoever shares a place keeps it when the first one leaves") {
  auto b = spawn_doubler({.max_delay = 1ms}, same_numbers);
  auto client = spawn_client();
  submit(client, b, {.request = 7, .tag = 1});
  request(b, 7, 8);
  CHECK(*ask_as<bool>(client, b, actors::cancel_atom_v, std::uint64_t{1}) == true);
  time.advance(1ms);
  CHECK(called == calls{{7}});
  CHECK(answered.failed_with(errc::cancelled) == 1);
  CHECK(answered.values.size() == 1);
}

// -- warm-up --------------------------------------------------------------------------------------

TEST_CASE_METHOD(actor_fixture, "each worker runs its warm-up batches before any traffic") {
  auto b = spawn_doubler({.when_idle = when_idle::immediate, .workers = 2},
                         {.warm_up = {{100}, {101, 102}}});
  CHECK(called.size() == 4);
  request(b, 1, 2);
  REQUIRE(called.size() == 5);
  CHECK(called.back() == std::vector<int>{1});
  CHECK(stats(b).counters.requests == 1);
}

TEST_CASE_METHOD(actor_fixture, "a worker whose warm-up fails could not be started") {
  auto miscounts = GENERATE(true, false);
  auto b = spawn({.restart_delay = 0ns},
                 [miscounts] {
                   return [miscounts](batch) -> std::vector<int> {
                     if (miscounts) return {};
                     throw std::runtime_error{"out of memory"};
                   };
                 },
                 {.warm_up = {{100}}});
  request(b, 1, 2);
  REQUIRE(answered.failed_with(errc::no_workers) == 1);
  CHECK(says(text(answered.errors.begin()->second),
             miscounts ? "0 results for 1 items" : "out of memory"));
}
