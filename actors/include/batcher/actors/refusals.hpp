// SPDX-License-Identifier: BSD-3-Clause
//
// What callers are told when they get no result: the errors of one batcher, with texts that name the
// cause and what to do. They are made once where they can be: they are sent most often when there is
// least time to make them.

#pragma once

#include "batcher/errc.hpp"
#include "batcher/options.hpp"
#include "batcher/time.hpp"

#include <caf/error.hpp>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace batcher::actors {

/// Thrown by `spawn_batcher` and `reconfigure` for options out of range. The text has one line per problem.
class invalid_options : public std::invalid_argument {
public:
  using std::invalid_argument::invalid_argument;
};

/// Returns a text for options that are refused, a line for each problem.
[[nodiscard]] std::string text_of_problems(const std::vector<std::string>& problems);

class refusals {
public:
  explicit refusals(const options& opts);

  /// Takes the limits that the texts name from new options.
  void update(const options& opts);

  /// Returns the error of any code but `queue_full` and those that `set` was not called for.
  [[nodiscard]] const caf::error& of(errc code) const;

  /// Returns the error of a full queue, with its hint (`hint_of`). Numbers may be some milliseconds
  /// old.
  [[nodiscard]] const caf::error& queue_full(time_point now, std::size_t queue_items,
                                             duration retry_after);

  /// Says what a code is answered with from now on: `worker_lost`, `batch_failed`,
  /// `result_count_mismatch`, `no_workers`, `shut_down`.
  void set(errc code, caf::error why);
  void set(errc code, const std::string& text);

private:
  std::array<caf::error, all_errcs.size()> errors_;
  std::string name_;
  time_point made_;
};

} // namespace batcher::actors
