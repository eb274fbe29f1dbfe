// SPDX-License-Identifier: BSD-3-Clause

#include "report.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace soak {

namespace {

double seconds(steady::duration d) { return std::chrono::duration<double>(d).count(); }

template <class Map, class Key>
auto value_of(const Map& all, const Key& key) {
  auto it = all.find(key);
  return it == all.end() ? typename Map::mapped_type{} : it->second;
}

} // namespace

std::vector<std::string> problems_of(const report& of) {
  std::vector<std::string> problems;
  auto expect = [&problems](bool holds, std::string what) {
    if (!holds) problems.push_back(std::move(what));
  };
  auto& seen = of.seen;
  expect(seen.replies == seen.requests, "not every request was answered");
  expect(seen.doubled == 0, "a request was answered twice");
  expect(seen.wrong == 0, "a request got a wrong answer");
  expect(seen.overdue == 0, "a reply was overdue");
  expect(!seen.errors.contains("foreign"), "an error that is no batcher's came");
  expect(of.counted.requests == seen.requests && of.counted.replied() == seen.replies,
         "the batcher has counted otherwise than its callers");
  if (of.retry == "never" || !of.has_faults)
    expect(of.executed_again == 0, "a request was executed twice");
  if (of.retry == "idempotent" || !of.has_faults)
    expect(seen.errors.empty(), "a request failed for a node that was lost or has left");
  return problems;
}

void print(const report& of) {
  auto& seen = of.seen;
  std::printf("%.0f s, retry %s, seed %lu, nodes %s\n", of.seconds, of.retry.c_str(), of.seed,
              of.has_namespaces ? "in namespaces" : "on loopback");
  std::printf("events  ");
  for (auto what : all_events)
    std::printf(" %s %lu", to_string(what).data(), value_of(seen.events, what));
  std::printf("; nodes connected %lu times, lost %lu times\n", of.nodes_connected, of.nodes_lost);
  std::printf("requests %lu, replies %lu, doubled %lu, wrong %lu, overdue %lu, ok %lu\n",
              seen.requests, seen.replies, seen.doubled, seen.wrong, seen.overdue, seen.ok);
  for (const auto& [name, n] : seen.errors) std::printf("  failed with %s: %lu\n", name.c_str(), n);
  std::printf("retries %lu batches of %lu items; executed %lu, of these again %lu; "
              "late answers %lu\n",
              of.retries, of.retried_items, of.executed, of.executed_again,
              of.counted.late_answers);
  std::printf("longest time from a fault to the reply of a request that was waiting:");
  for (auto what : {event::kill, event::freeze, event::cut, event::leave})
    std::printf(" %s %.3f s", to_string(what).data(), seconds(value_of(seen.longest_after, what)));
  std::printf("; longest reply time %.3f s\n", seconds(seen.longest_reply));
}

void write_json(const report& of, const std::string& file) {
  auto& seen = of.seen;
  nlohmann::json out{{"seconds", of.seconds},
                     {"retry", of.retry},
                     {"seed", of.seed},
                     {"namespaces", of.has_namespaces},
                     {"requests", seen.requests},
                     {"replies", seen.replies},
                     {"doubled", seen.doubled},
                     {"wrong", seen.wrong},
                     {"overdue", seen.overdue},
                     {"ok", seen.ok},
                     {"errors", seen.errors},
                     {"retries", of.retries},
                     {"retried_items", of.retried_items},
                     {"executed", of.executed},
                     {"executed_again", of.executed_again},
                     {"late_answers", of.counted.late_answers},
                     {"nodes_connected", of.nodes_connected},
                     {"nodes_lost", of.nodes_lost},
                     {"longest_reply_s", seconds(seen.longest_reply)},
                     {"problems", problems_of(of)}};
  for (auto what : all_events) {
    auto name = std::string{to_string(what)};
    out["events"][name] = value_of(seen.events, what);
    out["longest_after_s"][name] = seconds(value_of(seen.longest_after, what));
  }
  std::ofstream to{file};
  to << out.dump(2) << '\n';
  if (!to.flush()) throw std::runtime_error{"cannot write " + file};
}

} // namespace soak
