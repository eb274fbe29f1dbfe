// SPDX-License-Identifier: BSD-3-Clause
//
// What the actor tests share: a system in virtual time, client actors that keep what they are
// answered, and a batch function that keeps what it is asked.

#pragma once

#include "batcher/actors/ask.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/actors/spawn.hpp"
#include "test_messages.hpp"

#include <catch2/catch.hpp>
#include <test_system.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
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
  handle spawn(options opts, Factory make_worker, actors::hooks<int, int> how = {}) {
    opts.worker_execution = worker_execution::cooperative;
    auto batcher = actors::spawn_batcher<int, int>(time.system(), std::move(opts),
                                                   std::move(make_worker), std::move(how));
    time.run();
    return batcher;
  }

  /// Starts a batcher whose function doubles its requests and keeps them in `called`.
  handle spawn_doubler(options opts, actors::hooks<int, int> how = {}) {
    return spawn(
      std::move(opts),
      [this] {
        return [this](batch xs) {
          called.emplace_back(xs.begin(), xs.end());
          return doubled(xs);
        };
      },
      std::move(how));
  }

  static std::vector<int> doubled(batch xs) {
    std::vector<int> results;
    for (auto x : xs) results.push_back(2 * x);
    return results;
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

  /// Returns how what a client is answered with for request `i` is kept.
  auto keep(int i) {
    return [this, i](caf::expected<int> y) {
      if (y)
        answered.values.emplace(i, *y);
      else
        answered.errors.emplace(i, y.error());
    };
  }

  // -- clients that do more than to ask -----------------------------------------------------------

  /// A client actor that does what it is told, until it ends.
  caf::actor spawn_client() {
    return time.system().spawn([](caf::event_based_actor* self) -> caf::behavior {
      return {[self](const task_message& msg) { msg.task(self); }};
    });
  }

  /// Lets a client do something, once its message is run.
  template <class F>
  void post(const caf::actor& client, F task) {
    actors::compat::anon_send(client, task_message{std::move(task)});
  }

  /// Sends a request with wishes in the name of a client.
  void post_submit(const caf::actor& client, const handle& to_whom, actors::submit<int> what) {
    post(client, [this, to_whom, what](caf::event_based_actor* self) {
      actors::compat::request(self, to_whom, actors::message_of(what))
        .then([keep = keep(what.request)](int y) mutable { keep(y); },
              [keep = keep(what.request)](const caf::error& why) mutable { keep(why); });
    });
  }

  /// The same, and runs everything that needs no time to pass.
  void submit(const caf::actor& client, const handle& to_whom, actors::submit<int> what) {
    post_submit(client, to_whom, std::move(what));
    time.run();
  }

  template <class T>
  using answer_of = std::shared_ptr<std::optional<caf::expected<T>>>;

  /// Sends a message in the name of a client; what it is answered may arrive later.
  template <class T, class... Ts>
  answer_of<T> ask_as(const caf::actor& client, const handle& to_whom, Ts... xs) {
    auto out = std::make_shared<std::optional<caf::expected<T>>>();
    post(client, [to_whom, out, xs...](caf::event_based_actor* self) {
      actors::compat::request(self, to_whom, xs...)
        .then([out](const T& x) { out->emplace(x); },
              [out](const caf::error& why) { out->emplace(why); });
    });
    time.run();
    return out;
  }

  /// Sends a message of the protocol to a batcher; its answer is not waited for.
  template <class... Ts>
  void tell(const handle& to_whom, Ts... xs) {
    actors::compat::anon_send(to_whom, xs...);
    time.run();
  }

  batcher_stats stats(const handle& of) {
    auto answer = ask_as<actors::stats_message>(spawn_client(), of, actors::stats_atom_v);
    REQUIRE(*answer);
    return (**answer)->stats;
  }

  /// Returns how many requests were answered in that way, by the batcher's own account.
  std::uint64_t counted(const handle& of, outcome how) {
    return stats(of).counters.replies[static_cast<std::size_t>(how)];
  }

  /// Gives new options and returns what they are refused with, if they are.
  caf::error reconfigure(const handle& whom, options opts) {
    auto out = std::make_shared<std::optional<caf::error>>();
    opts.worker_execution = worker_execution::cooperative;
    actors::reconfigure_message msg{std::make_shared<const options>(std::move(opts))};
    post(spawn_client(), [whom, msg, out](caf::event_based_actor* self) {
      actors::compat::request(self, whom, msg)
        .then([out] { out->emplace(); }, [out](const caf::error& why) { *out = why; });
    });
    time.run();
    REQUIRE(*out);
    return **out;
  }

  // -- the rest -----------------------------------------------------------------------------------

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
