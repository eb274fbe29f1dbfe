// SPDX-License-Identifier: BSD-3-Clause
//
// A value in memory that the main process shares with its nodes: what a node has written stays when it
// is killed. The value must be as good as new when all its bytes are zero.

#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace soak {

template <class T>
class shared {
public:
  /// A new one, all zero. The file lives as long as a process has it open, and is inherited.
  shared() : shared{::memfd_create("shared", 0), sizeof(T)} {}
  /// That of the process that has handed its file down.
  explicit shared(int fd) : fd_{fd} {
    auto* at =
      fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) fail("cannot map shared memory");
    value_ = static_cast<T*>(at);
  }
  shared(const shared&) = delete;
  shared& operator=(const shared&) = delete;
  ~shared() {
    ::munmap(value_, sizeof(T));
    ::close(fd_);
  }

  [[nodiscard]] int file() const noexcept { return fd_; }
  [[nodiscard]] T& operator*() const noexcept { return *value_; }
  [[nodiscard]] T* operator->() const noexcept { return value_; }

private:
  shared(int fd, off_t bytes) : shared{grown(fd, bytes)} {}

  static int grown(int fd, off_t bytes) {
    if (fd < 0 || ::ftruncate(fd, bytes) != 0) fail("cannot make shared memory");
    return fd;
  }

  [[noreturn]] static void fail(const char* what) {
    throw std::system_error{errno, std::generic_category(), what};
  }

  int fd_;
  T* value_ = nullptr;
};

} // namespace soak
