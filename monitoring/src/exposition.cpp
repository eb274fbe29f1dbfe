// SPDX-License-Identifier: BSD-3-Clause
//
// Starts prometheus-cpp's server, and finds out for the caller why it would not start.

#include "batcher/monitoring/exposition.hpp"

#include <prometheus/exposer.h>

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <utility>

namespace batcher::monitoring {

namespace {

std::string address_of(const exposition_options& opts) {
  auto is_ipv6 = opts.bind.find(':') != std::string::npos;
  return (is_ipv6 ? '[' + opts.bind + ']' : opts.bind) + ':' + std::to_string(opts.port);
}

[[noreturn]] void refuse(const exposition_options& opts, const std::string& cause,
                         const std::string& remedy) {
  throw std::runtime_error{"cannot serve metrics on " + address_of(opts) + ": " + cause + "; "
                           + remedy};
}

struct free_addresses {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

using addresses = std::unique_ptr<addrinfo, free_addresses>;

addresses parse(const exposition_options& opts) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  auto port = std::to_string(opts.port);
  if (auto failed = getaddrinfo(opts.bind.c_str(), port.c_str(), &hints, &list); failed != 0)
    refuse(opts, gai_strerror(failed), "exposition_options::bind must be a numeric address");
  return addresses{list};
}

// The server does not say why it failed, so this tries the same and asks the system.
std::string cause_of_failure(const addrinfo& where) {
  auto socket_fd = socket(where.ai_family, where.ai_socktype, where.ai_protocol);
  if (socket_fd < 0) return std::strerror(errno);
  int on = 1;
  auto is_free = setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
                 && bind(socket_fd, where.ai_addr, where.ai_addrlen) == 0
                 && listen(socket_fd, 1) == 0;
  std::string cause;
  if (!is_free)
    cause = std::strerror(errno);
  else if (where.ai_family == AF_INET6)
    cause = "the HTTP server takes no IPv6, if it was built as Debian's";
  else
    cause = "the HTTP server could not start its threads, whose stacks are too small for this "
            "process; serve metrics::text() yourself";
  close(socket_fd);
  return cause;
}

std::unique_ptr<prometheus::Exposer> start(const exposition_options& opts) {
  if (opts.threads == 0)
    refuse(opts, "no thread to answer", "exposition_options::threads must be at least 1");
  auto where = parse(opts);
  try {
    return std::make_unique<prometheus::Exposer>(address_of(opts), opts.threads);
  } catch (const std::exception&) {
    refuse(opts, cause_of_failure(*where),
           "choose another exposition_options::port (0: any free one) or bind address");
  }
}

} // namespace

exposition::exposition(std::shared_ptr<metrics> what, exposition_options opts)
  : opts_{std::move(opts)}, metrics_{std::move(what)}, server_{start(opts_)} {
  opts_.port = static_cast<std::uint16_t>(server_->GetListeningPorts().at(0));
  server_->RegisterCollectable(metrics_);
}

exposition::~exposition() = default;

std::string exposition::url() const { return "http://" + address_of(opts_) + "/metrics"; }

} // namespace batcher::monitoring
