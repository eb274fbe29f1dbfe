// SPDX-License-Identifier: BSD-3-Clause
//
// The sides of the comparisons of the hot path: clients that keep a fixed number of requests
// outstanding, the plain actor that answers each request by itself, and what a C++ programmer
// writes by hand without actors.

#pragma once

#include "load.hpp"

#include "batcher/actors/client.hpp"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>

namespace bench {

using int_actor = batcher::actors::compat::typed_actor<caf::result<int>(int)>;

/// The floor that any actor pays: answers each request with itself.
inline int_actor::behavior_type echo() {
  return {[](int x) { return x; }};
}

/// A client that keeps `window` requests outstanding until `requests` are answered. `Handle` takes an
/// int; `Bulk` requests travel in one message if that is more than 1. A wrong answer ends the
/// program.
template <class Handle, std::size_t Bulk = 1>
class windowed_client final : public caf::event_based_actor {
public:
  windowed_client(caf::actor_config& cfg, Handle to, std::size_t requests, std::size_t window,
                  std::latch& finished)
    : caf::event_based_actor{cfg}, to_{std::move(to)}, unsent_{requests / Bulk}, open_{unsent_},
      window_{std::max<std::size_t>(window / Bulk, 1)}, finished_{finished} {}

protected:
  caf::behavior make_behavior() override {
    for (std::size_t i = 0; i < window_; ++i) send_next();
    return {[](wake_atom) {}};
  }

private:
  static void fail(const caf::error& why) {
    std::fprintf(stderr, "a request failed: %s\n", batcher::actors::text_of(why).c_str());
    std::abort();
  }

  void send_next() {
    if (unsent_ == 0) return;
    --unsent_;
    using batcher::actors::compat::request;
    if constexpr (Bulk == 1) {
      request(this, to_, 7)
        .then(
          [this](int y) {
            if (y != 7) std::abort();
            on_answer();
          },
          fail);
    } else {
      batcher::actors::bulk<int> many{.requests = std::vector<int>(Bulk, 7)};
      request(this, to_, batcher::actors::message_of(std::move(many)))
        .then(
          [this](batcher::actors::bulk_reply_message& reply) {
            for (const auto& y : batcher::actors::results_of<int>(reply))
              if (!y || *y != 7) std::abort();
            on_answer();
          },
          fail);
    }
  }

  void on_answer() {
    send_next();
    if (--open_ > 0) return;
    quit();
    finished_.count_down();
  }

  Handle to_;
  std::size_t unsent_;
  std::size_t open_;
  std::size_t window_;
  std::latch& finished_;
};

/// The same, one request a message, with the library's `client` in place of CAF's `request`.
class asking_client final : public caf::event_based_actor {
public:
  asking_client(caf::actor_config& cfg, handle to, std::size_t requests, std::size_t window,
                std::latch& finished)
    : caf::event_based_actor{cfg}, to_{this, std::move(to)}, unsent_{requests}, open_{requests},
      window_{window}, finished_{finished} {}

protected:
  caf::behavior make_behavior() override {
    for (std::size_t i = 0; i < window_; ++i) send_next();
    return {[](wake_atom) {}};
  }

private:
  void send_next() {
    if (unsent_ == 0) return;
    --unsent_;
    to_.ask(7, [this](caf::expected<int> y) {
      if (!y || *y != 7) std::abort();
      send_next();
      if (--open_ > 0) return;
      quit();
      finished_.count_down();
    });
  }

  batcher::actors::client<handle> to_;
  std::size_t unsent_;
  std::size_t open_;
  std::size_t window_;
  std::latch& finished_;
};

/// Returns the requests per second that so many clients together get answered.
template <std::size_t Bulk = 1, class Handle, class Client = windowed_client<Handle, Bulk>>
double closed_loop_rate(caf::actor_system& system, const Handle& to, std::size_t clients,
                        std::size_t requests, std::size_t window) {
  std::latch finished{static_cast<std::ptrdiff_t>(clients)};
  auto each = requests / clients / Bulk * Bulk;
  auto begin = steady::now();
  for (std::size_t i = 0; i < clients; ++i) system.spawn<Client>(to, each, window, finished);
  finished.wait();
  return static_cast<double>(each * clients)
         / std::chrono::duration<double>(steady::now() - begin).count();
}

/// What is written by hand today: a queue under a mutex, a promise for each request and a thread
/// that takes whatever is there.
class promise_queue {
public:
  explicit promise_queue(std::size_t max_batch_items) : max_{max_batch_items} {}
  promise_queue(const promise_queue&) = delete;
  promise_queue& operator=(const promise_queue&) = delete;
  ~promise_queue() {
    {
      std::lock_guard lock{mutex_};
      is_closed_ = true;
    }
    there_.notify_one();
    thread_.join();
  }

  std::future<int> ask(int x) {
    entry added{x, {}};
    auto answer = added.answer.get_future();
    {
      std::lock_guard lock{mutex_};
      queue_.push_back(std::move(added));
    }
    there_.notify_one();
    return answer;
  }

private:
  struct entry {
    int request = 0;
    std::promise<int> answer;
  };

  void run() {
    std::vector<entry> batch;
    for (;;) {
      {
        std::unique_lock lock{mutex_};
        there_.wait(lock, [this] { return is_closed_ || !queue_.empty(); });
        if (queue_.empty()) return;
        while (!queue_.empty() && batch.size() < max_) {
          batch.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
      }
      for (auto& x : batch) x.answer.set_value(x.request);
      batch.clear();
    }
  }

  std::size_t max_;
  std::mutex mutex_;
  std::condition_variable there_;
  std::deque<entry> queue_;
  bool is_closed_ = false;
  std::thread thread_{[this] { run(); }};
};

/// The same load as `closed_loop_rate` on a promise queue, a thread for each client.
inline double promise_queue_rate(promise_queue& to, std::size_t clients, std::size_t requests,
                                 std::size_t window) {
  auto begin = steady::now();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients; ++i)
    threads.emplace_back([&to, each = requests / clients, window] {
      std::deque<std::future<int>> outstanding;
      for (std::size_t sent = 0; sent < each || !outstanding.empty();) {
        while (sent < each && outstanding.size() < window) {
          outstanding.push_back(to.ask(7));
          ++sent;
        }
        if (outstanding.front().get() != 7) std::abort();
        outstanding.pop_front();
      }
    });
  for (auto& t : threads) t.join();
  return static_cast<double>(requests / clients * clients)
         / std::chrono::duration<double>(steady::now() - begin).count();
}

} // namespace bench
