// SPDX-License-Identifier: BSD-3-Clause
//
// What passes between processes. To CAF it is all one type, a kind and bytes: so that a peer of
// another version can be told so, whatever its messages look like; so that CAF's only I/O thread has
// no more to do than to copy; and so that what a stranger sends is first looked at here.
//
//     client                      gate                       worker node
//       hello ------------------> spawns a session <-------------- hello
//       <------------- refusal, or from the session welcome -------------->
//       requests, command ----->                             <----- job, abandon
//       <-- answers, command_reply                              job_done, leave ->
//       alive, goodbye, part, both ways                      alive, goodbye, part, both ways
//
// Invariants:
// 1. The first frame of a peer is a hello; the protocol's number comes first in it, in every version.
// 2. A welcome repeats the hello's `attempt`: one that comes late answers nobody.
// 3. Every frame is a sign of life. Without any for `max_silence` the other side is given up.
// 4. Frames of one sender arrive in order, or not at all.
// 5. No frame holds more than `most_part_bytes`; a larger one travels in parts.
//
// Limitation: all processes of a cluster use the same CAF, 0.17.6 or 1.x: the two do not talk to each
// other.

#pragma once

#include "batcher/actors/messages.hpp"
#include "batcher/actors/node/bytes.hpp"
#include "batcher/actors/node/caf_compat.hpp"
#include "batcher/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace batcher::actors::node {

/// Grows with every change of a frame's bytes.
inline constexpr std::uint32_t protocol_version = 2;

/// The only message that leaves the process.
struct frame {
  std::uint8_t kind = 0;
  std::string bytes = {};
};

BATCHER_INSPECT(frame, kind, bytes)

enum class frame_kind : std::uint8_t {
  /// Peer to gate: let me in. `hello`.
  hello = 1,
  /// Session to peer: you are in. `welcome`.
  welcome = 2,
  /// Gate to peer: you are not. `refusal`.
  refusal = 3,
  /// Both ways: nothing new, but I live. No bytes.
  alive = 4,
  /// Both ways: I am leaving, or do not know you. An error, or nothing if all is done.
  goodbye = 5,
  /// Client to session. Groups of requests (codec.hpp).
  requests = 6,
  /// Session to client. Ids with results.
  answers = 7,
  /// Client to session: a control message to the batcher. `command`.
  command = 8,
  /// Session to client: what came of it. `command_reply`.
  command_reply = 9,
  /// Session to worker node: run a batch. `job_head`, then requests.
  job = 10,
  /// Worker node to session: what came of it. `job_done_head`, then results.
  job_done = 11,
  /// Session to worker node: nobody waits for that job any more. Its id.
  abandon = 12,
  /// Worker node to session: give me no more. Answered with goodbye when nothing is left.
  leave = 13,
  /// Both ways: some bytes of the frame that follows (parts.hpp).
  part = 14,
};

/// What a peer wants to be.
enum class role : std::uint8_t { client = 1, worker = 2 };

struct hello {
  std::uint32_t protocol = protocol_version;
  role as = role::client;
  /// Chosen anew for each attempt.
  std::uint64_t attempt = 0;
  std::string name = {};
  std::string request_type = {};
  std::string response_type = {};
  std::uint32_t workers = 0;
  std::uint32_t credit = 0;
  std::int64_t max_silence_ns = 0;
  /// Drawn by the process (`own_process`): in CAF 0.17.6 two can have the same node id.
  std::uint64_t process = 0;
};

/// Returns the number of this process.
[[nodiscard]] std::uint64_t own_process();

/// Returns the end of a sentence about a process that has the same node id as another.
[[nodiscard]] std::string same_node_id(const std::string& id);

struct welcome {
  std::uint64_t attempt = 0;
  /// Of the gate, for as long as it lives: ids of jobs are its own.
  std::uint64_t gate = 0;
  /// Of the batcher.
  std::string name = {};
  std::uint64_t max_message_bytes = 0;
  std::int64_t max_silence_ns = 0;
};

/// Whose error it is follows (`write_error`).
struct refusal {
  std::uint64_t attempt = 0;
  std::string error = {};
};

/// What a command asks the batcher.
enum class command_kind : std::uint8_t {
  is_running = 1,
  stats = 2,
  pause = 3,
  resume = 4,
  drain = 5,
  stop = 6,
  credit = 7,
  cancel = 8,
};

struct command {
  std::uint64_t id = 0;
  command_kind what = command_kind::is_running;
  /// Of a drain: the timeout in nanoseconds. Of credit: items. Of cancel: the request.
  std::int64_t argument = 0;
};

struct command_reply {
  std::uint64_t id = 0;
  /// Empty, or an error.
  std::string error = {};
  std::uint64_t number = 0;
  /// Of stats.
  std::string stats = {};
};

/// What all requests of a group have in common.
struct group_head {
  /// Of the first; the others count on.
  std::uint64_t first_id = 0;
  std::int64_t timeout_ns = 0;
  std::uint8_t priority = 0;
  bool on_credit = false;
  /// Whether they may be named in a `cancel`.
  bool is_cancellable = false;
  std::string key = {};
  std::string tenant = {};
};

struct job_head {
  std::uint64_t id = 0;
  std::uint32_t worker = 0;
  std::uint32_t attempt = 1;
  std::uint32_t padding_items = 0;
  std::string key = {};
};

struct job_done_head {
  std::uint64_t id = 0;
  errc outcome = errc::none;
  /// With `batch_failed`: an error.
  std::string failure = {};
  /// Inside the function, and from having read the batch to having something to tell of it.
  std::int64_t executed_ns = 0;
  std::int64_t held_ns = 0;
};

// -- their bytes ----------------------------------------------------------------------------------

void write(byte_writer& to, const hello& x);
void write(byte_writer& to, const welcome& x);
void write(byte_writer& to, const refusal& x);
void write(byte_writer& to, const command& x);
void write(byte_writer& to, const command_reply& x);
void write(byte_writer& to, const group_head& x);
void write(byte_writer& to, const job_head& x);
void write(byte_writer& to, const job_done_head& x);

/// Of another version it takes the version alone.
void read(byte_reader& from, hello& x);
void read(byte_reader& from, welcome& x);
void read(byte_reader& from, refusal& x);
void read(byte_reader& from, command& x);
void read(byte_reader& from, command_reply& x);
void read(byte_reader& from, group_head& x);
void read(byte_reader& from, job_head& x);
void read(byte_reader& from, job_done_head& x);

/// Returns a frame that holds one of these and nothing else.
template <class T>
[[nodiscard]] frame frame_of(frame_kind kind, const T& x) {
  frame out{.kind = static_cast<std::uint8_t>(kind), .bytes = {}};
  byte_writer to{out.bytes};
  write(to, x);
  return out;
}
[[nodiscard]] inline frame frame_of(frame_kind kind) {
  return {.kind = static_cast<std::uint8_t>(kind), .bytes = {}};
}

/// Returns what such a frame holds, nothing if it holds something else.
template <class T>
[[nodiscard]] std::optional<T> content_of(const frame& msg) {
  byte_reader from{msg.bytes};
  T x;
  read(from, x);
  if (!from.is_finished()) return std::nullopt;
  return x;
}

// -- inside one process ---------------------------------------------------------------------------

/// Tells the owner of a line what has become of it.
struct line_event {
  enum class kind {
    /// It is connected.
    up,
    /// It was connected and is no more; it tries again, unless there is no error: the other side has
    /// said that all is done.
    down,
    /// An attempt has failed; it tries again.
    failed,
    /// It ends: it has tried for too long, or was ended from outside.
    given_up,
    /// It is time, see `line_wake`.
    awake,
  };
  kind what = kind::failed;
  /// With `up`.
  welcome from = {};
  caf::error why = {};
};

/// Tells a line to begin, to introduce itself like that.
struct line_start {
  hello greeting;
};

/// Lets a line carry a frame over the connection whose welcome had that `attempt`; lost if that is
/// over. The line may have made another one that its owner has not heard of yet.
struct line_send {
  std::uint64_t attempt = 0;
  frame what;
};

/// Lets a line tell its owner when that instant has come, the earliest if there are several. The owner
/// has no timer of its own, which would keep it alive.
struct line_wake {
  time_point at;
};

/// Ends a line; the other side is told so.
struct line_stop {
  caf::error why = {};
};

} // namespace batcher::actors::node

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::node::line_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::node::line_start)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::node::line_send)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::node::line_stop)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(batcher::actors::node::line_wake)

CAF_BEGIN_TYPE_ID_BLOCK(batcher_nodes, ::batcher::actors::first_type_id + 500)

  BATCHER_ADD_ATOM(batcher_nodes, batcher::actors::node, flush_atom, "flush")
  BATCHER_ADD_ATOM(batcher_nodes, batcher::actors::node, close_atom, "close")
  BATCHER_ADD_ATOM(batcher_nodes, batcher::actors::node, depart_atom, "depart")
  CAF_ADD_TYPE_ID(batcher_nodes, (batcher::actors::node::frame))
  CAF_ADD_TYPE_ID(batcher_nodes, (batcher::actors::node::line_event))
  CAF_ADD_TYPE_ID(batcher_nodes, (batcher::actors::node::line_start))
  CAF_ADD_TYPE_ID(batcher_nodes, (batcher::actors::node::line_send))
  CAF_ADD_TYPE_ID(batcher_nodes, (batcher::actors::node::line_stop))
  CAF_ADD_TYPE_ID(batcher_nodes, (batcher::actors::node::line_wake))

CAF_END_TYPE_ID_BLOCK(batcher_nodes)
