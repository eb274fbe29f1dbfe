// SPDX-License-Identifier: BSD-3-Clause
//
// Starts and ends RESTinio, see http_server.hpp.

#include "model_server/http_server.hpp"

#include <fmt/format.h>

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <future>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace model_server {

namespace {

namespace asio = restinio::asio_ns;

using namespace std::chrono_literals;

// For each connection some kilobytes, so that this many fit into any machine.
constexpr std::size_t most_connections = 16'384;

// Files that are no connections: libraries, the model, event loops, standard streams.
constexpr std::size_t other_files = 64;

// A request comes as a whole or not at all; the batchers see to it that each is answered.
constexpr auto reading_time = 60s;
constexpr auto handling_time = 24h;
constexpr auto writing_time = 30s;

constexpr std::size_t most_pipelined = 16;

// Several short waits without a request, not a long one: between two of them the HTTP threads handle
// all that has arrived, however long a busy machine lets them wait for a core.
constexpr auto quiet_time = 10ms;
constexpr int quiet_times = 5;

// Returns how many connections may be open. The usual limit, 1,024 files, is for programs that use
// select().
std::size_t raise_connection_limit() {
  rlimit files{};
  auto failed = getrlimit(RLIMIT_NOFILE, &files) != 0;
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, most_connections + other_files);
  if (failed || setrlimit(RLIMIT_NOFILE, &files) != 0)
    throw std::system_error{errno, std::generic_category(), "cannot raise the limit of open files"};
  if (files.rlim_cur <= other_files)
    throw std::runtime_error{fmt::format("a limit of {} open files is too low", files.rlim_cur)};
  return files.rlim_cur - other_files;
}

// What this throws ends the one connection only.
auto make_socket_setter(std::shared_ptr<const connection_count> connections) {
  return [connections = std::move(connections), most = raise_connection_limit()](auto& options) {
    if (connections->open() >= most) throw std::runtime_error{"too many connections"};
    options.set_option(asio::ip::tcp::no_delay{true});
  };
}

auto make_settings(const settings& chosen, http_server::handler on_request,
                   asio::ip::tcp::endpoint& listens_at) {
  restinio::server_settings_t<http_traits> result;
  auto connections = std::make_shared<connection_count>();
  auto limits = restinio::incoming_http_msg_limits_t{}.max_body_size(chosen.max_body_bytes);
  result.address(asio::ip::make_address(chosen.bind))
    .port(chosen.port)
    .socket_options_setter(make_socket_setter(connections))
    .connection_state_listener(connections)
    .max_pipelined_requests(most_pipelined)
    .incoming_http_msg_limits(limits)
    .read_next_http_message_timelimit(reading_time)
    .handle_request_timeout(handling_time)
    .write_http_response_timelimit(writing_time)
    .acceptor_post_bind_hook([&](auto& acceptor) { listens_at = acceptor.local_endpoint(); })
    .request_handler([on_request = std::move(on_request)](const auto& request) {
      on_request(request);
      return restinio::request_accepted();
    });
  return result;
}

// A timer that starts again until nothing has happened `quiet_times` in a row.
struct quiet_watch : std::enable_shared_from_this<quiet_watch> {
  quiet_watch(asio::io_context& io, const traffic& what) : timer{io}, counts{what} {}

  asio::steady_timer timer;
  const traffic& counts;
  std::promise<void> is_quiet;
  int times_left = quiet_times;

  void wait() {
    timer.expires_after(quiet_time);
    timer.async_wait(
      [self = shared_from_this(), before = counts.requests.load()](const auto& failed) {
        if (failed) return;
        bool was_quiet = self->counts.open_requests == 0 && self->counts.requests == before;
        self->times_left = was_quiet ? self->times_left - 1 : quiet_times;
        if (self->times_left > 0) return self->wait();
        self->is_quiet.set_value();
      });
  }
};

} // namespace

http_server::http_server(asio::io_context& io, const settings& chosen, handler on_request)
  : io_{io}, keep_running_{io.get_executor()}, server_{restinio::external_io_context(io),
                                                       make_settings(chosen, std::move(on_request),
                                                                     listens_at_)} {
  try {
    server_.open_sync();
  } catch (const std::exception& why) {
    throw std::runtime_error{
      fmt::format("cannot listen on {} port {}: {}", chosen.bind, chosen.port, why.what())};
  }
  for (std::size_t i = 0; i < chosen.threads; ++i) threads_.emplace_back([this] { io_.run(); });
}

http_server::~http_server() {
  io_.stop();
  for (auto& one : threads_) one.join();
}

std::string http_server::url() const {
  auto address = listens_at_.address();
  auto host = address.is_v6() ? '[' + address.to_string() + ']' : address.to_string();
  return fmt::format("http://{}:{}", host, listens_at_.port());
}

void http_server::stop_accepting() {
  std::promise<void> done;
  server_.close_async([&] { done.set_value(); },
                      [&](std::exception_ptr why) { done.set_exception(std::move(why)); });
  done.get_future().get();
}

bool http_server::wait_until_quiet(const traffic& counts,
                                   std::chrono::steady_clock::duration timeout) {
  auto watch = std::make_shared<quiet_watch>(io_, counts);
  auto quiet = watch->is_quiet.get_future();
  asio::post(io_, [watch] { watch->wait(); });
  return quiet.wait_for(timeout) == std::future_status::ready;
}

} // namespace model_server
