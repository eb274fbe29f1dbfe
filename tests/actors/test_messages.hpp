// SPDX-License-Identifier: BSD-3-Clause
//
// The messages that only the tests send.

#pragma once

#include "batcher/actors/messages.hpp"

#include <caf/event_based_actor.hpp>

#include <functional>

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

} // namespace batcher::tests

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::tests::release_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::tests::task_message)

CAF_BEGIN_TYPE_ID_BLOCK(batcher_tests, caf::first_custom_type_id)
  CAF_ADD_TYPE_ID(batcher_tests, (batcher::tests::release_message))
  CAF_ADD_TYPE_ID(batcher_tests, (batcher::tests::task_message))
CAF_END_TYPE_ID_BLOCK(batcher_tests)
