// SPDX-License-Identifier: BSD-3-Clause

#include "node_fixture.hpp"

#include <algorithm>

namespace batcher::actors {

template batcher_handle<int, int> start_batcher<int, int>(caf::actor_system&, options,
                                                          worker_maker<int, int>, hooks<int, int>);

namespace node {

template gate_settings gate_for<int, int>(const batcher_handle<int, int>&, const publish_options&,
                                          const std::string&);
template batcher_handle<int, int> spawn_link<int, int>(caf::actor_system&, std::string,
                                                       std::uint16_t, connect_options, caf::actor);
template caf::actor start_node<int, int>(caf::actor_system&, std::string, std::uint16_t,
                                         worker_maker<int, int>, join_options, hooks<int, int>,
                                         caf::actor);

} // namespace node

} // namespace batcher::actors

namespace batcher::tests {

std::size_t cable::count(wire::frame_kind kind) const {
  return static_cast<std::size_t>(std::count_if(
    seen.begin(), seen.end(), [&](auto& x) { return x.kind == static_cast<std::uint8_t>(kind); }));
}

void cable::carry(const caf::strong_actor_ptr& from, const wire::frame& what) {
  seen.push_back(what);
  if (!near) near = from;
  if (from != near) far = from;
  if (is_cut) return;
  auto& to = from == near ? far : near;
  if (holds)
    held.push_back({to, what});
  else
    send(to, what);
}

void cable::release() {
  holds = false;
  for (auto& [to, what] : std::exchange(held, {})) send(to, what);
}

void cable::release(std::size_t bytes_each_way) {
  for (auto left : {near, far}) {
    auto budget = left == near ? std::ref(to_near) : std::ref(to_far);
    budget.get() += bytes_each_way;
    for (auto it = held.begin(); it != held.end();) {
      if (it->to != left) {
        ++it;
        continue;
      }
      if (it->what.bytes.size() > budget.get()) break;
      budget.get() -= it->what.bytes.size();
      send(it->to, it->what);
      it = held.erase(it);
    }
  }
}

void cable::send(const caf::strong_actor_ptr& to, const wire::frame& what) const {
  actors::compat::send(nullptr, self, caf::actor_cast<caf::abstract_actor*>(to), what);
}

namespace {

caf::behavior cable_actor(caf::event_based_actor* self, const std::shared_ptr<cable>& own) {
  actors::compat::ignore_errors(self);
  return {
    [self, own](const wire::frame& what) {
      own->carry(caf::actor_cast<caf::strong_actor_ptr>(self->current_sender()), what);
    },
  };
}

} // namespace

node_fixture::node_fixture() {
  actors::compat::allow_category<caf::sec>();
  actors::compat::allow_category<caf::exit_reason>();
  connector = time.system().spawn([this](caf::event_based_actor* self) { return dial_up(self); });
}

node_fixture::~node_fixture() {
  for (auto& one : all_nodes) actors::compat::anon_send(one, wire::close_atom_v);
  for (auto& one : all_links) caf::anon_send_exit(one, caf::exit_reason::kill);
  for (auto& one : all_gates) actors::compat::anon_send(one, wire::close_atom_v);
  for (auto& one : all_batchers) caf::anon_send_exit(one, caf::exit_reason::kill);
  time.run();
  for (auto& one : cables)
    if (one->self) caf::anon_send_exit(one->self, caf::exit_reason::kill);
  for (auto& one : cables) *one = {};
  caf::anon_send_exit(connector, caf::exit_reason::kill);
  promises.clear();
  unanswered.clear();
  time.run();
}

handle node_fixture::spawn_doubler(options opts) { return spawn(std::move(opts), doubler()); }

handle node_fixture::spawn_bare(options opts) {
  opts.workers = 0;
  return spawn(std::move(opts), doubler());
}

std::function<std::function<std::vector<int>(batch)>()> node_fixture::doubler() {
  return [this] {
    return [this](batch xs) {
      called.emplace_back(xs.begin(), xs.end());
      return doubled(xs);
    };
  };
}

std::vector<int> node_fixture::doubled(batch xs) {
  std::vector<int> results;
  for (auto x : xs) results.push_back(2 * x);
  return results;
}

void node_fixture::finish_oldest() {
  REQUIRE_FALSE(promises.empty());
  auto [xs, answer] = std::move(promises.front());
  promises.pop_front();
  answer.deliver(doubled(xs));
  time.run();
}

caf::actor node_fixture::publish(const handle& batcher, actors::publish_options opts) {
  opts.on_event = keep_events();
  gate =
    wire::spawn_gate(time.system(), wire::gate_for<int, int>(batcher, std::move(opts), "sums"));
  all_gates.push_back(gate);
  actors::compat::anon_send(gate, actors::start_atom_v);
  time.run();
  return gate;
}

handle node_fixture::connect(actors::connect_options opts) {
  return connect_as<int, int>(std::move(opts));
}

std::shared_ptr<std::optional<std::uint64_t>> node_fixture::leave(const caf::actor& node,
                                                                  duration timeout) {
  auto out = std::make_shared<std::optional<std::uint64_t>>();
  time.system().spawn([node, timeout, out](caf::event_based_actor* self) {
    actors::compat::request(self, node, wire::depart_atom_v, caf::timespan{timeout})
      .then([out](std::uint64_t n) { *out = n; });
  });
  time.run();
  return out;
}

caf::behavior node_fixture::dial_up(caf::event_based_actor* self) {
  return {
    [this, self](caf::connect_atom, const std::string&, std::uint16_t)
      -> caf::result<caf::node_id, caf::strong_actor_ptr, std::set<std::string>> {
      ++attempts;
      if (state == network::refuses) return caf::make_error(caf::sec::cannot_connect_to_node);
      if (state == network::is_silent) {
        unanswered.emplace_back(*self->current_mailbox_element());
        return caf::delegated<caf::node_id, caf::strong_actor_ptr, std::set<std::string>>{};
      }
      if (state == network::takes_us_for_them) // as CAF does if both have the same node id
        return {self->system().node(), caf::strong_actor_ptr{}, std::set<std::string>{}};
      auto own = std::make_shared<cable>();
      auto actor = self->spawn(cable_actor, own);
      own->self = caf::actor_cast<caf::strong_actor_ptr>(actor);
      own->far = caf::actor_cast<caf::strong_actor_ptr>(gate);
      cables.push_back(own);
      return {caf::node_id{}, own->self, std::set<std::string>{}};
    },
  };
}

void node_fixture::break_cable(std::size_t i) {
  caf::anon_send_exit(cables.at(i)->self, caf::exit_reason::kill);
  time.run();
}

void node_fixture::appear(const handle& batcher, duration wait) {
  publish(batcher);
  state = network::works;
  time.advance(wait);
}

void node_fixture::release(std::size_t i) {
  cables.at(i)->release();
  time.run();
}

actors::node_listener node_fixture::keep_events() {
  return [this](const actors::node_event& what) { events.push_back(what); };
}

std::size_t node_fixture::count(actors::node_event::kind what) const {
  return static_cast<std::size_t>(
    std::count_if(events.begin(), events.end(), [&](auto& x) { return x.what == what; }));
}

void node_fixture::request(const handle& to_whom, int from, int to) {
  time.system().spawn([this, to_whom, from, to](caf::event_based_actor* self) {
    for (int i = from; i < to; ++i)
      actors::compat::request(self, to_whom, i)
        .then([this, i](int y) { values.emplace(i, y); },
              [this, i](const caf::error& why) { errors.emplace(i, why); });
  });
  time.run();
}

void node_fixture::submit(const handle& to_whom, actors::submit<int> what) {
  auto i = what.request;
  actors::ask(to_whom, std::move(what), [this, i](caf::expected<int> y) {
    if (y)
      values.emplace(i, *y);
    else
      errors.emplace(i, y.error());
  });
  time.run();
}

batcher_stats node_fixture::stats(const handle& of) {
  auto answer = ask_for<actors::stats_message>(of, actors::stats_atom_v);
  REQUIRE(answer);
  return answer->stats;
}

std::size_t node_fixture::failed_with(errc code) const {
  std::size_t n = 0;
  for (auto& [request, why] : errors) n += why == caf::make_error(code);
  return n;
}

} // namespace batcher::tests
