// SPDX-License-Identifier: BSD-3-Clause
//
// Runs the examples' model on LibTorch, and reads its rows.
//
// Why a file of its own: LibTorch's headers take seconds to compile, so only this file includes
// them.
// What it does not do: link to OpenBLAS. LibTorch uses whichever BLAS the system has chosen.

#include "diabetes_model.hpp"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <ATen/Parallel.h>
#include <torch/script.h>

// Weak: null where the system's BLAS is another one.
extern "C" __attribute__((weak)) void openblas_set_num_threads(int threads);

namespace examples {
namespace {

constexpr std::string_view header = "age,sex,bmi,bp,s1,s2,s3,s4,s5,s6";
constexpr auto features = static_cast<std::int64_t>(std::tuple_size_v<row>);

// LibTorch's own setting does not reach OpenBLAS, which would split every larger product. The
// threads that OpenBLAS makes when it is loaded stay, and sleep.
void use_one_thread() {
  static std::once_flag once;
  std::call_once(once, [] {
    at::set_num_threads(1);
    at::set_num_interop_threads(1);
    if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
  });
}

// Runs `action`; what it throws leaves as std::runtime_error, without LibTorch's stack trace.
template <class Action>
auto explained(const std::string& failure, Action action) {
  try {
    return action();
  } catch (const c10::Error& error) {
    throw std::runtime_error(failure + ": " + error.what_without_backtrace());
  } catch (const std::exception& error) {
    throw std::runtime_error(failure + ": " + error.what());
  }
}

row parse_row(std::string_view line, const std::string& where) {
  row values{};
  const char* next = line.data();
  const char* const end = next + line.size();
  for (std::size_t column = 0; column < values.size(); ++column) {
    if (column > 0 && (next == end || *next++ != ',')) {
      throw std::runtime_error(where + ": fewer than ten comma-separated numbers");
    }
    const auto [rest, error] = std::from_chars(next, end, values[column]);
    if (error != std::errc{} || !std::isfinite(values[column])) {
      throw std::runtime_error(where + ": no finite number, column " + std::to_string(column + 1));
    }
    next = rest;
  }
  if (next != end) throw std::runtime_error(where + ": something follows the tenth number");
  return values;
}

} // namespace

std::vector<row> load_rows(const std::filesystem::path& file) {
  std::ifstream input(file);
  std::string line;
  if (!std::getline(input, line)) {
    throw std::runtime_error("cannot read rows from " + file.string());
  }
  if (line != header) {
    throw std::runtime_error(file.string() + ":1: the header is not " + std::string(header));
  }
  std::vector<row> rows;
  for (std::size_t number = 2; std::getline(input, line); ++number) {
    rows.push_back(parse_row(line, file.string() + ":" + std::to_string(number)));
  }
  if (input.bad()) throw std::runtime_error("reading " + file.string() + " broke off");
  if (rows.empty()) throw std::runtime_error(file.string() + " holds no rows");
  return rows;
}

struct diabetes_model::network {
  torch::jit::Module module;

  std::vector<double> run(std::span<const row> rows) {
    const c10::InferenceMode no_gradients;
    const auto count = static_cast<std::int64_t>(rows.size());
    // from_blob wants a mutable pointer, but a module only reads its input.
    auto* const data = const_cast<float*>(rows.data()->data());
    const auto output = module.forward({torch::from_blob(data, {count, features})}).toTensor();
    TORCH_CHECK(output.dim() == 2 && output.size(0) == count && output.size(1) == 1
                  && output.scalar_type() == torch::kFloat,
                "the model does not map [n, 10] to [n, 1] in float32");
    const auto values = output.contiguous();
    const std::span results(values.data_ptr<float>(), rows.size());
    return {results.begin(), results.end()};
  }
};

diabetes_model::diabetes_model(const std::filesystem::path& file) {
  network_ = explained("cannot load the model " + file.string(), [&] {
    if (!std::filesystem::is_regular_file(file)) throw std::runtime_error("no such file");
    use_one_thread();
    const c10::InferenceMode no_gradients;
    auto module = torch::jit::load(file.string());
    module.eval();
    auto loaded = std::make_unique<network>(network{torch::jit::freeze(module)});
    // The first call records shapes and the second compiles; the others meet unlike sizes once.
    for (const std::size_t count : {1, 1, 2, 256, 1}) {
      static_cast<void>(loaded->run(std::vector<row>(count)));
    }
    return loaded;
  });
}

diabetes_model::diabetes_model(diabetes_model&&) noexcept = default;
diabetes_model& diabetes_model::operator=(diabetes_model&&) noexcept = default;
diabetes_model::~diabetes_model() = default;

std::vector<double> diabetes_model::predict(std::span<const row> rows) {
  if (rows.empty()) return {};
  return explained("the model failed", [&] { return network_->run(rows); });
}

} // namespace examples
