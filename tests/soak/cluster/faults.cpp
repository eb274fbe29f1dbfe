// SPDX-License-Identifier: BSD-3-Clause

#include "faults.hpp"

namespace soak {

using namespace std::chrono_literals;

faults::faults(cluster& on, ledger& in, std::uint64_t seed)
  : cluster_{&on}, ledger_{&in}, random_{seed},
    outages_(on.size()), next_{steady::now() + draw(1s, 3s)} {}

void faults::look(steady::time_point now) {
  cluster_->look_after();
  for (std::size_t i = 0; i < outages_.size(); ++i)
    if (outages_[i] && now >= outages_[i]->until) repair(i);
  if (now < next_) return;
  next_ = now + draw(1s, 3s);
  strike();
}

void faults::repair_all() {
  for (std::size_t i = 0; i < outages_.size(); ++i)
    if (outages_[i]) repair(i);
}

void faults::strike() {
  std::vector<std::size_t> healthy;
  for (std::size_t i = 0; i < outages_.size(); ++i)
    if (!outages_[i]) healthy.push_back(i);
  if (healthy.empty()) return;
  auto node = healthy[random_() % healthy.size()];
  constexpr std::array all{event::kill, event::freeze, event::cut};
  auto what = all[random_() % (cluster_->net().is_real() ? 3 : 2)];
  ledger_->on_event(what);
  if (what == event::kill) {
    cluster_->kill(node);
    outages_[node] = {event::start, steady::now() + draw(100ms, 3s)};
    return;
  }
  if (what == event::freeze)
    cluster_->freeze(node);
  else
    cluster_->cut(node);
  auto repair = what == event::freeze ? event::thaw : event::heal;
  outages_[node] = {repair, steady::now() + draw(100ms, 3 * cluster_->max_silence())};
}

void faults::repair(std::size_t node) {
  auto how = outages_[node]->repair;
  outages_[node].reset();
  ledger_->on_event(how);
  if (how == event::start)
    cluster_->start(node);
  else if (how == event::thaw)
    cluster_->thaw(node);
  else
    cluster_->heal(node);
}

steady::duration faults::draw(steady::duration least, steady::duration most) {
  std::uniform_int_distribution<steady::rep> within{least.count(), most.count()};
  return steady::duration{within(random_)};
}

} // namespace soak
