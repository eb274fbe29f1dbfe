// SPDX-License-Identifier: BSD-3-Clause
//
// Random schedules of the core against a naive model of what it promises, with every feature and
// every fault mixed. After every step the core and the model agree on each item's place, and the
// invariants of batcher_core.hpp hold. RapidCheck prints the seed and the number of schedules.

#include "schedule.hpp"

#include <catch2/catch.hpp>
#include <rapidcheck.h>

#include <cstdint>
#include <vector>

using namespace batcher;
using namespace batcher::test;

namespace {

// Steps, shrunk by leaving some out. `gen::container` would draw and shrink each step by itself,
// which takes longer than to run it.
rc::Gen<std::vector<std::uint64_t>> steps() {
  return [](const rc::Random& random, int /*size*/) {
    auto draw = random;
    std::vector<std::uint64_t> bits(draw.next() % 101);
    for (auto& x : bits) x = draw.next();
    return rc::shrinkable::shrinkRecur(std::move(bits), [](const std::vector<std::uint64_t>& v) {
      return rc::shrink::removeChunks(v);
    });
  };
}

} // namespace

TEST_CASE("in every random schedule the core agrees with the naive model") {
  usual_runs usual{100'000};
  reached all;
  int ran = 0;
  auto any =
    rc::gen::noShrink(rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint64_t>()));
  CHECK(rc::check("random schedules of the core", [&] {
    schedule s{*any};
    for (auto bits : *steps()) s.take(bits);
    s.finish();
    s.add_to(all);
    ++ran;
  }));
  for (auto& [what, schedules] : all) {
    CAPTURE(what.first, what.second);
    if (usual.are_usual) CHECK(schedules >= ran / 200); // else they no longer test it
  }
}
