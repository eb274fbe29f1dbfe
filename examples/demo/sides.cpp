// SPDX-License-Identifier: BSD-3-Clause
//
// Starts the two sides, see sides.hpp.

#include "demo/sides.hpp"

#include <batcher/actors/control.hpp>

#include <span>
#include <utility>

namespace demo {

namespace {

using examples::diabetes_model;

// The workers of both sides predict with this: a model of their own, and a count of what passed.
auto make_predict(std::shared_ptr<batch_tally> tally) {
  auto model = std::make_shared<diabetes_model>(model_file);
  return [model, tally = std::move(tally)](std::span<const row> batch) {
    ++tally->batches;
    tally->items += batch.size();
    return model->predict(batch);
  };
}

predictor::behavior_type plain_worker(predictor::pointer, std::shared_ptr<batch_tally> tally) {
  return {[predict = make_predict(std::move(tally))](const row& one) -> double {
    return predict({&one, 1}).front();
  }};
}

} // namespace

side start_unbatched(caf::actor_system& system, std::size_t workers) {
  auto tally = std::make_shared<batch_tally>();
  side result{.tally = tally};
  for (std::size_t i = 0; i < workers; ++i)
    result.predictors.push_back(system.spawn<caf::detached>(plain_worker, tally));
  result.stop = [predictors = result.predictors] {
    for (const auto& x : predictors) caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  };
  return result;
}

side start_batched(caf::actor_system& system, const batcher::options& opts) {
  auto tally = std::make_shared<batch_tally>();
  auto handle = batcher::actors::spawn_batcher<row, double>(
    system, opts, [tally] { return make_predict(tally); });
  return {
    .predictors = {handle}, .tally = tally, .stop = [handle] { batcher::actors::stop(handle); }};
}

} // namespace demo
