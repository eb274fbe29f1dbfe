-- SPDX-License-Identifier: BSD-3-Clause
--
-- For wrk: posts rows of data, another one each time. wrk itself counts what is no 2xx or 3xx.
--
--     wrk -c 512 -d 10s -t 1 -s post.lua http://127.0.0.1:8080/optimized_predict

local rows = {}

function init()
   local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
   for line in io.lines(here .. "../model/diabetes.csv") do
      if not line:match("^%a") then
         local headers = { ["Content-Type"] = "application/json" }
         rows[#rows + 1] = wrk.format("POST", nil, headers, "[" .. line .. "]")
      end
   end
end

local sent = 0

function request()
   sent = sent + 1
   return rows[sent % #rows + 1]
end
