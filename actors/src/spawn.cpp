// SPDX-License-Identifier: BSD-3-Clause
//
// The checks that come before a batcher and its workers.

#include "batcher/actors/spawn.hpp"

#include <thread>

namespace batcher::actors {

void require_valid(const options& opts) {
  auto problems = validate(opts);
  if (problems.empty()) return;
  std::string text = "invalid options for a batcher:";
  for (auto& problem : problems) text += "\n  " + problem;
  throw invalid_options{text};
}

void require_thread() {
  std::thread{[] {}}.join();
}

} // namespace batcher::actors
