// SPDX-License-Identifier: BSD-3-Clause

#include "tunnels.hpp"

#include "processes.hpp"

#include <signal.h>
#include <stdlib.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <regex>
#include <stdexcept>
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

void replace(std::string& in, const char* pattern, const std::string& by) {
  auto changed =
    std::regex_replace(in, std::regex{pattern, std::regex::ECMAScript | std::regex::multiline}, by);
  if (changed == in)
    throw std::runtime_error{"there is no " + std::string{pattern} + " in stunnel's file"};
  in = changed;
}

// Waits until stunnel has said which port it was given.
std::uint16_t wait_for_port(const fs::path& log, pid_t of) {
  std::smatch found;
  for (int i = 0; i < 500; ++i) {
    auto text = text_of(log);
    if (std::regex_search(text, found, std::regex{R"(bound to [\d.]+:(\d+)\n)"}))
      return static_cast<std::uint16_t>(std::stoi(found[1]));
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
  replace(text, "^accept = .*$", "accept = " + accept + ":0");
  replace(text, "^connect = .*$", "connect = " + connect);
  replace(text, "/etc/batcher", certificates_.folder().string());
  auto file = certificates_.folder() / ("stunnel-" + std::to_string(running_.size()));
  auto log = file.string() + ".log";
  std::ofstream{file} << "foreground = quiet\npid =\ndebug = info\noutput = " << log << '\n'
                      << text;
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
