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
  /// The queue or the lane is full. Retry after the time that the error tells, or send less.
  queue_full = 1,
  /// The batcher refuses new requests while it finishes those it has. Send to another batcher.
  draining = 2,
  /// The batcher was stopped before it had a result. Do not retry here; the request may have run.
  shut_down = 3,
  /// No worker has been up for `max_outage`. Retry later, if at all; the text tells why the last
  /// one went.
  no_workers = 4,
  /// The worker that held the batch died. Retry only if repeating the request is safe.
  worker_lost = 5,
  /// The batch function threw. The text is the exception's; retry only if repeating is safe.
  batch_failed = 6,
  /// The batch function returned more or fewer results than items: a defect of that function.
  result_count_mismatch = 7,
  /// The request's time was over, or would have been before a worker could answer and others were
  /// waiting. Retry with more time, if the answer is still wanted; the request may have run.
  expired = 8,
  /// The request was cancelled, or whoever sent it has ended. The request may have run.
  cancelled = 9,
  /// A newer request took its place in a full queue (`overload::drop_oldest`). Retry later.
  dropped = 10,
  /// The request alone costs more than `max_batch_cost`. Send smaller ones, or give `split` and
  /// `join`.
  too_costly = 11,
  /// Its key would be one lane more than `max_lanes`. Use fewer keys, or retry when others are
  /// idle.
  too_many_lanes = 12,
  /// The batch function took longer than `batch_timeout`. Retry only if repeating is safe.
  batch_timeout = 13,
  /// A field of `submit` is out of its range, its tag is in use, a hook threw, or a message of
  /// `message_of` was sent twice or holds another type: the caller's bug. The text says which.
  invalid_request = 14,
  /// `reconfigure` was given options that are out of range; nothing changed.
  /// No request is answered with it.
  invalid_options = 15,
  /// The batcher on another node is out of reach, or was lost with the request. Retry only if
  /// repeating is safe; the handle reconnects by itself.
  batcher_lost = 16,
  /// The other node speaks another version, has other types, does not do what was asked from afar, or
  /// has the node id of another one. Build both sides from the same sources, and let process ids
  /// differ; the text says which.
  incompatible = 17,
};

/// Returns whether a batcher itself may answer a request with that code; the others come from
/// `reconfigure` and from the way to another node.
[[nodiscard]] constexpr bool is_of_batcher(errc code) noexcept {
  return code > errc::none && code < errc::invalid_options;
}

/// Every code in the order of its value, `none` first.
inline constexpr std::array all_errcs{
  errc::none,           errc::queue_full,    errc::draining,        errc::shut_down,
  errc::no_workers,     errc::worker_lost,   errc::batch_failed,    errc::result_count_mismatch,
  errc::expired,        errc::cancelled,     errc::dropped,         errc::too_costly,
  errc::too_many_lanes, errc::batch_timeout, errc::invalid_request, errc::invalid_options,
  errc::batcher_lost,   errc::incompatible,
};

/// Returns the enumerator's name, e.g. "queue_full". The text lives for ever.
[[nodiscard]] std::string_view to_string(errc code) noexcept;

/// Returns the code with that name, or nothing for a name that is none.
[[nodiscard]] std::optional<errc> parse_errc(std::string_view name) noexcept;

} // namespace batcher
