// SPDX-License-Identifier: BSD-3-Clause
//
// The checks that come before a batcher and its workers.

#include "batcher/actors/spawn.hpp"

#include <thread>

namespace batcher::actors {

void require_valid(const options& opts, std::vector<std::string> further_problems) {
  auto problems = validate(opts);
  problems.insert(problems.end(), further_problems.begin(), further_problems.end());
  if (!problems.empty()) throw invalid_options{text_of_problems(problems)};
}

void require_thread() {
  std::thread{[] {}}.join();
}

} // namespace batcher::actors
