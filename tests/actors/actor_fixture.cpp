// SPDX-License-Identifier: BSD-3-Clause

#include "actor_fixture.hpp"

namespace batcher::actors {

template batcher_handle<int, int> start_batcher<int, int>(caf::actor_system&, options,
                                                          worker_maker<int, int>, hooks<int, int>);

} // namespace batcher::actors

namespace batcher::tests {

std::size_t answers::failed_with(errc code) const {
  std::size_t n = 0;
  for (auto& [request, why] : errors) n += why == caf::make_error(code);
  return n;
}

actor_fixture::actor_fixture() = default;
actor_fixture::~actor_fixture() = default;

handle actor_fixture::spawn_doubler(options opts, actors::hooks<int, int> how) {
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

std::vector<int> actor_fixture::doubled(batch xs) {
  std::vector<int> results;
  for (auto x : xs) results.push_back(2 * x);
  return results;
}

namespace {

template <class Handle>
void send_all(caf::actor_system& system, answers& to, const Handle& to_whom, int from, int end) {
  system.spawn([&to, to_whom, from, end](caf::event_based_actor* self) {
    for (int i = from; i < end; ++i)
      actors::compat::request(self, to_whom, i)
        .then([&to, i](int y) { to.values.emplace(i, y); },
              [&to, i](const caf::error& why) { to.errors.emplace(i, why); });
  });
}

} // namespace

void actor_fixture::send_requests(const handle& to_whom, int from, int to) {
  send_all(time.system(), answered, to_whom, from, to);
}

void actor_fixture::send_requests(const actors::plain_handle<int, int>& to_whom, int from, int to) {
  send_all(time.system(), answered, to_whom, from, to);
}

void actor_fixture::request(const handle& to_whom, int from, int to) {
  send_requests(to_whom, from, to);
  time.run();
}

std::function<void(caf::expected<int>)> actor_fixture::keep(int i) {
  return [this, i](caf::expected<int> y) {
    if (y)
      answered.values.emplace(i, *y);
    else
      answered.errors.emplace(i, y.error());
  };
}

caf::actor actor_fixture::spawn_client() {
  return time.system().spawn([](caf::event_based_actor* self) -> caf::behavior {
    return {[self](const task_message& msg) { msg.task(self); }};
  });
}

void actor_fixture::post(const caf::actor& client,
                         std::function<void(caf::event_based_actor*)> task) {
  actors::compat::anon_send(client, task_message{std::move(task)});
}

void actor_fixture::post_submit(const caf::actor& client, const handle& to_whom,
                                actors::submit<int> what) {
  post(client, [this, to_whom, what](caf::event_based_actor* self) {
    actors::compat::request(self, to_whom, actors::message_of(what))
      .then([keep = keep(what.request)](int y) { keep(y); },
            [keep = keep(what.request)](const caf::error& why) { keep(why); });
  });
}

void actor_fixture::submit(const caf::actor& client, const handle& to_whom,
                           actors::submit<int> what) {
  post_submit(client, to_whom, std::move(what));
  time.run();
}

batcher_stats actor_fixture::stats(const handle& of) {
  auto answer = ask_as<actors::stats_message>(spawn_client(), of, actors::stats_atom_v);
  REQUIRE(*answer);
  return (**answer)->stats;
}

std::uint64_t actor_fixture::counted(const handle& of, outcome how) {
  return stats(of).counters.replies[static_cast<std::size_t>(how)];
}

caf::error actor_fixture::reconfigure(const handle& whom, options opts) {
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

} // namespace batcher::tests
