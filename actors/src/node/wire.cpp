// SPDX-License-Identifier: BSD-3-Clause
//
// Each structure's members in order, once for both directions.

#include "batcher/actors/node/wire.hpp"

#include <random>

namespace batcher::actors::node {

namespace {

struct saving {
  byte_writer& to;
  void operator()(const std::string& x) { to.text(x); }
  template <class T>
  void operator()(T x) {
    to.number(x);
  }
};

struct loading {
  byte_reader& from;
  void operator()(std::string& x) { x = from.text(); }
  template <class T>
  void operator()(T& x) {
    x = from.number<T>();
  }
};

// What follows the protocol's number.
template <class Each, class Hello>
void rest_of_hello(Each each, Hello& x) {
  each(x.as);
  each(x.attempt);
  each(x.name);
  each(x.request_type);
  each(x.response_type);
  each(x.workers);
  each(x.credit);
  each(x.max_silence_ns);
  each(x.process);
}

template <class Each, class... Members>
void all(Each each, Members&... members) {
  (each(members), ...);
}

} // namespace

std::uint64_t own_process() {
  static const std::uint64_t number =
    std::random_device{}() | std::uint64_t{std::random_device{}()} << 32u;
  return number;
}

std::string same_node_id(const std::string& id) {
  return " has the node id of another one, " + id
         + ": CAF 0.17 makes it of the process id and the network's hardware addresses, and "
           "containers "
           "can have both in common; let process ids differ (--pid=host), or use CAF 1.x";
}

void write(byte_writer& to, const hello& x) {
  to.number(x.protocol);
  rest_of_hello(saving{to}, x);
}

void read(byte_reader& from, hello& x) {
  x.protocol = from.number<std::uint32_t>();
  if (x.protocol == protocol_version) return rest_of_hello(loading{from}, x);
  while (from.remaining() > 0) static_cast<void>(from.number<std::uint8_t>());
}

void write(byte_writer& to, const welcome& x) {
  all(saving{to}, x.attempt, x.gate, x.name, x.max_message_bytes, x.max_silence_ns);
}

void read(byte_reader& from, welcome& x) {
  all(loading{from}, x.attempt, x.gate, x.name, x.max_message_bytes, x.max_silence_ns);
}

void write(byte_writer& to, const refusal& x) { all(saving{to}, x.attempt, x.error); }

void read(byte_reader& from, refusal& x) { all(loading{from}, x.attempt, x.error); }

void write(byte_writer& to, const command& x) { all(saving{to}, x.id, x.what, x.argument); }

void read(byte_reader& from, command& x) { all(loading{from}, x.id, x.what, x.argument); }

void write(byte_writer& to, const command_reply& x) {
  all(saving{to}, x.id, x.error, x.number, x.stats);
}

void read(byte_reader& from, command_reply& x) {
  all(loading{from}, x.id, x.error, x.number, x.stats);
}

void write(byte_writer& to, const group_head& x) {
  all(saving{to}, x.first_id, x.timeout_ns, x.priority, x.on_credit, x.is_cancellable, x.key,
      x.tenant);
}

void read(byte_reader& from, group_head& x) {
  all(loading{from}, x.first_id, x.timeout_ns, x.priority, x.on_credit, x.is_cancellable, x.key,
      x.tenant);
}

void write(byte_writer& to, const job_head& x) {
  all(saving{to}, x.id, x.worker, x.attempt, x.padding_items, x.key);
}

void read(byte_reader& from, job_head& x) {
  all(loading{from}, x.id, x.worker, x.attempt, x.padding_items, x.key);
}

void write(byte_writer& to, const job_done_head& x) {
  all(saving{to}, x.id, x.outcome, x.failure, x.executed_ns, x.held_ns);
}

void read(byte_reader& from, job_done_head& x) {
  all(loading{from}, x.id, x.outcome, x.failure, x.executed_ns, x.held_ns);
}

} // namespace batcher::actors::node
