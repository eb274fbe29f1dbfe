// SPDX-License-Identifier: BSD-3-Clause
//
// Options: defaults are good, every bad knob is named, and all of them at once.

#include "batcher/options.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace batcher;
using namespace std::chrono_literals;

namespace {

bool names(const std::vector<std::string>& problems, const std::string& knob) {
  return std::any_of(problems.begin(), problems.end(),
                     [&](auto& text) { return text.starts_with(knob + " is "); });
}

} // namespace

TEST_CASE("the default options are valid") { CHECK(validate(options{}).empty()); }

TEST_CASE("each knob out of its range is one problem that names it") {
  struct wrong {
    const char* knob;
    options opts;
  };
  auto knob = GENERATE(values<wrong>({
    {"name", {.name = ""}},
    {"max_batch_items", {.max_batch_items = 0}},
    {"max_delay", {.max_delay = -1ns}},
    {"max_delay", {.max_delay = 1h + 1ns}},
    {"when_idle", {.when_idle = static_cast<when_idle>(9)}},
    {"max_queue_items", {.max_batch_items = 1, .max_queue_items = 0}},
    {"max_queue_items", {.max_batch_items = 10, .max_queue_items = 9}},
    {"workers", {.workers = 0}},
    {"workers", {.workers = 4'097}},
    {"worker_credit", {.worker_credit = 0}},
    {"worker_credit", {.worker_credit = 1'025}},
    {"worker_execution", {.worker_execution = static_cast<worker_execution>(9)}},
  }));
  auto problems = validate(knob.opts);
  CAPTURE(knob.knob, problems);
  CHECK(problems.size() == 1);
  CHECK(names(problems, knob.knob));
}

TEST_CASE("the ends of every range are valid") {
  CHECK(validate({.max_batch_items = 1, .max_delay = 0ns, .max_queue_items = 1}).empty());
  CHECK(validate({.max_delay = 1h, .workers = 4'096, .worker_credit = 1'024}).empty());
}

TEST_CASE("all problems are listed, not the first one alone") {
  auto problems = validate({.name = "", .max_batch_items = 0, .max_delay = -1ns, .workers = 0});
  CHECK(problems.size() == 4);
}
