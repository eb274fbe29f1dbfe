// SPDX-License-Identifier: BSD-3-Clause
//
// A project that uses an installed batcher::nodes: it serves itself over loopback.

#include <batcher/actors/ask.hpp>
#include <batcher/actors/control.hpp>
#include <batcher/actors/node.hpp>
#include <batcher/actors/spawn.hpp>

#include <span>
#include <vector>

int main() {
  batcher::actors::network_config<> cfg;
  caf::actor_system system{cfg};
  auto twice = [] {
    return [](std::span<const int> xs) {
      std::vector<int> results;
      for (auto x : xs) results.push_back(2 * x);
      return results;
    };
  };
  auto b = batcher::actors::spawn_batcher<int, int>(system, {}, twice);
  auto port = batcher::actors::publish(b);
  auto answer = batcher::actors::ask(b, 21).get();
  batcher::actors::stop(b);
  return port.port() != 0 && answer && *answer == 42 ? 0 : 1;
}
