// SPDX-License-Identifier: BSD-3-Clause
//
// Text and signals, see console.hpp.

#include "cluster/console.hpp"

#include <batcher/actors/requests.hpp>
#include <batcher/errc.hpp>

#include <atomic>
#include <csignal>
#include <cstdio>

#include <semaphore.h>

namespace cluster {

namespace {

// Signal handlers may set the one and post the other, and not much more.
std::atomic<bool> is_asked_for = false;
static_assert(std::atomic<bool>::is_always_lock_free);
sem_t requests_to_end;

void print(std::FILE* to, const std::string& line) {
  auto whole = line + '\n'; // in one go: others print, too
  std::fwrite(whole.data(), 1, whole.size(), to);
  std::fflush(to);
}

} // namespace

void say(const std::string& line) { print(stdout, line); }

void complain(const std::string& line) { print(stderr, "cluster: " + line); }

std::string name_of(const caf::error& why) {
  for (auto code : batcher::all_errcs)
    if (code != batcher::errc::none && why == caf::make_error(code))
      return std::string{to_string(code)};
  return "other";
}

std::string text_of(const batcher::actors::node_event& event) {
  auto line = event.peer + ": " + std::string{to_string(event.what)};
  if (!event.why) return line;
  line += ", " + name_of(event.why);
  auto text = batcher::actors::text_of(event.why);
  return text.empty() ? line : line + ": " + text;
}

void catch_signals() {
  sem_init(&requests_to_end, 0, 0);
  struct sigaction action = {};
  action.sa_handler = [](int) {
    for (auto number : {SIGINT, SIGTERM}) std::signal(number, SIG_DFL); // the next one ends it
    ask_for_end();
  };
  for (auto number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

void ask_for_end() noexcept {
  is_asked_for = true;
  sem_post(&requests_to_end);
}

bool is_end_asked_for() noexcept { return is_asked_for; }

void wait_for_end() {
  while (sem_wait(&requests_to_end) != 0) {
  } // interrupted, perhaps by the signal itself
}

} // namespace cluster
