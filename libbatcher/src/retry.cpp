// SPDX-License-Identifier: BSD-3-Clause
//
// The rules of retrying.

#include "batcher/retry.hpp"

#include <algorithm>

namespace batcher {

retry_step next_step(const retry_policy& policy, std::size_t items, std::size_t attempts) noexcept {
  auto* idempotent = std::get_if<retry::idempotent>(&policy);
  if (!idempotent) return retry_step::give_up;
  if (idempotent->bisect && items > 1) return retry_step::halve;
  return attempts < idempotent->max_attempts ? retry_step::again : retry_step::give_up;
}

void retry_budget::earn(const retry_policy& policy) noexcept {
  auto* idempotent = std::get_if<retry::idempotent>(&policy);
  if (idempotent) tokens_ = std::min(tokens_ + idempotent->budget, reserve);
}

bool retry_budget::spend(retry_step step) noexcept {
  auto price = step == retry_step::halve ? 2.0 : step == retry_step::again ? 1.0 : 0.0;
  if (tokens_ < price) return false;
  tokens_ -= price;
  return true;
}

} // namespace batcher
