// SPDX-License-Identifier: BSD-3-Clause
//
// A cluster to try: one batcher, and any number of workers and clients on this or other machines,
// which come and go.
//
//     cluster client --question--> cluster batcher --batch--> cluster worker
//                    <--answer---                  <-answers-
//
//     batcher.cpp, worker.cpp, client.cpp   the parts       messages.hpp   what they send
//     tally.hpp   what a client counts                      options.hpp    the command line

#include "cluster/console.hpp"
#include "cluster/parts.hpp"

#include <exception>
#include <variant>

int main(int argc, char** argv) {
  auto chosen = cluster::parse_command_line(argc, argv);
  cluster::catch_signals();
  try {
    return std::visit([](const auto& part) { return cluster::run(part); }, chosen);
  } catch (const std::exception& why) {
    cluster::complain(why.what());
    return cluster::exit_failed;
  }
}
