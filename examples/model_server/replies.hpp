// SPDX-License-Identifier: BSD-3-Clause
//
// Every response that this server gives, one function for each kind. May be called from any thread.

#pragma once

#include "model_server/http.hpp"

#include <string>
#include <string_view>

namespace model_server {

/// What happens to the connection once the response is on its way.
enum class afterwards { keep_alive, close };

/// 200 with a text as it is, in the type that is named.
void reply_text(restinio::request_t& request, afterwards then, std::string text,
                std::string_view content_type);

/// 200 with a number as JSON.
void reply_number(restinio::request_t& request, afterwards then, double value);

/// Any other status, with `{"error": "<message>"}`. 503 asks the client to retry after a second.
void reply_error(restinio::request_t& request, afterwards then, restinio::http_status_line_t status,
                 std::string_view message);

/// 405, naming the method that there is.
void reply_wrong_method(restinio::request_t& request, afterwards then, std::string_view allowed);

} // namespace model_server
