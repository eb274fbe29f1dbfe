// SPDX-License-Identifier: BSD-3-Clause
//
// Error codes, outcomes and reasons: names are unique, stable and lead back to their code.

#include "batcher/errc.hpp"
#include "batcher/live_counters.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string_view>

using namespace batcher;

TEST_CASE("every error code has a name of its own that parses back to it") {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < all_errcs.size(); ++i) {
    auto code = all_errcs[i];
    CHECK(static_cast<std::size_t>(code) == i);
    CHECK(seen.insert(to_string(code)).second);
    CHECK(parse_errc(to_string(code)) == code);
  }
  CHECK_FALSE(parse_errc("no such code"));
  CHECK(to_string(static_cast<errc>(200)) == "unknown");
}

TEST_CASE("a request refused with a code counts under the outcome of the same name") {
  for (auto code : all_errcs)
    if (code != errc::none) CHECK(to_string(outcome_of(code)) == to_string(code));
}

TEST_CASE("every outcome and every close reason has a name of its own") {
  std::set<std::string_view> seen;
  for (auto x : all_outcomes) CHECK(seen.insert(to_string(x)).second);
  for (auto x : all_close_reasons) CHECK(seen.insert(to_string(x)).second);
  CHECK_FALSE(seen.contains("unknown"));
}
