// SPDX-License-Identifier: BSD-3-Clause
//
// Kills, freezes and cuts off nodes at random, and brings them back after a while: short enough at
// times that nobody has noticed, long enough at others that they were given up. Several may be away
// at once, even all of them.

#pragma once

#include "cluster.hpp"
#include "ledger.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

namespace soak {

class faults {
public:
  faults(cluster& on, ledger& in, std::uint64_t seed);

  /// Does what is due. To be called often.
  void look(steady::time_point now);

  /// Brings everybody back.
  void repair_all();

private:
  struct outage {
    event repair;
    steady::time_point until;
  };

  void strike();
  void repair(std::size_t node);
  steady::duration draw(steady::duration least, steady::duration most);

  cluster* cluster_;
  ledger* ledger_;
  std::mt19937_64 random_;
  std::vector<std::optional<outage>> outages_; // by node
  steady::time_point next_;
};

} // namespace soak
