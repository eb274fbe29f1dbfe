// SPDX-License-Identifier: BSD-3-Clause
//
// The results as a picture: latency, queue and fill, a line for each row; of several rows, latency
// against rate, too.

#pragma once

#include "batcher_sim/json.hpp"

#include <string>
#include <vector>

namespace sim {

/// Returns the picture as an SVG document.
[[nodiscard]] std::string to_svg(const std::vector<outcome>& rows);

} // namespace sim
