// SPDX-License-Identifier: BSD-3-Clause
//
// The check that comes before a batcher.

#include "batcher/actors/spawn.hpp"

namespace batcher::actors {

void require_valid(const options& opts) {
  auto problems = validate(opts);
  if (problems.empty()) return;
  std::string text = "invalid options for a batcher:";
  for (auto& problem : problems) text += "\n  " + problem;
  throw invalid_options{text};
}

} // namespace batcher::actors
