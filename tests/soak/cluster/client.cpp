// SPDX-License-Identifier: BSD-3-Clause

#include "client.hpp"

#include "account.hpp"
#include "executions.hpp"
#include "processes.hpp"
#include "tunnels.hpp"
#include "worker.hpp"

#include "batcher/actors/ask.hpp"
#include "batcher/actors/node.hpp"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <semaphore>
#include <thread>
#include <vector>

namespace soak {

using namespace std::chrono_literals;

namespace {

// The callbacks of `ask` keep it alive.
class bookkeeper {
public:
  explicit bookkeeper(const client_settings& chosen)
    : chosen_{chosen}, own_{chosen.account_file}, free_{static_cast<std::ptrdiff_t>(chosen.window)},
      answered_(executions::capacity_of_client) {}

  /// Waits for room in the window. A client whose batcher is lost asks again after a pause.
  [[nodiscard]] bool wait_for_room() {
    if (is_lost_.exchange(false)) std::this_thread::sleep_for(10ms);
    return free_.try_acquire_for(50ms);
  }

  /// Returns a new request, of those of this client.
  [[nodiscard]] std::uint64_t open() { return own_->sent++; }

  [[nodiscard]] static std::uint64_t number_of(const client_settings& of, std::uint64_t request) {
    return of.first_request + request;
  }

  void on_reply(std::uint64_t request, steady::rep sent,
                const caf::expected<std::uint64_t>& reply) {
    auto now = now_count();
    auto taken = now - std::max(sent, own_->disturbed_at.load());
    {
      std::lock_guard lock{mutex_};
      if (answered_[request]) {
        ++own_->doubled;
        return;
      }
      answered_[request] = true;
    }
    ++own_->replies;
    if (taken > steady::duration{std::chrono::seconds{chosen_.overdue_s}}.count()) ++own_->overdue;
    if (reply)
      on_result(now, *reply == answer_to(number_of(chosen_, request)));
    else
      on_error(sent, taken, reply.error());
    free_.release();
  }

  /// Waits for all that is missing; false if it does not come.
  [[nodiscard]] bool wait_for_all() {
    auto end = steady::now() + std::chrono::seconds{chosen_.overdue_s};
    for (std::size_t i = 0; i < chosen_.window; ++i)
      if (!free_.try_acquire_until(end)) return false;
    return true;
  }

private:
  void on_result(steady::rep now, bool is_right) {
    ++(is_right ? own_->ok : own_->wrong);
    own_->last_ok_at = now;
    auto whole_since = own_->whole_since.load();
    if (now < whole_since || served_since_.exchange(whole_since) == whole_since) return;
    raise(own_->longest_recovery, now - whole_since);
  }

  void on_error(steady::rep sent, steady::rep taken, const caf::error& why) {
    bool is_own = why.category() == caf::make_error(batcher::errc::expired).category();
    auto code = is_own ? static_cast<batcher::errc>(why.code()) : batcher::errc::none;
    ++own_->errors_with(code);
    if (code != batcher::errc::batcher_lost) return;
    is_lost_ = true;
    raise(own_->longest_lost, taken);
    auto recovery = time_to_recover(std::chrono::milliseconds{chosen_.max_silence_ms}).count();
    if (sent - recovery > own_->whole_since) ++own_->unfounded;
  }

  client_settings chosen_;
  shared<account> own_;
  std::counting_semaphore<> free_;
  std::atomic<bool> is_lost_ = false;
  std::atomic<steady::rep> served_since_ = 0; // the disturbance whose end it was measured from
  std::mutex mutex_;
  std::vector<bool> answered_;
};

} // namespace

int run_client(const client_settings& chosen) {
  auto terminate = block_terminate();
  auto books = std::make_shared<bookkeeper>(chosen);
  auto max_silence = std::chrono::milliseconds{chosen.max_silence_ms};
  batcher::actors::network_config<> cfg;
  batcher::actors::compat::set_policy(cfg, "sharing");
  cfg.watch_connections(max_silence);
  if (!chosen.certificates_folder.empty())
    cfg.use_tls(tls_of(chosen.certificates_folder, "worker"));
  caf::actor_system system{cfg};
  auto far = batcher::actors::connect<std::uint64_t, std::uint64_t>(
    system, chosen.host, chosen.port,
    {.name = chosen.name,
     .reconnect = {.connect_timeout = 500ms,
                   .retry_delay = 50ms,
                   .max_retry_delay = 500ms,
                   .max_silence = max_silence},
     .max_outage = client_max_outage});
  constexpr timespec at_once{};
  while (::sigtimedwait(&terminate, nullptr, &at_once) != SIGTERM) {
    if (!books->wait_for_room()) continue;
    auto request = books->open();
    if (request >= executions::capacity_of_client) return 2; // no room left to count more
    batcher::actors::ask(
      far, bookkeeper::number_of(chosen, request),
      [books, request, sent = now_count()](const caf::expected<std::uint64_t>& reply) {
        books->on_reply(request, sent, reply);
      });
  }
  return books->wait_for_all() ? 0 : 1;
}

} // namespace soak
