// SPDX-License-Identifier: BSD-3-Clause
//
// Error codes, outcomes, failures, reasons and stages: names are unique, stable and lead back to
// their code.

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
  CHECK_FALSE(seen.contains("unknown"));
  CHECK_FALSE(parse_errc("no such code"));
  CHECK(to_string(static_cast<errc>(all_errcs.size())) == "unknown");
}

TEST_CASE("a request refused with a code counts under the outcome of the same name") {
  for (auto code : all_errcs)
    if (is_of_batcher(code)) CHECK(to_string(outcome_of(code)) == to_string(code));
}

TEST_CASE("a batch fails with the code of the same name, and with no other code by itself") {
  std::set<std::string_view> of_batches;
  for (auto x : all_failures) of_batches.insert(to_string(x));
  for (auto code : all_errcs) {
    auto found = failure_of(code);
    CHECK(found.has_value() == of_batches.contains(to_string(code)));
    if (found) CHECK(to_string(*found) == to_string(code));
  }
}

TEST_CASE("every outcome, reason, failure and stage has its place and a name of its own") {
  auto check = [](const auto& all) {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < all.size(); ++i) {
      CHECK(static_cast<std::size_t>(all[i]) == i);
      CHECK(seen.insert(to_string(all[i])).second);
    }
    CHECK_FALSE(seen.contains("unknown"));
  };
  check(all_outcomes);
  check(all_close_reasons);
  check(all_failures);
  check(all_worker_stages);
}
