// SPDX-License-Identifier: BSD-3-Clause
//
// What the actor tests share: a system in virtual time, client actors that keep what they are
// answered, and a batch function that keeps what it is asked.

#pragma once

#include "batcher/actors/ask.hpp"
#include "batcher/actors/spawn.hpp"
#include "test_messages.hpp"

#include <catch2/catch.hpp>
#include <test_system.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace batcher::tests {

using handle = actors::batcher_handle<int, int>;
using batch = std::span<const int>;

/// What clients were answered, by request.
struct answers {
  std::multimap<int, int> values;
  std::multimap<int, caf::error> errors;

  std::size_t total() const { return values.size() + errors.size(); }

  /// Returns how many requests were answered with `code`.
  std::size_t failed_with(errc code) const {
    std::size_t n = 0;
    for (auto& [request, why] : errors) n += why == caf::make_error(code);
    return n;
  }
};

/// The batches that a function was called with, over all its workers.
using calls = std::vector<std::vector<int>>;

struct actor_fixture {
  /// Starts a batcher with cooperative workers, so that everything runs in virtual time.
  template <class Factory>
  handle spawn(options opts, Factory make_worker) {
    opts.worker_execution = worker_execution::cooperative;
    auto batcher = actors::spawn_batcher<int, int>(time.system(), std::move(opts), make_worker);
    time.run();
    return batcher;
  }

  /// Starts a batcher whose function doubles its requests and keeps them in `called`.
  handle spawn_doubler(options opts) {
    return spawn(std::move(opts), [this] {
      return [this](batch xs) {
        called.emplace_back(xs.begin(), xs.end());
        std::vector<int> results;
        for (auto x : xs) results.push_back(2 * x);
        return results;
      };
    });
  }

  /// A client actor that sends requests from..to-1 one after the other, without waiting.
  template <class Handle>
  void send_requests(const Handle& to_whom, int from, int to) {
    time.system().spawn([this, to_whom, from, to](caf::event_based_actor* self) {
      for (int i = from; i < to; ++i)
        actors::compat::request(self, to_whom, i)
          .then([this, i](int y) { answered.values.emplace(i, y); },
                [this, i](const caf::error& why) { answered.errors.emplace(i, why); });
    });
  }

  /// Sends requests and runs everything that needs no time to pass.
  void request(const handle& to_whom, int from, int to) {
    send_requests(to_whom, from, to);
    time.run();
  }

  std::string text(const caf::error& why) { return actors::compat::render(time.system(), why); }

  /// Ends a batcher as `anon_send_exit` does, and runs what follows.
  template <class Handle>
  void exit(const Handle& whom, caf::exit_reason why) {
    caf::anon_send_exit(whom, why);
    time.run();
  }

  answers answered;
  calls called;
  test_system<caf::id_block::batcher_tests> time;
};

} // namespace batcher::tests
