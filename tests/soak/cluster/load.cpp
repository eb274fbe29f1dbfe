// SPDX-License-Identifier: BSD-3-Clause

#include "load.hpp"

#include "../answer_watch.hpp"

#include "batcher/actors/ask.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>

namespace soak {

namespace compat = batcher::actors::compat;
using namespace std::chrono_literals;

namespace {

// Ends when it is over and everything is answered.
class plain_client final : public caf::event_based_actor {
public:
  static constexpr std::size_t window = 256;

  plain_client(caf::actor_config& cfg, handle to, std::shared_ptr<ledger> in,
               std::shared_ptr<const std::atomic<bool>> is_over)
    : caf::event_based_actor{cfg}, to_{std::move(to)}, ledger_{std::move(in)}, is_over_{std::move(
                                                                                 is_over)} {}

  const char* name() const override { return "soak.plain_client"; }

  compat::enqueue_result enqueue(caf::mailbox_element_ptr msg,
                                 compat::execution_context* context) override {
    if (watch_.is_second(*msg)) ledger_->on_second_reply();
    return caf::event_based_actor::enqueue(std::move(msg), context);
  }

protected:
  caf::behavior make_behavior() override {
    for (std::size_t i = 0; i < window; ++i) ask_next();
    return {};
  }

private:
  void ask_next() {
    if (*is_over_) return;
    auto number = ledger_->open();
    if (number >= executions::capacity) return; // no room left to count more
    auto take = [this, number, sent = steady::now()](const caf::expected<std::uint64_t>& reply) {
      ledger_->on_reply(number, sent, reply);
      ask_next();
    };
    compat::request(this, to_, number)
      .then([take](std::uint64_t x) { take(x); }, [take](const caf::error& why) { take(why); });
  }

  handle to_;
  std::shared_ptr<ledger> ledger_;
  std::shared_ptr<const std::atomic<bool>> is_over_;
  answer_watch watch_;
};

} // namespace

load::load(const handle& to, std::shared_ptr<ledger> in, std::size_t window_size)
  : ledger_{std::move(in)}, free_{
                              std::make_shared<window>(static_cast<std::ptrdiff_t>(window_size))} {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this, to] { run(to); });
  plain_ = to.home_system().spawn<plain_client>(to, ledger_, is_over_);
}

load::~load() {
  stop();
  caf::anon_send_exit(plain_, caf::exit_reason::kill); // it waits for ever for what was lost
}

void load::stop() {
  *is_over_ = true;
  for (auto& t : threads_) t.join();
  threads_.clear();
}

void load::run(const handle& to) {
  while (!*is_over_) {
    if (!free_->try_acquire_for(50ms)) continue;
    auto number = ledger_->open();
    if (number >= executions::capacity) return; // no room left to count more
    batcher::actors::ask(to, number,
                         [in = ledger_, free = free_, number,
                          sent = steady::now()](const caf::expected<std::uint64_t>& reply) {
                           in->on_reply(number, sent, reply);
                           free->release();
                         });
  }
}

} // namespace soak
