// SPDX-License-Identifier: BSD-3-Clause
//
// A client's process, see parts.hpp. Its main thread sends; answers come in threads of the actor
// system. With a rate, latency counts from the instant that a request was due: a client that has to
// wait hides nothing.

#include "cluster/console.hpp"
#include "cluster/messages.hpp"
#include "cluster/parts.hpp"
#include "cluster/tally.hpp"
#include "command_line/output_file.hpp"

#include <batcher/actors/ask.hpp>
#include <batcher/actors/node.hpp>

#include <caf/actor_system.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace cluster {

namespace {

namespace actors = batcher::actors;
using batcher::clock;
using batcher::time_point;
using handle = actors::batcher_handle<question, answer>;

// How long it takes until a signal is noticed.
constexpr auto between_looks = std::chrono::milliseconds{50};

/// The requests under way and what became of the others. The callbacks of `ask` keep it alive.
class book {
public:
  /// Waits until less than `most` are under way, or the end is asked for.
  bool wait_for_room(std::size_t most) {
    std::unique_lock guard{mutex_};
    while (under_way_ >= most && !is_end_asked_for()) changed_.wait_for(guard, between_looks);
    return !is_end_asked_for();
  }

  void begin() {
    std::lock_guard guard{mutex_};
    ++under_way_;
    ++counts_.sent;
  }

  void end(std::uint64_t right_digest, time_point due, caf::expected<answer> came) {
    auto now = clock::now();
    std::lock_guard guard{mutex_};
    last_ = now;
    --under_way_;
    if (came)
      add(*came, right_digest, now - due);
    else
      add(came.error());
    changed_.notify_one();
  }

  [[nodiscard]] tally counts_since(time_point begin) {
    std::lock_guard guard{mutex_};
    auto result = counts_;
    result.seconds = batcher::to_seconds(std::max(last_, begin) - begin);
    return result;
  }

private:
  void add(const answer& came, std::uint64_t right_digest, batcher::duration latency) {
    ++counts_.answers_of[came.node];
    counts_.batches += 1.0 / std::max<std::uint32_t>(came.batch_items, 1);
    if (came.digest != right_digest) {
      ++counts_.wrong;
      return;
    }
    ++counts_.answered;
    counts_.latencies.add(latency);
  }

  void add(const caf::error& why) {
    ++counts_.errors[name_of(why)];
    counts_.last_error = actors::text_of(why);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t under_way_ = 0;
  tally counts_;
  time_point last_;
};

std::string key_of(std::uint64_t number, const client_settings& chosen) {
  return chosen.keys == 1 ? std::string{} : "key " + std::to_string(number % chosen.keys);
}

void send(const handle& to, std::uint64_t number, time_point due, const client_settings& chosen,
          const std::shared_ptr<book>& all) {
  std::string text(chosen.request_bytes, static_cast<char>('a' + number % 26));
  auto right = digest_of(number, text);
  all->begin();
  actors::ask(
    to,
    actors::submit<question>{.request = {number, std::move(text)},
                             .timeout = chosen.timeout,
                             .key = key_of(number, chosen)},
    [all, right, due](caf::expected<answer> came) { all->end(right, due, std::move(came)); });
}

tally ask_all(const handle& to, const client_settings& chosen) {
  auto all = std::make_shared<book>();
  auto gap =
    batcher::duration{static_cast<batcher::duration::rep>(chosen.rate > 0 ? 1e9 / chosen.rate : 0)};
  auto begin = clock::now();
  auto due = begin;
  for (std::uint64_t i = 0; i < chosen.requests; ++i, due += gap) {
    while (clock::now() < due && !is_end_asked_for())
      std::this_thread::sleep_until(std::min(due, clock::now() + between_looks));
    if (!all->wait_for_room(chosen.outstanding)) break;
    send(to, i, gap.count() > 0 ? due : clock::now(), chosen, all);
  }
  all->wait_for_room(1);
  return all->counts_since(begin);
}

} // namespace

int run(const client_settings& chosen) {
  actors::network_config<caf::id_block::cluster> cfg;
  actors::compat::set_policy(cfg, "sharing");
  cfg.watch_connections(chosen.connecting.reconnect.max_silence);
  if (wants_tls(chosen.tls)) cfg.use_tls(chosen.tls);
  caf::actor_system system{cfg};
  auto opts = chosen.connecting;
  opts.on_event = [](const actors::node_event& event) { say(text_of(event)); };
  auto batcher = actors::connect<question, answer>(system, chosen.batcher.host, chosen.batcher.port,
                                                   std::move(opts));
  auto counts = ask_all(batcher, chosen);
  auto text = to_text(counts);
  text.pop_back();
  say(text);
  bool is_written = chosen.json_file.empty()
                    || command_line::write_file("cluster", chosen.json_file, to_json(counts));
  bool is_all_right = counts.answered == chosen.requests;
  return is_written && is_all_right ? exit_ok : exit_failed;
}

} // namespace cluster
