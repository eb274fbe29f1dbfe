// SPDX-License-Identifier: BSD-3-Clause
//
// The comparison as one HTML page, with charts. It needs no network and no scripts, follows the
// reader's light or dark preference, and is well-formed XML.

#pragma once

#include "demo/comparison.hpp"

#include <string>

namespace demo {

[[nodiscard]] std::string to_html(const comparison& result);

} // namespace demo
