// SPDX-License-Identifier: BSD-3-Clause
//
// TLS between the nodes of a soak, with certificates of an authority that lives as long as the run:
// that of CAF, or a stunnel at the batcher's end and one with each node, with the configuration files
// of examples/cluster. A stunnel lives on when its node is killed or frozen, as on a host.

#pragma once

#include "network.hpp"

#include "batcher/actors/node/options.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace soak {

/// Certificates for the batcher and its workers, gone with this object.
class certificates {
public:
  /// Throws `std::exception` if they cannot be made.
  certificates();
  certificates(const certificates&) = delete;
  certificates& operator=(const certificates&) = delete;
  ~certificates();

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }

private:
  std::filesystem::path folder_;
};

/// Returns how "batcher" or "worker" uses CAF's TLS, with the certificates of that folder.
[[nodiscard]] batcher::actors::tls_options tls_of(const std::filesystem::path& folder,
                                                  const std::string& name);

/// The stunnels of a run. `net` must outlive them.
class tunnels {
public:
  /// Starts the batcher's, which leads to that port on loopback, and those of the nodes. Throws
  /// `std::exception` if one does not start.
  tunnels(const network& net, std::size_t nodes, std::uint16_t batcher_port);
  tunnels(const tunnels&) = delete;
  tunnels& operator=(const tunnels&) = delete;
  ~tunnels() { stop(); }

  /// Port on the node's loopback at which it finds the batcher.
  [[nodiscard]] std::uint16_t port_for(std::size_t node) const { return ports_.at(node); }

private:
  std::uint16_t start(const std::string& name, const std::string& accept,
                      const std::string& connect, int network_namespace);
  void stop() noexcept;

  certificates certificates_;
  std::vector<pid_t> running_;
  std::vector<std::uint16_t> ports_; // by node
};

} // namespace soak
