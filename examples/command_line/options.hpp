// SPDX-License-Identifier: BSD-3-Clause
//
// Options of CLI11 whose values are written as values.hpp reads them, with their defaults in the help.

#pragma once

#include "command_line/values.hpp"

#include <CLI/CLI.hpp>

#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>

namespace command_line {

/// An option whose text `parse` turns into a value; what it throws becomes CLI11's error.
template <class T, class Parse>
CLI::Option* add(CLI::App& app, const std::string& name, T& to, Parse parse,
                 const std::string& what) {
  auto set = [name, &to, parse](const std::string& text) {
    try {
      to = parse(text);
    } catch (const std::invalid_argument& e) {
      throw CLI::ValidationError{name, e.what()};
    }
  };
  return app.add_option_function<std::string>(name, set, what);
}

inline void add_time(CLI::App& app, const std::string& name, batcher::duration& to,
                     const std::string& what) {
  add(app, name, to, parse_duration, what)->type_name("TIME")->default_str(text_of(to));
}

inline void add_count(CLI::App& app, const std::string& name, std::size_t& to,
                      const std::string& what) {
  add(app, name, to, parse_count, what)->type_name("N")->default_str(std::to_string(to));
}

inline void add_number(CLI::App& app, const std::string& name, double& to,
                       const std::string& what) {
  add(app, name, to, parse_number, what)->type_name("X")->default_str(CLI::detail::to_string(to));
}

inline void add_file(CLI::App& app, const std::string& name, std::string& to,
                     const std::string& what) {
  app.add_option(name, to, what)->type_name("FILE");
}

/// What a batch function takes: a fixed part, and one that grows.
inline void add_work_times(CLI::App& app, batcher::duration& per_batch,
                           batcher::duration& per_item) {
  add_time(app, "--batch-time", per_batch, "What a batch takes, however few its items are");
  add_time(app, "--item-time", per_item, "What each item adds");
}

template <class Enum>
void add_choice(CLI::App& app, const std::string& name, Enum& to,
                const std::map<std::string, Enum>& choices, const std::string& what) {
  std::string names;
  std::string current;
  for (auto& [word, value] : choices) {
    names += (names.empty() ? "" : "|") + word;
    if (value == to) current = word;
  }
  auto parse = [choices, names](const std::string& text) {
    auto it = choices.find(text);
    if (it == choices.end()) throw std::invalid_argument{'\'' + text + "' is none of " + names};
    return it->second;
  };
  add(app, name, to, parse, what)->type_name(names)->default_str(current);
}

} // namespace command_line
