// SPDX-License-Identifier: BSD-3-Clause
//
// Files that a program writes because an option says so.

#pragma once

#include <string>

namespace command_line {

/// Throws `std::invalid_argument` if the file could not be written; better now than after the run.
/// An empty name is none.
void check_writable(const std::string& file);

/// Returns whether the file could be written; if not, it says so to standard error.
[[nodiscard]] bool write_file(const std::string& program, const std::string& file,
                              const std::string& content);

} // namespace command_line
