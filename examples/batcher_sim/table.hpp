// SPDX-License-Identifier: BSD-3-Clause
//
// The results for people.

#pragma once

#include "batcher_sim/result.hpp"

#include <string>

namespace sim {

/// Returns the head of the table, two lines.
[[nodiscard]] std::string table_head();

/// Returns a row. `capacity` is what the workers reach with full batches, in items per second.
[[nodiscard]] std::string table_row(const result& r, double capacity);

} // namespace sim
