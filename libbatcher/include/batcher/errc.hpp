// SPDX-License-Identifier: BSD-3-Clause
//
// What can go wrong with a request, one enumerator for each thing that a caller does differently.
// An error that the batch function gives to a single item is the user's own and has no code here.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace batcher {

/// Why a request was not answered with a result. Values are part of the wire format: never
/// renumber.
enum class errc : std::uint8_t {
  /// No error.
  none = 0,
  /// The queue holds `max_queue_items`. Retry later, or send less.
  queue_full = 1,
  /// The batcher refuses new requests while it finishes those it has. Send to another batcher.
  draining = 2,
  /// The batcher was stopped before it had a result. Do not retry here; the request may have run.
  shut_down = 3,
  /// No worker is left and none will come back. Give up; the text tells why the last one went.
  no_workers = 4,
  /// The worker that held the batch died. Retry only if repeating the request is safe.
  worker_lost = 5,
  /// The batch function threw. The text is the exception's; retry only if repeating is safe.
  batch_failed = 6,
  /// The batch function returned more or fewer results than items: a defect of that function.
  result_count_mismatch = 7,
};

/// Every code in the order of its value, `none` first.
inline constexpr std::array all_errcs{
  errc::none,       errc::queue_full,  errc::draining,     errc::shut_down,
  errc::no_workers, errc::worker_lost, errc::batch_failed, errc::result_count_mismatch,
};

/// Returns the enumerator's name, e.g. "queue_full". The text lives for ever.
[[nodiscard]] std::string_view to_string(errc code) noexcept;

/// Returns the code with that name, or nothing for a name that is none.
[[nodiscard]] std::optional<errc> parse_errc(std::string_view name) noexcept;

} // namespace batcher
