// SPDX-License-Identifier: BSD-3-Clause
//
// How often each request was executed, counted by the worker nodes in memory that they share with the
// main process: what a node has counted stays when it is killed. Any thread of any of them.

#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace soak {

class executions {
public:
  using counter = std::atomic<std::uint16_t>;
  static_assert(counter::is_always_lock_free);

  /// Requests that it has room for. Memory is taken only for those that are counted.
  static constexpr std::size_t capacity = 64u << 20u;

  /// New ones, all zero. The file lives as long as a process has it open, and is inherited.
  executions() : executions{::memfd_create("executions", 0)} {
    if (::ftruncate(fd_, capacity * sizeof(counter)) != 0) fail("cannot make shared memory");
  }
  /// Those of the process that has handed its file down.
  explicit executions(int fd) : fd_{fd} {
    auto* at = fd < 0 ? MAP_FAILED
                      : ::mmap(nullptr, capacity * sizeof(counter), PROT_READ | PROT_WRITE,
                               MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) fail("cannot map shared memory");
    counters_ = static_cast<counter*>(at);
  }
  executions(const executions&) = delete;
  executions& operator=(const executions&) = delete;
  ~executions() {
    ::munmap(counters_, capacity * sizeof(counter));
    ::close(fd_);
  }

  [[nodiscard]] int file() const noexcept { return fd_; }

  void add(std::uint64_t request) noexcept {
    if (request < capacity) ++counters_[request];
  }
  /// Precondition: `request` < `capacity`.
  [[nodiscard]] std::size_t of(std::uint64_t request) const noexcept { return counters_[request]; }

private:
  [[noreturn]] static void fail(const char* what) {
    throw std::system_error{errno, std::generic_category(), what};
  }

  int fd_;
  counter* counters_ = nullptr;
};

} // namespace soak
