// SPDX-License-Identifier: BSD-3-Clause
//
// Recorded arrivals.

#pragma once

#include <batcher/time.hpp>

#include <istream>
#include <string>
#include <vector>

namespace sim {

/// Reads a number of seconds from each line; empty lines and those that begin with # are skipped.
/// The first is instant 0: only distances count, so that times of the day will do. Throws
/// `std::invalid_argument` with the line if there is none, or one that is no number or comes before
/// the one above it.
[[nodiscard]] std::vector<batcher::duration> read_trace(std::istream& from);

/// The same for a file. Throws as well if it cannot be read.
[[nodiscard]] std::vector<batcher::duration> read_trace_file(const std::string& file);

} // namespace sim
