// SPDX-License-Identifier: BSD-3-Clause
//
// Uses an installed batcher::monitoring: its endpoint opens on a free port. Not a test of what it
// serves.

#include <batcher/monitoring/exposition.hpp>
#include <batcher/monitoring/metrics.hpp>

int main() {
  auto metrics = std::make_shared<batcher::monitoring::metrics>();
  batcher::monitoring::exposition endpoint{metrics, {.port = 0}};
  return endpoint.port() != 0 && !metrics->text().empty() ? 0 : 1;
}
