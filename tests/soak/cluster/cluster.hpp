// SPDX-License-Identifier: BSD-3-Clause
//
// One batcher, published, and its nodes as child processes that can be killed, frozen and cut off:
// first the workers, then the clients. One thread, the one that made it, but for what says otherwise.

#pragma once

#include "account.hpp"
#include "executions.hpp"
#include "network.hpp"
#include "settings.hpp"
#include "tunnels.hpp"

#include "batcher/actors/interfaces.hpp"
#include "batcher/actors/node/options.hpp"
#include "batcher/observer.hpp"
#include "batcher/options.hpp"
#include "batcher/time.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace soak {

using handle = batcher::actors::batcher_handle<std::uint64_t, std::uint64_t>;

/// Counts runs of batches, and keeps hold of the batcher's counters.
struct run_counter final : batcher::observer {
  std::shared_ptr<const batcher::live_counters> counters;
  std::atomic<std::uint64_t> runs = 0;
  std::atomic<std::uint64_t> items = 0;
  std::atomic<std::uint64_t> retries = 0; ///< Runs beyond the first.
  std::atomic<std::uint64_t> retried_items = 0;

  void on_start(std::string_view, std::size_t,
                std::shared_ptr<const batcher::live_counters> of) noexcept override {
    counters = std::move(of);
  }
  void on_batch(const batcher::batch_record& record) noexcept override {
    ++runs;
    items += record.items;
    if (record.attempt == 1) return;
    ++retries;
    retried_items += record.items;
  }
};

/// Who is here, by what the gate says. Any thread.
class attendance {
public:
  void note(const batcher::actors::node_event& what);

  /// Waits until that many nodes are here; false if they are not in time.
  [[nodiscard]] bool wait_for(std::size_t nodes, batcher::duration timeout);

  /// Events of one kind so far.
  [[nodiscard]] std::uint64_t of(batcher::actors::node_event::kind what) const;

private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> here_; // how often: a session may outlive the one that follows it
  std::map<batcher::actors::node_event::kind, std::uint64_t> events_;
};

/// What the batcher of a run looks like.
[[nodiscard]] batcher::options batcher_options(const settings& chosen);

class cluster {
public:
  /// `net` must outlive it, and have room for all nodes. Starts them.
  cluster(const settings& chosen, const network& net, const batcher::options& opts);
  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;
  ~cluster();

  [[nodiscard]] const handle& batcher() const;
  [[nodiscard]] run_counter& runs() const;
  [[nodiscard]] attendance& who() const;
  [[nodiscard]] executions& executed() const;
  [[nodiscard]] const network& net() const;
  /// Nodes of both kinds, and those that are workers.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t workers() const;
  [[nodiscard]] std::size_t clients() const;
  [[nodiscard]] account& account_of(std::size_t client) const;
  [[nodiscard]] batcher::duration max_silence() const;

  /// Starts a node. Precondition: it is not running.
  void start(std::size_t node);
  /// Ends it with SIGKILL, frozen or not.
  void kill(std::size_t node);
  /// Asks it to leave, and waits for that. Returns whether it left nothing unfinished.
  bool leave(std::size_t node);
  void freeze(std::size_t node) const;
  void thaw(std::size_t node) const;
  /// Precondition of both: the network is real.
  void cut(std::size_t node) const;
  void heal(std::size_t node) const;

  /// Throws `std::runtime_error` if a node has ended by itself.
  void look_after() const;

private:
  struct actors;

  [[nodiscard]] std::vector<std::string> arguments_for(std::size_t node) const;
  // Of workers nobody keeps account.
  void on_disturbed(std::size_t node) const;
  void on_whole(std::size_t node) const;

  settings chosen_;
  const network* net_;
  std::unique_ptr<executions> executed_ = std::make_unique<executions>();
  std::vector<std::unique_ptr<shared<account>>> accounts_; // by client
  std::vector<std::optional<pid_t>> nodes_;
  std::optional<certificates> certificates_; // for CAF's TLS
  std::optional<tunnels> tunnels_;
  std::unique_ptr<actors> actors_;
};

} // namespace soak
