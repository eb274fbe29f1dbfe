// SPDX-License-Identifier: BSD-3-Clause

#include "tunnels.hpp"

#include "processes.hpp"

#include <signal.h>
#include <stdlib.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

namespace soak {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const fs::path examples = BATCHER_CLUSTER_DIR;

std::string text_of(const fs::path& file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

// Puts `by` in the place of `what`, with the rest of the line if `is_line`.
void replace(std::string& in, const std::string& what, const std::string& by, bool is_line) {
  auto at = in.find(what);
  if (at == std::string::npos)
    throw std::runtime_error{"there is no " + what + " in stunnel's file"};
  for (; at != std::string::npos; at = in.find(what, at + by.size()))
    in.replace(at, is_line ? in.find('\n', at) - at : what.size(), by);
}

// Returns the port that stunnel says it was given, if it has.
std::optional<std::uint16_t> port_in(const std::string& log) {
  auto at = log.find(" bound to ");
  auto end = log.find('\n', at);
  if (at == std::string::npos || end == std::string::npos) return std::nullopt;
  return static_cast<std::uint16_t>(std::stoi(log.substr(log.rfind(':', end) + 1)));
}

// Waits until stunnel has said which port it was given.
std::uint16_t wait_for_port(const fs::path& log, pid_t of) {
  for (int i = 0; i < 500; ++i) {
    auto text = text_of(log);
    if (auto port = port_in(text)) return *port;
    if (has_ended(of)) throw std::runtime_error{"stunnel has ended: " + text};
    std::this_thread::sleep_for(10ms);
  }
  throw std::runtime_error{"stunnel opens no port"};
}

} // namespace

certificates::certificates() {
  auto name = (fs::temp_directory_path() / "soak_cluster-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error{errno, std::generic_category(), "cannot make a folder"};
  folder_ = name;
  run_program({(examples / "make-certificates").string(), name, "batcher", "worker"}, no_namespace);
}

certificates::~certificates() {
  std::error_code ignored; // what is left of a temporary folder harms nobody
  fs::remove_all(folder_, ignored);
}

batcher::actors::tls_options tls_of(const fs::path& folder, const std::string& name) {
  return {.certificate = folder / (name + ".pem"),
          .key = folder / (name + ".key"),
          .ca_file = folder / "ca.pem",
          .allow_busy_handshakes = true};
}

tunnels::tunnels(const network& net, std::size_t nodes, std::uint16_t batcher_port) {
  auto door =
    start("batcher", net.bind_address(), "127.0.0.1:" + std::to_string(batcher_port), no_namespace);
  for (std::size_t i = 0; i < nodes; ++i) {
    ports_.push_back(start("worker", "127.0.0.1", net.address_for(i) + ":" + std::to_string(door),
                           net.space_of(i)));
  }
}

std::uint16_t tunnels::start(const std::string& name, const std::string& accept,
                             const std::string& connect, int network_namespace) {
  auto text = text_of(examples / ("stunnel-" + name + ".conf"));
  replace(text, "foreground = ", "foreground = quiet", true);
  replace(text, "accept = ", "accept = " + accept + ":0", true);
  replace(text, "connect = ", "connect = " + connect, true);
  replace(text, "/etc/batcher", certificates_.folder().string(), false);
  auto file = certificates_.folder() / ("stunnel-" + std::to_string(running_.size()));
  auto log = file.string() + ".log";
  std::ofstream{file} << "debug = info\noutput = " << log << '\n' << text;
  running_.push_back(start_process({"stunnel", file.string()}, network_namespace));
  return wait_for_port(log, running_.back());
}

void tunnels::stop() noexcept {
  for (auto one : running_) {
    ::kill(one, SIGKILL);
    wait_for_end(one);
  }
}

} // namespace soak
