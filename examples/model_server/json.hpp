// SPDX-License-Identifier: BSD-3-Clause
//
// The bodies that come in and go out, as JSON. Knows nothing of HTTP.

#pragma once

#include "model/diabetes_model.hpp"

#include <stdexcept>
#include <string>
#include <string_view>

namespace model_server {

/// Thrown for a body that is no row. The text tells the client what is wrong and what to send.
class bad_row : public std::invalid_argument {
public:
  using std::invalid_argument::invalid_argument;
};

/// Reads a JSON array of exactly as many finite numbers as the model takes. Throws `bad_row`, also
/// for a number that is too large for a float.
[[nodiscard]] examples::row parse_row(std::string_view body);

/// Writes a number, the shortest text that reads back as the same. Precondition: it is finite.
[[nodiscard]] std::string number_body(double value);

/// Writes `{"error": "<message>"}`.
[[nodiscard]] std::string error_body(std::string_view message);

} // namespace model_server
