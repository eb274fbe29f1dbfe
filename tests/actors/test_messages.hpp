// SPDX-License-Identifier: BSD-3-Clause
//
// The messages that only the tests send.

#pragma once

#include "batcher/actors/messages.hpp"
#include "batcher/actors/node/caf_compat.hpp"

#include <caf/event_based_actor.hpp>

#include <array>
#include <functional>
#include <stdexcept>

namespace batcher::tests {

/// What a held job comes to.
enum class fate { doubled, thrown, one_too_many, one_too_few, none_at_all };

/// Message: let the oldest job of the worker go.
struct release_message {
  fate how = fate::doubled;
};

/// Message: do that, as the actor that you are.
struct task_message {
  std::function<void(caf::event_based_actor*)> task;
};

/// A number of which there is no second one if it is 13.
struct unlucky {
  unlucky() = default;
  explicit unlucky(int x) : value{x} {}
  unlucky(const unlucky& other) : value{other.value} {
    if (value == 13) throw std::runtime_error{"no second 13"};
  }
  unlucky(unlucky&&) noexcept = default;
  unlucky& operator=(const unlucky& other) { return *this = unlucky{other}; }
  unlucky& operator=(unlucky&&) noexcept = default;

  int value = 0;
};

/// A number that cannot be written if it is 13.
struct shy {
  int value = 0;
  int& checked() {
    if (value == 13) throw std::runtime_error{"13 is not written down"};
    return value;
  }
};
BATCHER_INSPECT(shy, checked())

/// A number that takes 512 KiB.
struct wide {
  int value = 0;
  std::array<char, (1u << 19u)> unused = {};
};
BATCHER_INSPECT(wide, value)

} // namespace batcher::tests

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::tests::release_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::tests::task_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::tests::unlucky)

CAF_BEGIN_TYPE_ID_BLOCK(batcher_tests, caf::first_custom_type_id)
  CAF_ADD_TYPE_ID(batcher_tests, (batcher::tests::release_message))
  CAF_ADD_TYPE_ID(batcher_tests, (batcher::tests::task_message))
  CAF_ADD_TYPE_ID(batcher_tests, (batcher::tests::unlucky))
  CAF_ADD_TYPE_ID(batcher_tests, (batcher::tests::shy))
  CAF_ADD_TYPE_ID(batcher_tests, (batcher::tests::wide))
CAF_END_TYPE_ID_BLOCK(batcher_tests)
