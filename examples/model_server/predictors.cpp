// SPDX-License-Identifier: BSD-3-Clause
//
// Starts and ends the two batchers, see predictors.hpp.

#include "model_server/predictors.hpp"

#include <batcher/actors/control.hpp>
#include <batcher/actors/spawn.hpp>

#include <future>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace model_server {

namespace {

using examples::diabetes_model;
using examples::row;

predictor start(caf::actor_system& system, batcher::options opts, const std::string& model_file,
                batcher::monitoring::metrics& metrics) {
  opts.observer = metrics.new_observer();
  auto make_worker = [model_file] {
    return [model = std::make_shared<diabetes_model>(model_file)](std::span<const row> batch) {
      return model->predict(batch);
    };
  };
  return batcher::actors::spawn_batcher<row, double>(system, std::move(opts),
                                                     std::move(make_worker));
}

} // namespace

predictors::predictors(caf::actor_system& system, const settings& chosen,
                       batcher::monitoring::metrics& metrics) {
  // A worker that cannot load it would tell nobody before the first request.
  diabetes_model{chosen.model_file};
  unbatched_ = start(system, without_batching(chosen.batching), chosen.model_file, metrics);
  batched_ = start(system, chosen.batching, chosen.model_file, metrics);
}

predictors::~predictors() {
  batcher::actors::stop(unbatched_);
  batcher::actors::stop(batched_);
}

std::uint64_t predictors::drain(batcher::duration timeout) {
  auto other =
    std::async(std::launch::async, [&] { return batcher::actors::drain(unbatched_, timeout); });
  auto late = batcher::actors::drain(batched_, timeout);
  return late + other.get();
}

} // namespace model_server
