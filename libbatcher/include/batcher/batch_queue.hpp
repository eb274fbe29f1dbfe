// SPDX-License-Identifier: BSD-3-Clause
//
// The lanes of a batcher: which there are, and whose turn it is. A lane is there while it has items
// or batches. Due lanes take turns, a batch each, so that none holds up another; the others wait
// for their windows. Knows workers only by the outlook on them, and that for adaptive timing only.
//
// Cost: O(1) for an item that changes nothing for its lane, O(log lanes) for one that opens or
// fills a batch.

#pragma once

#include "batcher/flush_policy.hpp"
#include "batcher/item_table.hpp"
#include "batcher/lane.hpp"
#include "batcher/options.hpp"
#include "batcher/shared_room.hpp"
#include "batcher/time.hpp"
#include "batcher/worker_outlook.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace batcher {

class batch_queue {
public:
  /// The first three must outlive it; tell `update` when the options change. Without an outlook
  /// `when_idle::adaptive` is `immediate`. `lanes`: a limit that others keep, too.
  batch_queue(const options& opts, item_table& table, const worker_outlook* outlook = nullptr,
              std::shared_ptr<shared_room> lanes = {});

  // -- lanes --------------------------------------------------------------------------------------

  /// Returns the lane of a key, made if need be; null if it would be one too many.
  [[nodiscard]] lane* lane_of(std::string_view key);

  /// Returns the lane of a key, null if there is none.
  [[nodiscard]] const lane* find(std::string_view key) const;

  /// Returns a lane with items, null if nothing is queued.
  [[nodiscard]] lane* any() const noexcept;

  /// Returns the lane with the most items, null if nothing is queued. O(lanes).
  [[nodiscard]] lane* longest() const noexcept;

  // -- items --------------------------------------------------------------------------------------

  /// Appends an item to a lane of this queue; its record is filled in but for its lists.
  void push(time_point now, lane& to, slot_number slot, std::string_view tenant) {
    push(now, to, {&slot, 1}, tenant);
  }
  /// The same for several items whose records say the same.
  void push(time_point now, lane& to, std::span<const slot_number> slots, std::string_view tenant);

  /// Removes a queued item. The lane goes if it was the last.
  void remove(time_point now, slot_number slot);

  /// Tells that an item of a lane, or one that shares its place, has a deadline.
  void note_deadline(time_point now, lane& of, time_point deadline);

  // -- batches ------------------------------------------------------------------------------------

  /// Returns the lane whose turn it is, null if none is due at `now`.
  [[nodiscard]] lane* next_due(time_point now);

  /// Returns why and since when a due lane's next batch leaves.
  [[nodiscard]] flush_decision decide(const lane& due, time_point now) const;

  /// Returns the next item of a lane if its cost fits into `room`, else `no_slot`.
  [[nodiscard]] slot_number peek(lane& from, std::size_t room) const;

  /// Removes the item that `peek` returned just now; its tenant pays for it if it is served. The
  /// lane's standing is out of date until `end_turn`.
  void take(lane& from, slot_number slot, bool is_served);

  /// The same for the next items of a lane, up to `most`, appended to `to`: none unless they are of
  /// one tenant and one priority (`lane::take_line`).
  void take_line(lane& from, std::size_t most, std::vector<slot_number>& to);

  /// Puts a lane that was due behind all others, once its batch was taken out.
  void end_turn(time_point now, lane& of);

  /// Lets a lane find its place anew after its `batches` or `retries` have changed. It may be gone
  /// afterwards.
  void update(time_point now, lane& changed);

  /// Lets all lanes find their places anew: the options have changed, or a drain begins.
  void update(time_point now, std::optional<time_point> draining_since);

  // -- queries ------------------------------------------------------------------------------------

  /// Returns when a lane becomes due: at once (the clock's smallest) if one is already. Empty:
  /// never by itself. O(1).
  [[nodiscard]] std::optional<time_point> next_due_at() const noexcept {
    if (!due_.empty()) return time_point::min();
    if (!waiting_.empty()) return waiting_.begin()->first.first;
    return std::nullopt;
  }

  /// Returns since when the oldest item waits. O(lanes).
  [[nodiscard]] std::optional<time_point> oldest() const noexcept;

  [[nodiscard]] std::size_t items() const noexcept { return items_; }
  [[nodiscard]] std::size_t cost() const noexcept { return cost_; }
  /// Returns whether a lane has as many batches with the workers as it may.
  [[nodiscard]] bool is_blocked(const lane& l) const noexcept;

  /// Returns the number of lanes with items or batches, those that wait to run again included.
  [[nodiscard]] std::size_t lanes() const noexcept;

private:
  [[nodiscard]] lane_view view_of(const lane& l) const;
  [[nodiscard]] static bool is_idle(const lane& l) noexcept;
  [[nodiscard]] bool is_enough(const lane& l) const noexcept;
  [[nodiscard]] adaptive_window look_ahead(time_point now, lane& l) const;
  void set_up_forecast(lane& l) const;
  void look_again(time_point now);
  void place(time_point now, lane& l);
  void stand(lane& l, lane::standing where);
  void drop_if_idle(lane& l);

  const options* opts_;
  item_table* table_;
  const worker_outlook* outlook_;
  order_rules rules_;
  room_share lanes_room_;
  std::optional<time_point> draining_since_;
  std::unordered_map<std::string, std::unique_ptr<lane>> lanes_;
  lane* recent_ = nullptr; // most keys are the one before
  std::list<lane*> due_;   // in the order of their turns
  // By the end of the window, then in the order in which they began to wait.
  std::map<std::pair<time_point, std::uint64_t>, lane*> waiting_;
  std::uint64_t waits_ = 0;
  std::size_t items_ = 0;
  std::size_t cost_ = 0;
};

// Once for each item, so they are inline.

inline slot_number batch_queue::peek(lane& from, std::size_t room) const {
  if (from.is_empty()) return no_slot;
  auto slot = from.peek();
  return (*table_)[slot].cost <= room ? slot : no_slot;
}

inline void batch_queue::take(lane& from, slot_number slot, bool is_served) {
  --items_;
  auto& record = (*table_)[slot];
  cost_ -= record.cost;
  if (from.forecast) from.forecast->note_gone(record.deadline);
  if (is_served)
    from.pop(slot);
  else
    from.remove(slot);
}

} // namespace batcher
