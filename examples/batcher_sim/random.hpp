// SPDX-License-Identifier: BSD-3-Clause
//
// Random numbers that are the same with every standard library: the engine is specified to the
// bit, the distributions of <random> are not, so these are made here. What is left to the platform
// is the last bit of its `log`, `exp` and `cos`.

#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace sim {

/// One sequence of random numbers. Streams of one seed are independent of each other, so that what
/// is drawn for one purpose does not change with how much is drawn for another: two settings of a
/// batcher see the same requests.
class random_stream {
public:
  random_stream(std::uint64_t seed, std::uint32_t stream) {
    std::seed_seq words{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                        stream};
    engine_.seed(words);
  }

  /// Returns a number in [0, 1).
  [[nodiscard]] double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

  /// Returns a number from 0 to `n` - 1. Biased by less than n / 2^53.
  [[nodiscard]] std::uint64_t below(std::uint64_t n) {
    return static_cast<std::uint64_t>(uniform() * static_cast<double>(n));
  }

  /// Returns whether something of that probability happens. Draws only if that is open.
  [[nodiscard]] bool happens(double probability) {
    return probability > 0 && uniform() < probability;
  }

  /// Exponential with mean 1, by inversion.
  [[nodiscard]] double exponential() { return -std::log1p(-uniform()); }

  /// Normal with mean 0 and variance 1 (Box and Muller, 1958; the second number is not used).
  [[nodiscard]] double normal() {
    auto radius = std::sqrt(2 * exponential());
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

private:
  std::mt19937_64 engine_;
};

} // namespace sim
