// SPDX-License-Identifier: BSD-3-Clause
//
// Writes files, see output_file.hpp.

#include "command_line/output_file.hpp"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace command_line {

void check_writable(const std::string& file) {
  if (file.empty()) return;
  auto is_new = !std::ifstream{file};
  if (!std::ofstream{file, std::ios::app}) throw std::invalid_argument{"cannot write " + file};
  if (is_new) std::remove(file.c_str());
}

bool write_file(const std::string& program, const std::string& file, const std::string& content) {
  std::ofstream out{file};
  out << content << std::flush;
  if (!out) std::cerr << program << ": cannot write " << file << '\n';
  return static_cast<bool>(out);
}

} // namespace command_line
