// SPDX-License-Identifier: BSD-3-Clause
//
// The workers of a batcher as actors: starts them, watches them and lets them go. Decides nothing;
// when and which is the core's.
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
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>

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

  /// Starts worker `id`. Throws what starting it throws.
  void start(Self* self, worker_id id) {
    auto& worker = workers_.emplace(id, start_(self, id)).first->second;
    // CAF reports one death up to twice: as an answer to the start, and by itself.
    compat::monitor(self, worker, [self](const caf::actor_addr& addr, const caf::error& why) {
      self->on_worker_down(addr, why);
    });
    compat::request(self, worker, start_atom_v)
      .then([self, addr = worker.address()] { self->on_worker_ready(addr); },
            [self, addr = worker.address()](const caf::error& why) {
              self->on_worker_down(addr, why);
            });
  }

  /// Returns which worker has that address now, if one has.
  [[nodiscard]] std::optional<worker_id> find(const caf::actor_addr& addr) const {
    auto it = std::find_if(workers_.begin(), workers_.end(),
                           [&](auto& entry) { return entry.second.address() == addr; });
    return it == workers_.end() ? std::nullopt : std::optional{it->first};
  }

  void end(worker_id id) {
    auto node = workers_.extract(id);
    if (!node.empty()) caf::anon_send_exit(node.mapped(), caf::exit_reason::user_shutdown);
  }

  void end_all() {
    while (!workers_.empty()) end(workers_.begin()->first);
  }

private:
  start_worker start_;
  std::unordered_map<worker_id, worker_handle> workers_;
};

} // namespace batcher::actors
