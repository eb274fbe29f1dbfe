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

template <class Expect>
void expect_of_clients(const report& of, Expect expect) {
  auto& seen = of.clients;
  expect(seen.have_all, "a client that was not killed missed a reply");
  expect(seen.are_served, "a client was not served again");
  expect(seen.doubled == 0, "a client got a reply twice");
  expect(seen.wrong == 0, "a client got a wrong answer");
  expect(seen.overdue == 0, "a reply to a client was overdue");
  expect(seen.longest_lost <= seen.most_until_lost, "a client was told too late of its loss");
  expect(seen.unfounded == 0, "a client whose connection was whole was told that it was lost");
  auto allowed = of.has_faults ? std::size_t{seen.errors.contains("batcher_lost")} : 0;
  if (of.retry == "idempotent" || !of.has_faults)
    expect(seen.errors.size() == allowed, "a request of a client failed for no loss of its own");
  expect(!seen.errors.contains("foreign"), "an error that is no batcher's came to a client");
}

} // namespace

void add(client_totals& to, const account& one) {
  to.sent += one.sent;
  to.replies += one.replies;
  to.doubled += one.doubled;
  to.wrong += one.wrong;
  to.overdue += one.overdue;
  to.ok += one.ok;
  to.unfounded += one.unfounded;
  for (std::size_t code = 0; code < one.errors.size(); ++code)
    if (one.errors[code] > 0)
      to.errors[code == 0 ? "foreign" : std::string{to_string(static_cast<batcher::errc>(code))}] +=
        one.errors[code];
  to.longest_lost = std::max(to.longest_lost, steady::duration{one.longest_lost});
  to.longest_recovery = std::max(to.longest_recovery, steady::duration{one.longest_recovery});
}

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
  // What a client has sent may have been lost on its way.
  expect(of.counted.requests >= seen.requests
           && of.counted.requests <= seen.requests + of.clients.sent
           && of.counted.replied() == of.counted.requests,
         "the batcher has counted otherwise than its callers");
  if (of.retry == "never" || !of.has_faults)
    expect(of.executed_again == 0, "a request was executed twice");
  if (of.retry == "idempotent" || !of.has_faults)
    expect(seen.errors.empty(), "a request failed for a node that was lost or has left");
  expect_of_clients(of, expect);
  return problems;
}

namespace {

void print(const client_totals& of) {
  std::printf("%zu client nodes: requests %lu, replies %lu, doubled %lu, wrong %lu, overdue %lu, "
              "ok %lu\n",
              of.nodes, of.sent, of.replies, of.doubled, of.wrong, of.overdue, of.ok);
  for (const auto& [name, n] : of.errors) std::printf("  failed with %s: %lu\n", name.c_str(), n);
  std::printf(
    "  longest time until batcher_lost %.3f s (bound %.3f s), from the end of a fault to a "
    "result %.3f s\n",
    seconds(of.longest_lost), seconds(of.most_until_lost), seconds(of.longest_recovery));
}

} // namespace

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
  if (of.clients.nodes > 0) print(of.clients);
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
  auto& clients = of.clients;
  if (clients.nodes > 0)
    out["clients"] = {{"nodes", clients.nodes},
                      {"requests", clients.sent},
                      {"replies", clients.replies},
                      {"doubled", clients.doubled},
                      {"wrong", clients.wrong},
                      {"overdue", clients.overdue},
                      {"ok", clients.ok},
                      {"errors", clients.errors},
                      {"longest_until_lost_s", seconds(clients.longest_lost)},
                      {"longest_recovery_s", seconds(clients.longest_recovery)}};
  std::ofstream to{file};
  to << out.dump(2) << '\n';
  if (!to.flush()) throw std::runtime_error{"cannot write " + file};
}

} // namespace soak
