// SPDX-License-Identifier: BSD-3-Clause
//
// An answer goes to whoever sent the message, asked for or not. A client that did not ask, and does
// not understand the answer, sends an error back; that ended the batcher, and everybody who waited
// was told so.

#include "../actors/actor_fixture.hpp"

using namespace batcher;
using namespace batcher::tests;
using namespace std::chrono_literals;

TEST_CASE_METHOD(actor_fixture, "a batcher outlives a client that does not understand its answer") {
  auto b = spawn_doubler({.max_delay = 10ms});
  // CAF's default handler says the same, but prints, too, which 1.x's test system does not bear.
  time.system().spawn([b](caf::event_based_actor* self) -> caf::behavior {
    actors::compat::delayed_send(self, b, 1ns, actors::cancel_atom_v, std::uint64_t{7});
    return {
      [](bool) -> caf::result<void> { return caf::make_error(caf::sec::unexpected_message); }};
  });
  request(b, 1, 2);
  time.advance(1ns);
  CHECK(answered.total() == 0);
  time.advance(10ms);
  CHECK(answered.values == std::multimap<int, int>{{1, 2}});
}
