// SPDX-License-Identifier: BSD-3-Clause
//
// The reply contract as a property of the actors. Random schedules mix everything that can be asked
// of a batcher with everything that can go wrong, single messages interleaved at random; in each
// every request is answered exactly once and with what is its own, whoever ended is not waited for,
// and the batcher's own counters add up. RapidCheck prints the seed and the number of schedules.

#include "random_schedule.hpp"

#include <catch2/catch.hpp>
#include <rapidcheck.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

using namespace batcher;
using namespace batcher::tests;

namespace {

// Everything that enough of the schedules must reach, or they no longer test it.
const std::vector<std::string> all_goals = [] {
  std::vector<std::string> out{"results", "bulk",    "credit",      "cancel",    "coalesced",
                               "late",    "ended",   "bisected",    "ran again", "restarted",
                               "wasted",  "drained", "reconfigured"};
  for (auto code : all_errcs)
    if (is_of_batcher(code)) out.emplace_back(to_string(code));
  return out;
}();

} // namespace

TEST_CASE("in every random schedule of faults each request is answered exactly once") {
  bool usual = std::getenv("RC_PARAMS") == nullptr;
  if (usual) ::setenv("RC_PARAMS", "max_success=10000 max_size=150", 0);
  auto bits = rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint32_t>());
  std::map<std::string, int> reached;
  CHECK(rc::check("random schedules of the actors", [&] {
    schedule s{*bits};
    for (auto step : *rc::gen::container<std::vector<std::uint32_t>>(bits)) s.take(step);
    s.check_all_answered(*bits);
    s.add_to(reached);
  }));
  for (auto& what : all_goals) {
    CAPTURE(what, reached[what]);
    if (usual) CHECK(reached[what] >= 100);
  }
}
