// SPDX-License-Identifier: BSD-3-Clause
//
// The items of a core, by their slots, in blocks so that they never move. Decides nothing.

#pragma once

#include "batcher/item_table.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace batcher {

template <class Item>
class item_seats {
public:
  struct seat {
    std::optional<Item> item;
    std::size_t hash = 0;
  };

  /// Precondition: there has been an item in that slot.
  [[nodiscard]] seat& operator[](slot_number slot) const noexcept {
    return blocks_[slot / block_seats][slot % block_seats];
  }

  /// Returns the seat of a slot, which may be new.
  [[nodiscard]] seat& add(slot_number slot) {
    if (slot / block_seats >= blocks_.size())
      blocks_.push_back(std::make_unique<seat[]>(block_seats));
    return (*this)[slot];
  }

  /// Puts what `make(number)` returns into a slot, where it is made: a move for each item counts.
  template <class Make>
  void add(slot_number slot, Make& make, std::size_t number) {
    add(slot).item.emplace(maker<Make>{make, number});
  }

private:
  static constexpr std::size_t block_seats = 256;

  template <class Make>
  struct maker {
    Make& make;
    std::size_t number;
    operator Item() const { return make(number); }
  };

  std::vector<std::unique_ptr<seat[]>> blocks_;
};

} // namespace batcher
