// SPDX-License-Identifier: BSD-3-Clause
//
// The dashboard and the alert rules name only what exists, and the dashboard shows all of it.

#include "batcher/live_counters.hpp"
#include "batcher/monitoring/metric_names.hpp"
#include "batcher/node_counters.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

using namespace batcher;
using namespace batcher::monitoring;

namespace {

std::string content_of(const std::string& file_name) {
  std::ifstream file{std::string{BATCHER_MONITORING_DIR "/"} + file_name};
  REQUIRE(file);
  return {std::istreambuf_iterator<char>{file}, {}};
}

constexpr auto word_characters = "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/// Returns every word that starts like that.
std::set<std::string> words_with(const std::string& prefix, const std::string& text) {
  std::set<std::string> found;
  for (std::size_t end = 0, at = 0; (at = text.find_first_of(word_characters, end)) != text.npos;) {
    end = std::min(text.find_first_not_of(word_characters, at), text.size());
    auto word = text.substr(at, end - at);
    if (word.starts_with(prefix)) found.insert(word);
  }
  REQUIRE_FALSE(found.empty());
  return found;
}

/// Returns every name that a query may use: a histogram has three.
std::set<std::string> queryable_names() {
  std::set<std::string> names;
  for (auto& info : all_metrics) {
    std::string name{info.name};
    if (info.type == metric_type::histogram)
      names.insert({name + "_bucket", name + "_sum", name + "_count"});
    else
      names.insert(name);
  }
  return names;
}

template <class Values>
std::set<std::string> texts_of(const Values& values) {
  std::set<std::string> texts;
  for (auto value : values) texts.emplace(to_string(value));
  return texts;
}

/// Returns the alternatives of every matcher of that label: a, b, c from label=~"a|b", label="c".
/// In JSON the quotes are escaped. Empty if nothing is matched by it.
std::set<std::string> matched_values(std::string text, const std::string& label) {
  std::erase(text, '\\');
  std::set<std::string> values;
  for (std::string before : {"=\"", "=~\"", "!=\"", "!~\""}) {
    auto matcher = label + before;
    for (std::size_t at = 0; (at = text.find(matcher, at)) != text.npos;) {
      at += matcher.size();
      std::istringstream parts{text.substr(at, text.find('"', at) - at)};
      for (std::string value; std::getline(parts, value, '|');) values.insert(value);
    }
  }
  return values;
}

/// Returns the names in every `sum by (...)`.
std::set<std::string> grouping_labels(const std::string& text) {
  std::set<std::string> labels;
  const std::string before = "by (";
  for (std::size_t at = 0; (at = text.find(before, at)) != text.npos;) {
    at += before.size();
    std::istringstream parts{text.substr(at, text.find(')', at) - at)};
    for (std::string label; std::getline(parts >> std::ws, label, ',');) labels.insert(label);
  }
  REQUIRE_FALSE(labels.empty());
  return labels;
}

} // namespace

TEST_CASE("every metric on the dashboard and in the alert rules exists") {
  auto file = GENERATE(as<std::string>{}, "dashboard.json", "alerts.yml");
  auto known = queryable_names();
  for (auto& name : words_with("batcher_", content_of(file))) {
    INFO(file << " names " << name);
    CHECK(known.count(name) == 1);
  }
}

TEST_CASE("every metric is on the dashboard") {
  auto shown = words_with("batcher_", content_of("dashboard.json"));
  for (auto& info : all_metrics) {
    std::string name{info.name};
    INFO(name);
    CHECK(shown.count(name) + shown.count(name + "_bucket") + shown.count(name + "_sum") > 0);
  }
}

TEST_CASE("every value of a label that is asked for exists") {
  struct label {
    std::string_view name;
    std::set<std::string> values;
  };
  std::size_t asked = 0;
  for (auto& [name, values] :
       {label{outcome_label, texts_of(all_outcomes)},
        label{reason_label, texts_of(all_close_reasons)}, label{kind_label, texts_of(all_failures)},
        label{stage_label, texts_of(all_worker_stages)},
        label{role_label, texts_of(all_node_roles)},
        label{state_label, texts_of(all_node_worker_states)},
        label{result_label, texts_of(all_node_results)}}) {
    for (auto file : {"dashboard.json", "alerts.yml"}) {
      for (auto& value : matched_values(content_of(file), std::string{name})) {
        INFO(file << " asks for " << name << ' ' << value);
        CHECK(values.count(value) == 1);
        ++asked;
      }
    }
  }
  CHECK(asked > 10);
}

TEST_CASE("every label that values are summed by exists") {
  std::set<std::string> known{"instance", "le"}; // Prometheus gives these
  for (auto& info : all_metrics) known.insert(info.labels.begin(), info.labels.end());
  for (auto file : {"dashboard.json", "alerts.yml"}) {
    for (auto& label : grouping_labels(content_of(file))) {
      INFO(file << " sums by " << label);
      CHECK(known.count(label) == 1);
    }
  }
}
