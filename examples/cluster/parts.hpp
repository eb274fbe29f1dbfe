// SPDX-License-Identifier: BSD-3-Clause
//
// The parts of a cluster. Each runs until it is done or the end is asked for, and returns the exit
// code. They throw what stands in node.hpp, above all where a port cannot be had.

#pragma once

#include "cluster/options.hpp"

namespace cluster {

/// Publishes a batcher without workers of its own; at the end it drains.
[[nodiscard]] int run(const batcher_settings& chosen);

/// Works for a batcher, which it calls again whenever it is lost; at the end it leaves.
[[nodiscard]] int run(const worker_settings& chosen);

/// Sends requests and says what came of them.
[[nodiscard]] int run(const client_settings& chosen);

} // namespace cluster
