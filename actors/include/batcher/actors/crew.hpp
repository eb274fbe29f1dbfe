// SPDX-License-Identifier: BSD-3-Clause
//
// The workers of a batcher as actors: starts them, watches them and lets them go. Decides nothing;
// when and which is the core's. Guests are workers that somebody else has started; one actor may be
// several of them.
//
// Thread rule: used by whoever has the batcher for itself (entrance.hpp), `start` in the actor's own
// thread.

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

/// `Self` hears of `on_worker_ready(address)` and `on_worker_down(address, why)` in its own thread, as
/// of any message: it has to ask whether that worker is still there.
template <class Self>
class crew {
public:
  /// Starts a worker; called with the batcher itself and the worker's number. May throw: that worker
  /// could not be started.
  using start_worker = std::function<worker_handle(Self*, std::size_t)>;

  explicit crew(start_worker start) : start_{std::move(start)} {}

  /// Precondition: there is such a worker.
  [[nodiscard]] const worker_handle& at(worker_id id) const { return workers_.at(id); }

  /// Returns what to call a worker in a text.
  [[nodiscard]] static std::string name_of(worker_id id) {
    return is_guest(id) ? "joined worker " + std::to_string(id - first_guest)
                        : "worker " + std::to_string(id);
  }

  /// Starts worker `id`. Throws what starting it throws.
  void start(Self* self, worker_id id) {
    auto& worker = workers_.emplace(id, start_(self, id)).first->second;
    // CAF reports one death up to twice: as an answer to the start, and by itself.
    watch(self, worker);
    compat::request(self, worker, start_atom_v)
      .then([self, addr = worker.address()] { self->on_worker_ready(addr); },
            [self, addr = worker.address()](const caf::error& why) {
              self->on_worker_down(addr, why);
            });
  }

  /// Takes an actor in as `workers` guests and returns their ids. Precondition: it is valid, and no
  /// worker yet.
  [[nodiscard]] std::vector<worker_id> adopt(Self* self, const worker_handle& worker,
                                             std::uint32_t workers) {
    std::vector<worker_id> ids;
    for (; workers > 0; --workers) {
      ids.push_back(next_guest_);
      workers_.emplace(next_guest_++, worker);
    }
    watch(self, worker);
    return ids;
  }

  /// Returns a worker with that address, if there is one.
  [[nodiscard]] std::optional<worker_id> find(const caf::actor_addr& addr) const {
    auto it = std::find_if(workers_.begin(), workers_.end(),
                           [&](auto& entry) { return entry.second.address() == addr; });
    return it == workers_.end() ? std::nullopt : std::optional{it->first};
  }

  /// Returns all workers with that address.
  [[nodiscard]] std::vector<worker_id> find_all(const caf::actor_addr& addr) const {
    std::vector<worker_id> ids;
    for (auto& [id, worker] : workers_)
      if (worker.address() == addr) ids.push_back(id);
    return ids;
  }

  /// Lets a worker go; its actor ends with the last that it is.
  void end(worker_id id) {
    auto node = workers_.extract(id);
    if (node.empty() || (is_guest(id) && find(node.mapped().address()))) return;
    caf::anon_send_exit(node.mapped(), caf::exit_reason::user_shutdown);
  }

  /// The same for one that is lost; the actor of a guest is not ours to end.
  void lose(worker_id id) {
    if (is_guest(id))
      workers_.erase(id);
    else
      end(id);
  }

  void end_all() {
    while (!workers_.empty()) end(workers_.begin()->first);
  }

private:
  static constexpr worker_id first_guest = worker_id{1} << 32;

  static bool is_guest(worker_id id) { return id >= first_guest; }

  static void watch(Self* self, const worker_handle& worker) {
    compat::monitor(self, worker, [self](const caf::actor_addr& addr, const caf::error& why) {
      self->on_worker_down(addr, why);
    });
  }

  start_worker start_;
  std::unordered_map<worker_id, worker_handle> workers_;
  worker_id next_guest_ = first_guest;
};

} // namespace batcher::actors
