// SPDX-License-Identifier: BSD-3-Clause
//
// What the program can do with a cluster. All return the exit status: 1 if something promised does
// not hold.

#pragma once

#include "network.hpp"
#include "settings.hpp"

namespace soak {

/// Load and faults for a while.
int run_soak(const settings& chosen, network&& net);

/// How long it takes until a node that was killed, frozen or cut off is given up.
int run_detect(const settings& chosen, network&& net);

} // namespace soak
