// SPDX-License-Identifier: BSD-3-Clause
//
// Names of the error codes.

#include "batcher/errc.hpp"

namespace batcher {

std::string_view to_string(errc code) noexcept {
  switch (code) {
    case errc::none: return "none";
    case errc::queue_full: return "queue_full";
    case errc::draining: return "draining";
    case errc::shut_down: return "shut_down";
    case errc::no_workers: return "no_workers";
    case errc::worker_lost: return "worker_lost";
    case errc::batch_failed: return "batch_failed";
    case errc::result_count_mismatch: return "result_count_mismatch";
    case errc::expired: return "expired";
    case errc::cancelled: return "cancelled";
    case errc::dropped: return "dropped";
    case errc::too_costly: return "too_costly";
    case errc::too_many_lanes: return "too_many_lanes";
    case errc::batch_timeout: return "batch_timeout";
    case errc::invalid_request: return "invalid_request";
    case errc::invalid_options: return "invalid_options";
    case errc::batcher_lost: return "batcher_lost";
    case errc::incompatible: return "incompatible";
  }
  return "unknown";
}

std::optional<errc> parse_errc(std::string_view name) noexcept {
  for (auto code : all_errcs)
    if (to_string(code) == name) return code;
  return std::nullopt;
}

} // namespace batcher
