// SPDX-License-Identifier: BSD-3-Clause

#include "held_workers.hpp"

#include <deque>
#include <memory>
#include <stdexcept>

namespace batcher::tests {

namespace {

using job_type = actors::job<int, int>;

struct held_state {
  static inline const char* name = "held_worker";
  struct held_job {
    std::shared_ptr<job_type> work;
    caf::strong_actor_ptr batcher;
  };
  std::deque<held_job> jobs;
};

/// What a function of that fate returns.
std::vector<int> meet(fate how, batch xs) {
  if (how == fate::thrown) throw std::runtime_error{"as the test wants"};
  std::vector<int> results;
  for (auto x : xs) results.push_back(2 * x);
  if (how == fate::one_too_many) results.push_back(0);
  if (how == fate::one_too_few) results.pop_back();
  if (how == fate::none_at_all) results.clear();
  return results;
}

caf::behavior held_worker(caf::stateful_actor<held_state>* self) {
  return {
    [](actors::start_atom) {},
    [](const actors::job_done_message&) {},
    [self](actors::job_message& msg) {
      actors::compat::state(self).jobs.push_back(
        {std::static_pointer_cast<job_type>(msg.job), self->current_sender()});
    },
    [self](const release_message& msg) {
      auto& jobs = actors::compat::state(self).jobs;
      if (jobs.empty()) return;
      auto run = [&](batch xs) { return meet(msg.how, xs); };
      actors::run_job(run, jobs.front().work, self->clock());
      auto [work, batcher] = std::move(jobs.front());
      jobs.pop_front();
      actors::compat::send(self->context(), nullptr, caf::actor_cast<caf::abstract_actor*>(batcher),
                           actors::job_done_message{std::move(work)});
    },
  };
}

} // namespace

held_fixture::~held_fixture() {
  for (auto& addr : batchers_)
    if (auto b = caf::actor_cast<caf::actor>(addr)) exit(b, caf::exit_reason::kill);
  for (auto& w : workers) exit(w, caf::exit_reason::kill);
}

handle held_fixture::spawn_held(options opts, actors::hooks<int, int> how) {
  using actor_type = actors::batcher_actor<int, int>;
  auto start = [this](actor_type* self, std::size_t) {
    workers.push_back(self->spawn(held_worker));
    return caf::actor_cast<actors::worker_handle>(workers.back());
  };
  handle batcher = time.system().spawn<actor_type>(
    std::move(opts), std::move(start),
    std::make_shared<const actors::hooks<int, int>>(std::move(how)));
  batchers_.push_back(batcher.address());
  time.run();
  return batcher;
}

void held_fixture::release(std::size_t worker, fate how) {
  actors::compat::anon_send(workers.at(worker), release_message{how});
}

} // namespace batcher::tests
