// SPDX-License-Identifier: BSD-3-Clause
//
// What the program can do with a cluster. All return the exit status: 1 if something promised does
// not hold.

#pragma once

#include "network.hpp"
#include "settings.hpp"

namespace soak {

/// Load and faults for a while.
int run_soak(const settings& chosen, const network& net);

/// How long it takes until a node that was killed, frozen or cut off is given up.
int run_detect(const settings& chosen, const network& net);

/// All nodes restarted in order, one after the other, again and again, under load.
int run_rolling(const settings& chosen, const network& net);

/// Throughput and fill of 1, 2, 4, 8 and 16 nodes. Needs room for `most_nodes`.
int run_scale(const settings& chosen, const network& net);
inline constexpr std::size_t most_nodes = 16;

} // namespace soak
