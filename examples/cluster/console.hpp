// SPDX-License-Identifier: BSD-3-Clause
//
// What a process of the cluster says and hears: lines of text, and the signals that end it.

#pragma once

#include <batcher/actors/node/options.hpp>

#include <caf/error.hpp>

#include <string>

namespace cluster {

/// Prints a line at once. May be called from any thread.
void say(const std::string& line);

/// The same, to standard error.
void complain(const std::string& line);

/// Returns the name of a batcher's error, such as "queue_full", or "other".
[[nodiscard]] std::string name_of(const caf::error& why);

/// Returns an event as a line, such as "alpha: lost, batcher_lost: ...".
[[nodiscard]] std::string text_of(const batcher::actors::node_event& event);

/// Lets SIGINT and SIGTERM ask for the end, instead of ending the process. The second one of a kind
/// does that again. To be called before what follows.
void catch_signals();

/// Asks for the end, as a signal does. May be called from any thread.
void ask_for_end() noexcept;

/// Returns whether the end was asked for.
[[nodiscard]] bool is_end_asked_for() noexcept;

/// Blocks until it is. For one thread, once.
void wait_for_end();

} // namespace cluster
