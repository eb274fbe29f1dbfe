// SPDX-License-Identifier: BSD-3-Clause
//
// The knobs of a batcher as options of a program. They get the group that `app.option_defaults()` has.

#pragma once

#include <batcher/options.hpp>

#include <CLI/App.hpp>

namespace command_line {

/// What a batch is.
void add_batch_options(CLI::App& app, batcher::options& to);

/// How long things may take and how many may wait.
void add_limit_options(CLI::App& app, batcher::options& to);

} // namespace command_line
