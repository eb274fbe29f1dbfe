// SPDX-License-Identifier: BSD-3-Clause
//
// CAF's TLS. It fails late and unkindly over files that will not do: some at the first connection,
// with an exception in a thread of its own, and without any it takes whoever comes. So they are
// looked at first, by the OpenSSL functions that it will call itself.

#include "tls.hpp"

#include "batcher/actors/node.hpp"

#include <caf/openssl/manager.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace batcher::actors {

namespace {

// Never asks a person, as OpenSSL does by itself.
int give_passphrase(char* to, int room, int, void* from) {
  auto& passphrase = *static_cast<const std::string*>(from);
  if (passphrase.size() > static_cast<std::size_t>(room)) return -1;
  std::copy(passphrase.begin(), passphrase.end(), to);
  return static_cast<int>(passphrase.size());
}

// What OpenSSL has said last; the first of its errors is the cause.
std::string take_reason() {
  auto code = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const auto* reason = ERR_reason_error_string(code);
  return reason ? reason : "unknown";
}

class file_check {
public:
  explicit file_check(const tls_options& opts)
    : opts_{&opts}, context_{SSL_CTX_new(TLS_method()), &SSL_CTX_free} {
    if (!context_) throw std::runtime_error{"cannot make a TLS context: " + take_reason()};
    SSL_CTX_set_default_passwd_cb(context_.get(), give_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context_.get(),
                                           const_cast<std::string*>(&opts.passphrase));
    ERR_clear_error();
  }

  std::vector<std::string> problems() {
    auto* ctx = context_.get();
    auto& [certificate, key, ca_file, passphrase, flag] = *opts_;
    require(SSL_CTX_use_certificate_chain_file(ctx, certificate.c_str()), "certificate",
            certificate, "a readable PEM file with this node's certificate");
    require(SSL_CTX_use_PrivateKey_file(ctx, key.c_str(), SSL_FILETYPE_PEM), "key", key,
            "a readable PEM file with the private key of the certificate, and passphrase what it "
            "is encrypted with, if it is");
    require(SSL_CTX_load_verify_locations(ctx, ca_file.c_str(), nullptr), "ca_file", ca_file,
            "a readable PEM file with the certificate of the authority of the other nodes");
    return std::move(problems_);
  }

private:
  void require(int result, const char* knob, const std::string& value, const char* range) {
    if (result == 1) return;
    if (value.empty())
      problems_.push_back(std::string{knob} + " is empty, but must be " + range);
    else
      problems_.push_back(std::string{knob} + " is " + value + ", but must be " + range + " ("
                          + take_reason() + ")");
    ERR_clear_error();
  }

  const tls_options* opts_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::vector<std::string> problems_;
};

} // namespace

std::vector<std::string> validate(const tls_options& opts) {
  auto problems = file_check{opts}.problems();
  if (compat::has_busy_handshakes && !opts.allow_busy_handshakes)
    problems.emplace_back(
      "allow_busy_handshakes is false, but must be true for TLS with CAF 0.17, where anybody who "
      "connects and says nothing costs a core; set it only where strangers cannot reach the port, "
      "or "
      "let a pair of TLS proxies such as stunnel encrypt, or take CAF 1.x");
  return problems;
}

namespace node {

void use_tls(caf::actor_system_config& cfg, const tls_options& opts) {
  require_valid("TLS", validate(opts));
  cfg.load<caf::openssl::manager>();
  compat::set_tls_files(cfg, opts.certificate, opts.key, opts.passphrase, opts.ca_file);
}

caf::actor tls_connector_of(caf::actor_system& system) {
  auto& tls = system.openssl_manager();
  if (!tls.authentication_enabled())
    throw std::logic_error{"the actor system has TLS without certificates, which lets in whoever "
                           "comes: name them with network_config::use_tls"};
  return caf::actor_cast<caf::actor>(tls.actor_handle());
}

void forget_tls_errors() { ERR_clear_error(); }

} // namespace node

} // namespace batcher::actors
