// SPDX-License-Identifier: BSD-3-Clause
//
// The metrics of any number of batchers, ready to be scraped. Counters and gauges are pulled from
// each batcher's `live_counters` at the moment of the scrape; the histograms are fed once per
// batch. It serves no HTTP itself: hand it to `exposition`, to a `prometheus::Exposer` of your own,
// or send `text()` from whatever server you have.
//
//     auto all = std::make_shared<batcher::monitoring::metrics>();
//     opts.observer = all->new_observer();      // one call per batcher
//     batcher::monitoring::exposition http{all};

#pragma once

#include "batcher/observer.hpp"

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace batcher::monitoring {

/// Collects what its observers see. What it exports stands in `metric_names.hpp`, and nothing else.
///
/// Batchers are told apart by their name, the label `batcher`. Several of one name, at once or one
/// after another, are one set of series: counters and histograms are sums over all that there ever
/// were and never decrease, gauges are sums over those that live. What an ended batcher counted is
/// added to the sums and its own counters are let go, so that memory grows with the number of names
/// only. A batcher has ended when nobody but its observer holds its `live_counters`.
///
/// Worker nodes of a published batcher are told apart by what they call themselves, the label
/// `node`, cut to 64 characters, with `?` for what is no printable ASCII. Nodes of one name are
/// summed up in the same way. Of those that are gone the 64 that came last are kept, so that their
/// counters go on when they come back; others start again from 0. About 50 series a node.
///
/// The edges of `batcher_batch_items` are those of a name's first batcher; later ones of that name
/// with another `max_batch_items` count into the same buckets.
///
/// Cost of a batch: one lock, no allocation, a few nanoseconds per item.
///
/// Thread rule: every function may be called from any thread at any time.
class metrics final : public prometheus::Collectable {
public:
  /// What to send as `Content-Type` with `text()`.
  static constexpr std::string_view text_content_type = "text/plain; version=0.0.4; charset=utf-8";

  metrics();
  ~metrics() override;

  /// Returns an observer for `options::observer`. Take a new one for every batcher: an observer
  /// cannot see which batcher a batch comes from, and counts all of them under the name that
  /// started last. Sharing one between batchers of the same name is harmless. For the nodes of a
  /// batcher give the same one to `publish`: one that no batcher has counts none. It may outlive
  /// this object.
  [[nodiscard]] std::shared_ptr<observer> new_observer();

  /// Returns every family of the table once, in the table's order. Called at each scrape.
  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;

  /// Returns the same in the text format that Prometheus reads.
  [[nodiscard]] std::string text() const;

private:
  class state;
  class batcher_observer;

  std::shared_ptr<state> state_;
};

} // namespace batcher::monitoring
