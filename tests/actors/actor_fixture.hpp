// SPDX-License-Identifier: BSD-3-Clause
//
// What the actor tests share: a system in virtual time, client actors that keep what they are
// answered, and a batch function that keeps what it is asked.

#pragma once

#include "batcher/actors/ask.hpp"
#include "batcher/actors/requests.hpp"
#include "batcher/actors/spawn.hpp"
#include "test_messages.hpp"

#include <caf/exit_reason.hpp>
#include <catch2/catch.hpp>
#include <test_system.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace batcher::actors {

extern template batcher_handle<int, int>
start_batcher<int, int>(caf::actor_system&, options, worker_maker<int, int>, hooks<int, int>);

} // namespace batcher::actors

namespace batcher::tests {

using handle = actors::batcher_handle<int, int>;
using batch = std::span<const int>;

/// What clients were answered, by request.
struct answers {
  std::multimap<int, int> values;
  std::multimap<int, caf::error> errors;

  std::size_t total() const { return values.size() + errors.size(); }

  /// Returns how many requests were answered with `code`.
  std::size_t failed_with(errc code) const;
};

/// The batches that a function was called with, over all its workers.
using calls = std::vector<std::vector<int>>;

struct actor_fixture {
  actor_fixture();
  ~actor_fixture();

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
  handle spawn_doubler(options opts, actors::hooks<int, int> how = {});

  static std::vector<int> doubled(batch xs);

  /// A client actor that sends requests from..to-1 one after the other, without waiting.
  void send_requests(const handle& to_whom, int from, int to);
  void send_requests(const actors::plain_handle<int, int>& to_whom, int from, int to);

  /// Sends requests and runs everything that needs no time to pass.
  void request(const handle& to_whom, int from, int to);

  /// Returns how what a client is answered with for request `i` is kept.
  std::function<void(caf::expected<int>)> keep(int i);

  // -- clients that do more than to ask -----------------------------------------------------------

  /// A client actor that does what it is told, until it ends.
  caf::actor spawn_client();

  /// Lets a client do something, once its message is run.
  void post(const caf::actor& client, std::function<void(caf::event_based_actor*)> task);

  /// Sends a request with wishes in the name of a client.
  void post_submit(const caf::actor& client, const handle& to_whom, actors::submit<int> what);

  /// The same, and runs everything that needs no time to pass.
  void submit(const caf::actor& client, const handle& to_whom, actors::submit<int> what);

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

  batcher_stats stats(const handle& of);

  /// Returns how many requests were answered in that way, by the batcher's own account.
  std::uint64_t counted(const handle& of, outcome how);

  /// Gives new options and returns what they are refused with, if they are.
  caf::error reconfigure(const handle& whom, options opts);

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
