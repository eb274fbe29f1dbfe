// SPDX-License-Identifier: BSD-3-Clause
//
// TLS over real sockets on loopback, in one process: keys with a passphrase, which the cluster's test
// has none of, and systems that are told of no TLS. Certificates are made by the example's script,
// which needs openssl.

#include "batcher/actors/ask.hpp"
#include "batcher/actors/control.hpp"
#include "batcher/actors/node.hpp"
#include "batcher/actors/spawn.hpp"

#include <caf/io/middleman.hpp>
#include <caf/io/network/multiplexer.hpp>
#include <catch2/catch.hpp>
#include <openssl/err.h>

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <vector>

using namespace batcher;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A folder with an authority and a certificate for "node".
struct certificates {
  certificates() {
    auto name = (fs::temp_directory_path() / "tls_test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    run(std::string{BATCHER_CLUSTER_DIR} + "/make-certificates '" + name + "' node");
  }
  ~certificates() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  static void run(const std::string& command) { REQUIRE(std::system(command.c_str()) == 0); }

  actors::tls_options options() const {
    return {.certificate = folder / "node.pem",
            .key = folder / "node.key",
            .ca_file = folder / "ca.pem",
            .allow_busy_handshakes = true};
  }

  /// The same with a key that is encrypted with "secret".
  actors::tls_options options_with_passphrase() const {
    auto opts = options();
    auto encrypted = (folder / "encrypted.key").string();
    run("openssl pkcs8 -topk8 -passout pass:secret -in '" + opts.key + "' -out '" + encrypted
        + "'");
    opts.key = encrypted;
    opts.passphrase = "secret";
    return opts;
  }

  fs::path folder;
};

auto make_doubler = [] {
  return [](std::span<const int> xs) {
    std::vector<int> results;
    for (auto x : xs) results.push_back(2 * x);
    return results;
  };
};

} // namespace

TEST_CASE("nodes with certificates talk, and the key may be encrypted") {
  certificates made;
  auto opts = made.options_with_passphrase();
  REQUIRE(validate(opts) == std::vector<std::string>{});
  actors::network_config<> here_cfg;
  here_cfg.use_tls(opts);
  caf::actor_system here{here_cfg};
  auto b = actors::spawn_batcher<int, int>(here, {.when_idle = when_idle::immediate}, make_doubler);
  {
    auto published = actors::publish(b);
    actors::network_config<> there_cfg;
    there_cfg.use_tls(opts);
    caf::actor_system there{there_cfg};
    auto far = actors::connect<int, int>(there, "127.0.0.1", published.port(), {.max_outage = 10s});
    auto answer = actors::ask(far, 21);
    REQUIRE(answer.wait_for(20s) == std::future_status::ready);
    CHECK(answer.get() == 42);
    auto port = published.port();
    published.close();
    CHECK(actors::publish(b, {.port = port}).port() == port);
  }
  actors::stop(b);
}

TEST_CASE("what one connection has failed of is not left to the next one that CAF looks at") {
  certificates made;
  actors::network_config<> cfg;
  cfg.use_tls(made.options());
  caf::actor_system system{cfg};
  auto in_a_turn_of_the_loop = [&](auto what) {
    std::promise<unsigned long> result;
    system.middleman().backend().post([&] { result.set_value(what()); });
    return result.get_future().get();
  };
  auto fail = [] {
    ERR_put_error(ERR_LIB_USER, 0, 1, "", 0);
    return ERR_peek_error();
  };
  CHECK(in_a_turn_of_the_loop(fail) != 0);
  CHECK(in_a_turn_of_the_loop([] { return ERR_peek_error(); }) == 0);
}

TEST_CASE("a passphrase that is wrong or missing is told, and nobody is asked for it") {
  certificates made;
  auto opts = made.options_with_passphrase();
  for (auto passphrase : {"", "wrong"}) {
    opts.passphrase = passphrase;
    auto problems = validate(opts);
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().find("passphrase") != std::string::npos);
    actors::network_config<> cfg;
    CHECK_THROWS_AS(cfg.use_tls(opts), actors::invalid_options);
  }
}

TEST_CASE("TLS with CAF 0.17 needs its flag, and with 1.x none") {
  certificates made;
  auto opts = made.options();
  opts.allow_busy_handshakes = false;
  auto problems = validate(opts);
  CHECK(problems.empty() == actors::tls_keeps_strangers_out());
  for (auto& text : problems) CHECK(text.find("allow_busy_handshakes") == 0);
}

TEST_CASE("files that are not named are all told") {
  auto problems = validate(actors::tls_options{.allow_busy_handshakes = true});
  REQUIRE(problems.size() == 3);
  CHECK(problems[0].find("certificate is empty") == 0);
  CHECK(problems[1].find("key is empty") == 0);
  CHECK(problems[2].find("ca_file is empty") == 0);
}

TEST_CASE("an address that others can reach needs no flag behind TLS that keeps strangers out") {
  CHECK(validate(actors::publish_options{.bind = "0.0.0.0"}, true).empty());
  CHECK(validate(actors::publish_options{.bind = "0.0.0.0"}, false).size() == 1);
}
