// SPDX-License-Identifier: BSD-3-Clause
//
// Sums of a level over steps, see timeline.hpp.

#include "batcher_sim/timeline.hpp"

#include <algorithm>

namespace sim {

namespace {

constexpr std::size_t most_steps = 512;

double area_of(std::uint64_t level, batcher::duration time) {
  return static_cast<double>(level) * static_cast<double>(time.count());
}

} // namespace

void timeline::set(batcher::duration now, std::uint64_t level) {
  advance(now);
  level_ = level;
  auto& here = sums_.back();
  here.largest = std::max(here.largest, level);
}

std::vector<timeline::step> timeline::steps(batcher::duration end) {
  advance(end);
  std::vector<step> result;
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    auto begin = length_ * static_cast<batcher::duration::rep>(i);
    auto took = std::max(batcher::duration{1}, std::min(length_, end - begin));
    result.push_back({sums_[i].area / static_cast<double>(took.count()), sums_[i].largest});
  }
  return result;
}

void timeline::advance(batcher::duration now) {
  while (now >= length_ * static_cast<batcher::duration::rep>(most_steps)) halve();
  while (last_ < now) {
    auto end = length_ * static_cast<batcher::duration::rep>(sums_.size());
    auto until = std::min(now, end);
    sums_.back().area += area_of(level_, until - last_);
    last_ = until;
    if (until == end) sums_.push_back({0, level_});
  }
}

void timeline::halve() {
  for (std::size_t i = 0; i < sums_.size(); i += 2) {
    auto merged = sums_[i];
    if (i + 1 < sums_.size()) {
      merged.area += sums_[i + 1].area;
      merged.largest = std::max(merged.largest, sums_[i + 1].largest);
    }
    sums_[i / 2] = merged;
  }
  sums_.resize((sums_.size() + 1) / 2);
  length_ *= 2;
}

} // namespace sim
