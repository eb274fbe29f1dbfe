// SPDX-License-Identifier: BSD-3-Clause
//
// The results for programs. Base units: seconds, items, requests per second.

#pragma once

#include "batcher_sim/result.hpp"
#include "batcher_sim/scenario.hpp"

#include <string>
#include <vector>

namespace sim {

/// A row of the table.
struct outcome {
  scenario what; ///< Without the instants of a trace.
  result came;
};

/// Returns the rows as a JSON object.
[[nodiscard]] std::string to_json(const std::vector<outcome>& rows);

} // namespace sim
