// SPDX-License-Identifier: BSD-3-Clause
//
// The workers of a batcher as actors: starts them, watches them and lets them go, and tells the core
// what becomes of them. Decides nothing; when and which is the core's. Guests are workers that
// somebody else has started; one actor may be several of them.
//
// Thread rule: used by whoever has the batcher for itself (entrance.hpp), `start_due` in the actor's
// own thread.

#pragma once

#include "batcher/actors/caf_compat.hpp"
#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/messages.hpp"
#include "batcher/worker_table.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher::actors {

/// How the workers of one shard are numbered among those of all: `first`, `first + step`, ... `step`
/// is the number of shards.
struct worker_numbers {
  std::size_t first = 0;
  std::size_t step = 1;
};

/// `Self` hears of `on_worker_ready(address)` and `on_worker_down(address, why)` in its own thread, as
/// of any message: it has to ask whether that worker is still there. `Desk`: where requests wait, with
/// the core and the texts of errors.
template <class Self, class Desk>
class crew {
public:
  /// Starts a worker; called with the batcher itself and the worker's number. May throw: that worker
  /// could not be started.
  using start_worker = std::function<worker_handle(Self*, std::size_t)>;

  /// `desk` must outlive it.
  crew(start_worker start, Desk& desk, worker_numbers numbers)
    : start_{std::move(start)}, desk_{desk}, numbers_{numbers} {}

  /// Precondition: there is such a worker.
  [[nodiscard]] const worker_handle& at(worker_id id) const { return workers_.at(id); }

  /// Starts the workers that the core wants. One that cannot be started is one that died.
  void start_due(Self* self, time_point at) {
    while (auto id = core().next_start(at)) {
      auto thrown = text_of_exception([&] { start(self, *id); });
      if (!thrown) continue;
      desk_.texts().set(errc::no_workers, "a worker of " + batcher_name()
                                            + " could not be started: " + std::move(*thrown));
      core().worker_down(at, *id);
    }
  }

  /// Lets those go that the core needs no more.
  void let_retired_go() {
    while (auto id = core().take_retired()) end(*id);
  }

  /// Takes an actor in as several guests; false if it is none, or works here already.
  [[nodiscard]] bool adopt(Self* self, time_point at, const join_message& msg) {
    auto worker = caf::actor_cast<worker_handle>(msg.worker);
    if (!worker || find(worker.address())) return false;
    watch(self, worker);
    for (auto n = msg.workers; n > 0; --n) {
      auto id = next_guest_++;
      workers_.emplace(id, worker);
      core().worker_up(at, id, msg.credit);
    }
    return true;
  }

  /// Lets the guests that an actor is finish what they hold and go.
  void retire_all(time_point at, const caf::actor_addr& addr) {
    for (auto id : find_all(addr)) {
      core().worker_leave(at, id);
      desk_.texts().set(errc::no_workers, "no worker is left; " + name_of(id) + " left");
    }
  }

  /// Fails what the workers that an actor is hold; false if it is none. The actor of a guest is not
  /// ours to end.
  bool lose_all(time_point at, const caf::actor_addr& addr, const std::string& why) {
    auto lost = find_all(addr);
    for (auto id : lost) {
      if (is_guest(id))
        workers_.erase(id);
      else
        end(id);
      auto text = name_of(id) + " is lost: " + why;
      desk_.texts().set(errc::no_workers, "no worker is left; " + text);
      desk_.texts().set(errc::worker_lost, text);
      desk_.lose(at, id);
    }
    return !lost.empty();
  }

  /// Returns a worker with that address, if there is one.
  [[nodiscard]] std::optional<worker_id> find(const caf::actor_addr& addr) const {
    auto it = std::find_if(workers_.begin(), workers_.end(),
                           [&](auto& entry) { return entry.second.address() == addr; });
    return it == workers_.end() ? std::nullopt : std::optional{it->first};
  }

  void end_all() {
    while (!workers_.empty()) end(workers_.begin()->first);
  }

private:
  static constexpr worker_id first_guest = worker_id{1} << 32;

  static bool is_guest(worker_id id) { return id >= first_guest; }

  auto& core() noexcept { return desk_.core(); }
  [[nodiscard]] const std::string& batcher_name() const { return desk_.core().opts().name; }

  [[nodiscard]] std::string name_of(worker_id id) const {
    auto name = is_guest(id) ? "joined worker " + std::to_string(id - first_guest)
                             : "worker " + std::to_string(number_of(id));
    return name + " of " + batcher_name();
  }

  [[nodiscard]] std::size_t number_of(worker_id id) const {
    return numbers_.first + id * numbers_.step;
  }

  // Throws what starting it throws.
  void start(Self* self, worker_id id) {
    auto& worker = workers_.emplace(id, start_(self, number_of(id))).first->second;
    // CAF reports one death up to twice: as an answer to the start, and by itself.
    watch(self, worker);
    compat::request(self, worker, start_atom_v)
      .then([self, addr = worker.address()] { self->on_worker_ready(addr); },
            [self, addr = worker.address()](const caf::error& why) {
              self->on_worker_down(addr, why);
            });
  }

  static void watch(Self* self, const worker_handle& worker) {
    compat::monitor(self, worker, [self](const caf::actor_addr& addr, const caf::error& why) {
      self->on_worker_down(addr, why);
    });
  }

  [[nodiscard]] std::vector<worker_id> find_all(const caf::actor_addr& addr) const {
    std::vector<worker_id> ids;
    for (auto& [id, worker] : workers_)
      if (worker.address() == addr) ids.push_back(id);
    return ids;
  }

  // An actor ends with the last worker that it is.
  void end(worker_id id) {
    auto node = workers_.extract(id);
    if (node.empty() || (is_guest(id) && find(node.mapped().address()))) return;
    caf::anon_send_exit(node.mapped(), caf::exit_reason::user_shutdown);
  }

  start_worker start_;
  Desk& desk_;
  worker_numbers numbers_;
  std::unordered_map<worker_id, worker_handle> workers_;
  worker_id next_guest_ = first_guest;
};

} // namespace batcher::actors
