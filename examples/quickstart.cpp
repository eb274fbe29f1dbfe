// SPDX-License-Identifier: BSD-3-Clause
//
// The README's example: ten actors ask one batcher, whose function sees all ten at once.

#include <batcher/actors/spawn.hpp>

#include <iostream>

using namespace std::chrono_literals;

int main() {
  batcher::actors::system_config<> cfg;
  caf::actor_system system{cfg};

  // One worker; its function takes a batch and returns one result per item.
  auto squares = batcher::actors::spawn_batcher<double, double>(
    system, {.max_batch_items = 10, .max_delay = 20ms}, [] {
      return [](std::span<const double> batch) {
        std::cout << "a batch of " << batch.size() << '\n';
        std::vector<double> results;
        for (auto x : batch) results.push_back(x * x);
        return results;
      };
    });

  // A batcher answers the same message as the plain actor that it replaces.
  for (double x = 0; x < 10; ++x)
    system.spawn([=](caf::event_based_actor* self) {
      batcher::actors::request(self, squares, x).then([=](double y) {
        std::cout << x << ' ' << y << '\n';
      });
    });
}
