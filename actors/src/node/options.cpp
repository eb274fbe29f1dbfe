// SPDX-License-Identifier: BSD-3-Clause
//
// The checks of a node's options, and names of its events.

#include "batcher/actors/node/options.hpp"

#include "batcher/actors/node/caf_compat.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string_view>

namespace batcher::actors {

namespace {

constexpr duration least_wait = std::chrono::milliseconds{1};
constexpr duration least_patience = std::chrono::milliseconds{10};
constexpr std::size_t most_name_bytes = 256;
constexpr duration hour = std::chrono::hours{1};

std::string text_of(std::size_t x) { return std::to_string(x); }
std::string text_of(duration x) { return std::to_string(to_seconds(x)) + " s"; }

class checker {
public:
  void require(bool is_good, std::string_view knob, std::string_view value,
               std::string_view range) {
    if (is_good) return;
    problems_.push_back(
      std::string{knob}.append(" is ").append(value).append(", but must be ").append(range));
  }

  template <class T>
  void in_range(std::string_view knob, T value, T least, T most) {
    require(value >= least && value <= most, knob, text_of(value),
            "from " + text_of(least) + " to " + text_of(most));
  }

  void at_least(std::string_view knob, std::size_t value, std::size_t least) {
    require(value >= least, knob, text_of(value), text_of(least) + " or more");
  }

  void name(std::string_view value) {
    require(!value.empty() && value.size() <= most_name_bytes, "name",
            value.empty() ? "empty" : text_of(value.size()) + " bytes long",
            "a text of 1 to " + text_of(most_name_bytes) + " bytes");
  }

  void reconnect(const reconnect_options& opts) {
    in_range<duration>("reconnect.connect_timeout", opts.connect_timeout, least_patience, hour);
    in_range<duration>("reconnect.retry_delay", opts.retry_delay, least_wait, hour);
    in_range<duration>("reconnect.max_retry_delay", opts.max_retry_delay,
                       std::max(opts.retry_delay, least_wait), hour);
    in_range<duration>("reconnect.max_silence", opts.max_silence, least_patience, hour);
  }

  std::vector<std::string> take() { return std::move(problems_); }

private:
  std::vector<std::string> problems_;
};

} // namespace

bool is_loopback(const std::string& address) {
  if (address == "localhost" || address == "::1") return true;
  in_addr parsed{};
  return ::inet_pton(AF_INET, address.c_str(), &parsed) == 1 && ntohl(parsed.s_addr) >> 24u == 127;
}

bool tls_keeps_strangers_out() noexcept { return !compat::has_busy_handshakes; }

std::vector<std::string> validate(const publish_options& opts, bool has_safe_tls) {
  checker check;
  check.require(!opts.bind.empty(), "bind", "empty", "an address, such as 127.0.0.1 or 0.0.0.0");
  check.require(
    opts.bind.empty() || is_loopback(opts.bind) || has_safe_tls || opts.allow_untrusted_network,
    "bind", opts.bind,
    "a loopback address unless there is TLS of CAF 1.x, or allow_untrusted_network is set: whoever "
    "reaches the port may use and stop the batcher, or with TLS of CAF 0.17 keep a core busy; set "
    "it only where a firewall, a private network or a TLS proxy keeps strangers out");
  check.in_range<std::size_t>("max_message_bytes", opts.max_message_bytes, 1u << 10u, 1u << 30u);
  check.at_least("max_nodes", opts.max_nodes, 1);
  check.in_range<duration>("max_silence", opts.max_silence, least_patience, hour);
  return check.take();
}

std::vector<std::string> validate(const connect_options& opts) {
  checker check;
  check.name(opts.name);
  check.reconnect(opts.reconnect);
  check.in_range<duration>("max_outage", opts.max_outage, duration::zero(), hour);
  check.at_least("max_outstanding", opts.max_outstanding, 1);
  return check.take();
}

std::vector<std::string> validate(const join_options& opts) {
  checker check;
  check.name(opts.name);
  check.in_range<std::size_t>("workers", opts.workers, 1, 4'096);
  check.in_range<std::size_t>("credit", opts.credit, 1, 1'024);
  check.in_range<duration>("restart_delay", opts.restart_delay, least_wait, hour);
  check.reconnect(opts.reconnect);
  return check.take();
}

std::string_view to_string(node_event::kind x) noexcept {
  switch (x) {
    case node_event::kind::connected: return "connected";
    case node_event::kind::lost: return "lost";
    case node_event::kind::left: return "left";
    case node_event::kind::refused: return "refused";
    case node_event::kind::failed: return "failed";
    case node_event::kind::given_up: return "given_up";
  }
  return "unknown";
}

} // namespace batcher::actors
