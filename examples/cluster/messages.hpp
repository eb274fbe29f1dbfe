// SPDX-License-Identifier: BSD-3-Clause
//
// What travels between the nodes of the cluster: types of its own, which `BATCHER_INSPECT` lets CAF
// write and read, and a function of them whose results anybody can check.

#pragma once

#include <batcher/actors/interfaces.hpp>
#include <batcher/actors/node/caf_compat.hpp>

#include <cstdint>
#include <string>

namespace cluster {

struct question {
  std::uint64_t number = 0;
  std::string text; // as long as the client likes
};

struct answer {
  std::uint64_t digest = 0;
  std::string node;              // who has worked
  std::uint32_t batch_items = 0; // how many questions went together
};

BATCHER_INSPECT(question, number, text)
BATCHER_INSPECT(answer, digest, node, batch_items)

/// Returns the right digest: FNV-1a of the text, begun with the number.
[[nodiscard]] constexpr std::uint64_t digest_of(std::uint64_t number, std::string_view text) {
  auto digest = 0xcbf29ce484222325u ^ number;
  for (auto c : text) digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return digest * 0x100000001b3u;
}

} // namespace cluster

CAF_BEGIN_TYPE_ID_BLOCK(cluster, caf::first_custom_type_id)

  CAF_ADD_TYPE_ID(cluster, (cluster::question))
  CAF_ADD_TYPE_ID(cluster, (cluster::answer))

CAF_END_TYPE_ID_BLOCK(cluster)
