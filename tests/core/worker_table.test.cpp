// SPDX-License-Identifier: BSD-3-Clause
//
// Worker table: credit, and who is asked first.

#include "batcher/worker_table.hpp"

#include <catch2/catch.hpp>

using namespace batcher;

TEST_CASE("a worker is assigned as often as it has credit") {
  worker_table table;
  CHECK_FALSE(table.assign());
  table.join(7, 2);
  CHECK(table.assign() == 7u);
  CHECK(table.assign() == 7u);
  CHECK(table.held(7) == 2);
  CHECK_FALSE(table.has_credit());
  CHECK_FALSE(table.assign());
  table.release(7);
  CHECK(table.held(7) == 1);
  CHECK(table.assign() == 7u);
}

TEST_CASE("the worker with the fewest batches comes first") {
  worker_table table;
  table.join(1, 3);
  table.join(2, 3);
  auto first = table.assign();
  auto second = table.assign();
  REQUIRE(first);
  REQUIRE(second);
  CHECK(*first != *second);
  table.release(*first);
  CHECK(table.assign() == *first);
}

TEST_CASE("among equals the last to become free comes first") {
  worker_table table;
  for (worker_id id : {1u, 2u, 3u}) table.join(id, 1);
  while (table.assign()) {
  }
  table.release(2);
  table.release(3);
  table.release(1);
  CHECK(table.assign() == 1u);
  CHECK(table.assign() == 3u);
  CHECK(table.assign() == 2u);
}

TEST_CASE("a worker that has left is neither assigned nor released") {
  worker_table table;
  table.join(1, 2);
  table.join(2, 1);
  while (table.assign()) {
  }
  table.leave(1);
  table.release(1);
  table.leave(99);
  CHECK(table.workers() == 1);
  CHECK(table.held(1) == 0);
  CHECK_FALSE(table.has_credit());
  table.release(2);
  CHECK(table.assign() == 2u);
}
