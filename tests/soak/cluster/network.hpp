// SPDX-License-Identifier: BSD-3-Clause
//
// A network of this program alone: this process moves into a namespace without a name, and each worker
// node gets one of its own, joined to it by a pair of veth.
//
//     this process   n0 198.18.0.1 ------ 198.18.0.2 eth0   node 0
//                    n1 198.18.1.1 ------ 198.18.1.2 eth0   node 1   ...
//
// Nobody else sees any of it, so that runs do not collide, and the kernel removes all of it with the
// last process in it, however that ends. Needs root and `ip`.

#pragma once

#include "processes.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace soak {

class network {
public:
  /// All nodes on loopback.
  network() = default;

  /// Must come before the process has a second thread, which would stay where it is. Throws
  /// `std::exception` where it cannot be made.
  explicit network(std::size_t nodes) {
    auto home = make_namespace();
    spaces_.push_back(home);
    run_program({"ip", "link", "set", "lo", "up"}, no_namespace);
    for (std::size_t i = 0; i < nodes; ++i) {
      spaces_.push_back(make_namespace());
      enter(home);
      join(i);
    }
  }
  network(network&& other) noexcept : spaces_{std::exchange(other.spaces_, {})} {}
  network& operator=(network&& other) noexcept {
    std::swap(spaces_, other.spaces_);
    return *this;
  }
  ~network() {
    for (auto fd : spaces_) ::close(fd);
  }

  [[nodiscard]] bool is_real() const noexcept { return !spaces_.empty(); }

  /// Address to publish at.
  [[nodiscard]] std::string bind_address() const { return is_real() ? "0.0.0.0" : "127.0.0.1"; }
  /// Where a node finds this process.
  [[nodiscard]] std::string address_for(std::size_t node) const {
    return is_real() ? address(node, 1) : "127.0.0.1";
  }
  [[nodiscard]] int space_of(std::size_t node) const {
    return is_real() ? spaces_.at(node + 1) : no_namespace;
  }

  /// Slows all links down: what is sent either way comes later by `delay`, and so much of it is lost.
  /// Throws `std::exception` where the kernel has no netem. Precondition: `is_real()`.
  void slow_down(std::chrono::milliseconds delay, double loss_percent) const {
    auto slow = [&](const std::string& device, int space) {
      run_program({"tc", "qdisc", "add", "dev", device, "root", "netem", "delay",
                   std::to_string(delay.count()) + "ms", "loss",
                   std::to_string(loss_percent) + "%"},
                  space);
    };
    for (std::size_t node = 0; node + 1 < spaces_.size(); ++node) {
      slow("eth0", space_of(node));
      slow("n" + std::to_string(node), no_namespace);
    }
  }

  /// Lets everything that is sent from and to a node be lost, or no more. Precondition: `is_real()`.
  void cut(std::size_t node) const { set_link(node, "down"); }
  void heal(std::size_t node) const { set_link(node, "up"); }

private:
  [[noreturn]] static void fail(const char* what) {
    throw std::system_error{errno, std::generic_category(), what};
  }

  // Moves this thread into it as well.
  static int make_namespace() {
    if (::unshare(CLONE_NEWNET) != 0) fail("cannot make a network namespace");
    auto fd = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("cannot open the network namespace");
    return fd;
  }

  static void enter(int space) {
    if (::setns(space, CLONE_NEWNET) != 0) fail("cannot enter the network namespace");
  }

  static std::string address(std::size_t node, int end) {
    return "198.18." + std::to_string(node) + "." + std::to_string(end);
  }

  void join(std::size_t node) const {
    auto here = "n" + std::to_string(node);
    auto there = space_of(node);
    run_program({"ip", "link", "add", "eth0", "type", "veth", "peer", "name", here, "netns",
                 std::to_string(::getpid())},
                there);
    run_program({"ip", "address", "add", address(node, 2) + "/24", "dev", "eth0"}, there);
    run_program({"ip", "link", "set", "eth0", "up"}, there);
    run_program({"ip", "link", "set", "lo", "up"}, there);
    run_program({"ip", "address", "add", address(node, 1) + "/24", "dev", here}, no_namespace);
    run_program({"ip", "link", "set", here, "up"}, no_namespace);
  }

  void set_link(std::size_t node, const char* state) const {
    run_program({"ip", "link", "set", "eth0", state}, space_of(node));
  }

  std::vector<int> spaces_; // that of this process, then those of the nodes
};

} // namespace soak
