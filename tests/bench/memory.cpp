// SPDX-License-Identifier: BSD-3-Clause
//
// What a batcher needs in memory: bytes on the heap, by malloc's own count, that a number of things
// add, divided by that number. They hold what the containers keep ready for growth, as they do in
// real life. Figures are of a batcher_handle<int, int> unless they say otherwise.
//
//     memory_queued_request_bytes    an actor's request that waits; what CAF keeps of it on the
//                                    actor's side is not counted
//     memory_queued_1kib_bytes       the same with a string of 1 KiB as the request
//     memory_queued_by_ask_bytes     a request by `ask` that waits, its callback included
//     memory_batch_of_N_bytes        a batch of N items that a worker holds, the items included
//     memory_drained_request_bytes   what the batcher keeps of its longest queue, for the next one
//     memory_waiting_key_bytes       a key with one request that waits, the request not included
//     memory_idle_key_bytes          a key that was in use, without what is kept of its request
//     memory_idle_batcher_bytes      an idle batcher, with its one cooperative worker, that has
//                                    answered a request

#include "load.hpp"
#include "rounds.hpp"

#include "batcher/actors/ask.hpp"
#include "batcher/actors/control.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <stdexcept>

#include <malloc.h>

namespace {

using namespace bench;
using batcher::actors::batch_promise;

struct settings {
  std::size_t rounds = 5;
  std::size_t requests = 100'000;
  std::size_t batches = 1'000;
  std::size_t batchers = 1'000;
  std::string json;
};

// Each figure has an actor system of its own: nothing of the one before is still on its way.
struct config : batcher::actors::system_config<caf::id_block::bench> {
  config() {
    batcher::actors::compat::set_policy(*this, "sharing");
    batcher::actors::compat::set_threads(*this, 2);
  }
};

double bytes_in_use() {
  auto info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

/// Bytes on the heap since it was made.
class meter {
public:
  [[nodiscard]] double bytes() const { return bytes_in_use() - at_first_; }
  [[nodiscard]] double bytes_each(std::size_t n) const { return bytes() / static_cast<double>(n); }

private:
  double at_first_ = bytes_in_use();
};

template <class Predicate>
void await(const char* what, Predicate is_so) {
  for (auto until = steady::now() + 30s; !is_so(); std::this_thread::sleep_for(1ms))
    if (steady::now() > until) throw std::runtime_error{std::string{"waited in vain for "} + what};
}

template <class Request>
using handle_of = batcher::actors::batcher_handle<Request, int>;

template <class Request>
handle_of<Request> spawn_counting(caf::actor_system& system, const settings& chosen) {
  batcher::options opts{.max_batch_items = 64,
                        .when_idle = batcher::when_idle::immediate,
                        .max_queue_items = chosen.requests,
                        .max_lanes = chosen.requests + 1}; // one for requests without a key
  opts.worker_execution = batcher::worker_execution::cooperative;
  return batcher::actors::spawn_batcher<Request, int>(system, opts, [] {
    return [](std::span<const Request> xs) { return std::vector<int>(xs.size()); };
  });
}

template <class Request>
void ask_once(const handle_of<Request>& b) {
  if (!batcher::actors::ask(b, Request{}).get()) throw std::runtime_error{"a request failed"};
}

bool has_worker(const auto& b) {
  auto stages = batcher::actors::stats(b).counters.workers;
  return stages[static_cast<std::size_t>(batcher::worker_stage::serving)] == 1;
}

std::uint64_t queued(const auto& b) { return batcher::actors::stats(b).counters.queue_items; }

std::uint64_t pending(const auto& b) {
  auto counters = batcher::actors::stats(b).counters;
  return counters.requests - counters.replied();
}

/// Returns the bytes of each request while `requests` of them wait, and afterwards.
template <class Request, class Send>
std::pair<double, double> waiting_and_after(const settings& chosen, Send send) {
  config cfg;
  caf::actor_system system{cfg};
  auto b = spawn_counting<Request>(system, chosen);
  ask_once<Request>(b);
  batcher::actors::pause(b);
  meter since;
  for (std::size_t i = 0; i < chosen.requests; ++i) send(b, i);
  await("requests to wait", [&] { return queued(b) == chosen.requests; });
  auto waiting = since.bytes_each(chosen.requests);
  batcher::actors::resume(b);
  await("the answers", [&] { return pending(b) == 0; });
  return {waiting, since.bytes_each(chosen.requests)};
}

// Nobody waits for the answers: so no client's memory counts.
const auto send_plain = [](const handle_of<int>& b, std::size_t) {
  batcher::actors::compat::anon_send(b, 7);
};

void measure_queue(const settings& chosen, figures& all) {
  auto [plain, drained] = waiting_and_after<int>(chosen, send_plain);
  all.add("memory_queued_request_bytes", plain);
  all.add("memory_drained_request_bytes", drained);
  auto [in_keys, after] =
    waiting_and_after<int>(chosen, [](const handle_of<int>& b, std::size_t i) {
      batcher::actors::submit<int> one{.request = 7, .key = "key " + std::to_string(i)};
      batcher::actors::compat::anon_send(b, message_of(std::move(one)));
    });
  all.add("memory_waiting_key_bytes", in_keys - plain);
  all.add("memory_idle_key_bytes", after - drained);
  auto text =
    waiting_and_after<std::string>(chosen, [](const handle_of<std::string>& b, std::size_t) {
      batcher::actors::compat::anon_send(b, std::string(1'024, 'x'));
    });
  all.add("memory_queued_1kib_bytes", text.first);
  auto asked = waiting_and_after<int>(chosen, [](const handle_of<int>& b, std::size_t) {
    batcher::actors::ask(b, 7, [](const caf::expected<int>&) {});
  });
  all.add("memory_queued_by_ask_bytes", asked.first);
}

void measure_batches(const settings& chosen, std::size_t batch_items, figures& all) {
  config cfg;
  caf::actor_system system{cfg};
  // Written by the one worker, read once nothing more comes.
  auto held = std::make_shared<std::vector<batch_promise<int>>>();
  auto count = std::make_shared<std::atomic<std::size_t>>(0);
  held->reserve(chosen.batches);
  batcher::options opts{.max_batch_items = batch_items,
                        .max_delay = 1min,
                        .max_queue_items = chosen.batches * batch_items,
                        .worker_credit = chosen.batches};
  opts.worker_execution = batcher::worker_execution::cooperative;
  auto b = batcher::actors::spawn_batcher<int, int>(system, opts, [=] {
    return [=](std::span<const int>, batch_promise<int> answer) {
      held->push_back(std::move(answer));
      ++*count;
    };
  });
  await("the worker", [&] { return has_worker(b); });
  meter since;
  for (std::size_t i = 0; i < chosen.batches * batch_items; ++i) send_plain(b, i);
  // Asked last: so that the batcher is done with the messages, too.
  await("the batches", [&] {
    return *count == chosen.batches
           && batcher::actors::stats(b).in_flight_batches == chosen.batches;
  });
  all.add("memory_batch_of_" + std::to_string(batch_items) + "_bytes",
          since.bytes_each(chosen.batches));
  for (auto& answer : *held) answer.deliver(std::vector<int>(batch_items));
  await("the answers", [&] { return pending(b) == 0; });
}

void measure_batchers(const settings& chosen, figures& all) {
  config cfg;
  caf::actor_system system{cfg};
  std::vector<handle_of<int>> many;
  many.reserve(chosen.batchers);
  meter since;
  for (std::size_t i = 0; i < chosen.batchers; ++i) {
    many.push_back(spawn_counting<int>(system, chosen));
    ask_once<int>(many.back());
  }
  all.add("memory_idle_batcher_bytes", since.bytes_each(chosen.batchers));
}

void run_round(const settings& chosen, figures& all) {
  measure_queue(chosen, all);
  for (std::size_t items : {1, 64}) measure_batches(chosen, items, all);
  measure_batchers(chosen, all);
}

} // namespace

int main(int argc, char** argv) {
  settings chosen;
  CLI::App app{"What a batcher needs in memory", "bench_memory"};
  app.add_option("--rounds", chosen.rounds)->check(CLI::Range(1, 1'000))->capture_default_str();
  app.add_option("--requests", chosen.requests, "that wait")
    ->check(CLI::Range(1'000, 10'000'000))
    ->capture_default_str();
  app.add_option("--batches", chosen.batches, "in flight")
    ->check(CLI::Range(1, 1'024))
    ->capture_default_str();
  app.add_option("--batchers", chosen.batchers)
    ->check(CLI::Range(1, 100'000))
    ->capture_default_str();
  app.add_option("--json", chosen.json, "file for the figures");
  CLI11_PARSE(app, argc, argv);
  try {
    figures all;
    for (std::size_t round = 0; round < chosen.rounds; ++round) run_round(chosen, all);
    all.print();
    all.write_json(chosen.json);
  } catch (const std::exception& why) {
    std::fprintf(stderr, "bench_memory: %s\n", why.what());
    return 2;
  }
}
