// SPDX-License-Identifier: BSD-3-Clause
//
// Random loads on one lane: tenants that always have something queued share it by weight, and a
// priority is overtaken within its bound. RapidCheck prints the seed and the number of runs.

#include "batcher/batcher_core.hpp"
#include "random_options.hpp"

#include <catch2/catch.hpp>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

using namespace batcher;
using namespace batcher::test;
using namespace std::chrono_literals;

namespace {

struct request {
  std::size_t tenant = 0;
  std::uint8_t priority = 0;
  std::size_t cost = 1;
  time_point arrival = {};
  std::size_t number = 0;
};

constexpr std::size_t backlog = 7; // of each tenant, at least, before a batch

class contest {
public:
  explicit contest(dice& d) : d_{&d}, opts_{make_options(d)}, core_{opts_} {
    while (core_.next_start(now_)) {
    }
    core_.worker_up(now_, 0, 1);
    core_.pause(); // until everybody has a backlog
    most_cost_ = 1 + d.below(9);
    priorities_ = 1 + d.below(3);
  }

  // Serves one batch after another while nobody's queue runs empty.
  void run(std::size_t batches) {
    for (; batches > 0; --batches) {
      now_ += static_cast<std::int64_t>(d_->below(8)) * 250us;
      for (std::size_t t = 0; t < queued_.size(); ++t) fill(t);
      core_.resume();
      auto b = core_.next_batch(now_);
      expect(b.has_value());
      for (auto* x : b->items) serve(*x);
      expect(core_.complete(now_, b->id, {.results = b->items.size(), .failed = {}}));
      core_.clear_departures();
      core_.pause();
    }
  }

private:
  static options make_options(dice& d) {
    options opts;
    opts.max_batch_items = 1 + d.below(backlog - 1); // so that nobody's queue runs empty
    opts.max_batch_cost = d.one_in(2) ? 9 + d.below(20) : 0;
    opts.when_idle = when_idle::immediate;
    opts.priority_head_start = d.one_of<duration>({1ms, 3ms});
    for (auto name : tenant_names)
      opts.tenant_weights.emplace(name, static_cast<std::uint32_t>(1 + d.below(5)));
    return opts;
  }

  void fill(std::size_t tenant) {
    while (queued_[tenant].size() < backlog || d_->one_in(3)) {
      request r{tenant, static_cast<std::uint8_t>(d_->below(priorities_)),
                d_->below(most_cost_ + 1), now_, next_number_++};
      largest_ = std::max({largest_, r.cost, std::size_t{1}});
      queued_[tenant].push_back(r);
      placement where{.tenant = tenant_names[tenant], .priority = r.priority, .cost = r.cost};
      expect(core_.admit(now_, std::move(r), where).refused == errc::none);
    }
  }

  void serve(const request& r) {
    auto& waiting = queued_[r.tenant];
    for (auto& other : waiting) {
      if (other.number == r.number) break; // all others came later
      // Overtaken only by one that is n priorities higher, within n head starts.
      auto n = r.priority - other.priority;
      expect(n > 0 && r.arrival - other.arrival < n * opts_.priority_head_start);
    }
    std::erase_if(waiting, [&](auto& x) { return x.number == r.number; });
    // What costs nothing is charged 1, or its sender would be served for ever.
    served_[r.tenant] += static_cast<double>(std::max<std::size_t>(r.cost, 1));
    for (std::size_t a = 0; a < served_.size(); ++a)
      for (std::size_t b = 0; b < a; ++b) check_shares(a, b);
  }

  // Since any instant so far, what two tenants were served per weight differs by three quanta at
  // most.
  void check_shares(std::size_t a, std::size_t b) {
    auto lead = share(a) - share(b);
    auto& [least, most] = leads_[a][b];
    least = std::min(least, lead);
    most = std::max(most, lead);
    expect(most - least <= 3 * static_cast<double>(largest_) + 1e-9);
  }

  double share(std::size_t tenant) const {
    return served_[tenant] / opts_.tenant_weights.at(std::string{tenant_names[tenant]});
  }

  static constexpr std::size_t tenants = tenant_names.size();

  dice* d_;
  options opts_;
  batcher_core<request> core_;
  time_point now_{1h};
  std::size_t most_cost_ = 1;
  std::size_t priorities_ = 1;
  std::size_t next_number_ = 0;
  std::size_t largest_ = 1;
  std::array<std::vector<request>, tenants> queued_;
  std::array<double, tenants> served_ = {};
  std::array<std::array<std::pair<double, double>, tenants>, tenants> leads_ = {};
};

} // namespace

TEST_CASE("tenants that always wait share a lane by weight, and priorities overtake in bounds") {
  usual_runs usual{100'000};
  auto any =
    rc::gen::noShrink(rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint64_t>()));
  CHECK(rc::check("random loads on one lane", [&] {
    dice d{*any};
    contest{d}.run(1 + d.below(40));
  }));
}
