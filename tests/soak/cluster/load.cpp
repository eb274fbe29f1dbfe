// SPDX-License-Identifier: BSD-3-Clause

#include "load.hpp"

#include "batcher/actors/ask.hpp"

namespace soak {

using namespace std::chrono_literals;

load::load(const handle& to, std::shared_ptr<ledger> in, std::size_t window_size)
  : ledger_{std::move(in)}, free_{
                              std::make_shared<window>(static_cast<std::ptrdiff_t>(window_size))} {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this, to] { run(to); });
}

void load::stop() {
  is_over_ = true;
  for (auto& t : threads_) t.join();
  threads_.clear();
}

void load::run(const handle& to) {
  while (!is_over_) {
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
