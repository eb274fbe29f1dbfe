// SPDX-License-Identifier: BSD-3-Clause
//
// The real model that the examples serve: rows of patient data in, predicted progress of the
// disease out.
//
// Why: examples that batch a sleep prove little. This is a trained network of fifty layers, run by
// LibTorch; train.py beside this file made it.
// What it does not do: batch, queue or start threads. A caller decides how many rows make a call.
//
// A diabetes_model belongs to one thread at a time; every worker makes its own. load_rows may be
// called from any thread.

#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace examples {

/// One patient's ten features, in the order of the columns of diabetes.csv (age, sex, bmi, bp, s1
/// to s6), scaled as scikit-learn ships them: about -0.2 to 0.2, mean 0 over all rows.
using row = std::array<float, 10>;

/// Reads a table of features: the header `age,sex,bmi,bp,s1,s2,s3,s4,s5,s6`, then lines of ten
/// comma-separated finite numbers.
///
/// Throws std::runtime_error, naming the file and the line, if the file cannot be read, holds no
/// row, or has a line of another form: no line is skipped.
[[nodiscard]] std::vector<row> load_rows(const std::filesystem::path& file);

/// A network loaded from TorchScript that maps float32 [n, 10] to [n, 1].
///
/// A call costs about `a + b * n`, with `a` many times `b`: that is what batching saves. With
/// OpenBLAS `b` is smallest up to some 240 rows; from 245 on it takes its path for large matrices,
/// and a row costs about a third more.
///
/// Everything runs in the calling thread. Making the first model limits LibTorch and OpenBLAS to
/// the calling thread for the whole process, since the workers are the parallelism here.
class diabetes_model {
public:
  /// Loads the model and runs it a few times, so that no later call pays for its optimisation.
  /// Takes tens of milliseconds, and longer the first time in a process.
  ///
  /// Throws std::runtime_error, naming the file, if it is missing, is no TorchScript, or is no
  /// network of [n, 10] to [n, 1]; also if the process has used LibTorch's inter-op threads before.
  explicit diabetes_model(const std::filesystem::path& file);

  diabetes_model(diabetes_model&&) noexcept;
  diabetes_model& operator=(diabetes_model&&) noexcept;
  ~diabetes_model();

  /// Returns one prediction per row, in order: the disease's progress after a year, in the data's
  /// own unit, in which it ranges from 25 to 346. No rows give no predictions. A row that holds a
  /// NaN gives NaN, and leaves the other rows alone.
  ///
  /// A row's result depends on its batch only by float rounding (about 1e-6 of the value).
  /// Throws std::runtime_error if LibTorch fails, for instance without memory; the model stays
  /// usable.
  [[nodiscard]] std::vector<double> predict(std::span<const row> rows);

private:
  struct network;
  std::unique_ptr<network> network_;
};

} // namespace examples
