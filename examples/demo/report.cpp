// SPDX-License-Identifier: BSD-3-Clause
//
// Writes the HTML page, see report.hpp.

#include "demo/report.hpp"

#include "demo/chart.hpp"
#include "demo/markup.hpp"

#include <fmt/format.h>

namespace demo {

namespace {

constexpr auto style = R"(
:root { color-scheme: light dark; --ground: #fff; --ink: #1c2430; --soft: #5b6675; --rule: #dfe3e8;
  --card: #f6f7f9; --unbatched: #b4540a; --batched: #1f63c9; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161c; --ink: #e6eaf0; --soft: #9aa5b4;
  --rule: #2b333e; --card: #1a2028; --unbatched: #f0a04b; --batched: #6fa8ff; } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 46rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; } .soft, figcaption { color: var(--soft); font-size: .9rem; }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0; }
.card { flex: 1 1 11rem; background: var(--card); border-radius: .5rem; padding: .75rem 1rem; }
.card b { display: block; font-size: 1.7rem; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: 50%;
  margin-right: .4rem; }
.key.ratio { display: none; }
.key.unbatched { background: var(--unbatched); } .key.batched { background: var(--batched); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { padding: .3rem .5rem; text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody tr { border-top: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; }
tr.best { font-weight: 700; } tr.bad { color: var(--soft); }
figure { margin: 0; } svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); } svg .label { font-size: 13px; }
.grid { stroke: var(--rule); } .axis { stroke: var(--soft); }
.guide { stroke: var(--soft); stroke-dasharray: 5 4; }
g.unbatched { stroke: var(--unbatched); fill: var(--unbatched); }
g.batched { stroke: var(--batched); fill: var(--batched); }
polyline { fill: none; stroke-width: 2; } circle { stroke-width: 2; }
circle.hollow { fill: var(--ground); }
)";

constexpr auto legend = "<p class=\"soft\"><span class=\"key unbatched\"></span>unbatched &#160; "
                        "<span class=\"key batched\"></span>batched &#160; hollow points: "
                        "not served in full and in time</p>\n";

using figure = double (*)(const step_result&);

chart_series points_of(const side_result& side, figure y) {
  chart_series result{.css_class = side.name};
  for (std::size_t i = 0; i < side.steps.size(); ++i) {
    const auto& step = side.steps[i];
    if (y(step) <= 0) continue; // a logarithmic axis has no place for it
    auto hint = fmt::format("{}: {} offered, {} served per second, p95 {:.1f} ms, batch {:.1f}",
                            side.name, grouped(step.offered_per_second),
                            grouped(step.served_per_second), step.p95_ms, step.mean_batch_items);
    result.points.push_back(
      {step.offered_per_second, y(step), is_good(step), side.is_last_try(i), hint});
  }
  return result;
}

std::string with_caption(const chart& what, std::string_view caption) {
  return fmt::format("<h2>{}</h2>\n{}<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n",
                     escape(what.title), legend, to_svg(what), caption);
}

std::string charts(const comparison& result) {
  auto make = [&](std::string title, std::string y_label, figure y) {
    return chart{.title = std::move(title),
                 .x_label = "offered, requests per second",
                 .y_label = std::move(y_label),
                 .series = {points_of(result.unbatched, y), points_of(result.batched, y)}};
  };
  auto latency = make("Latency", "p95 latency, ms", [](auto& x) { return x.p95_ms; });
  latency.y_limit = p95_limit_ms;
  latency.y_limit_label = fmt::format("limit: {:g} ms", p95_limit_ms);
  auto served =
    make("Served", "served, requests per second", [](auto& x) { return x.served_per_second; });
  served.has_diagonal = true;
  auto batch =
    make("Items per batch", "mean batch, items", [](auto& x) { return x.mean_batch_items; });
  return with_caption(latency,
                      "Counted from the instant at which a request was due. Both scales are "
                      "logarithmic.")
         + with_caption(served, "On the dashed line everything that is offered is served.")
         + with_caption(batch, "Batches grow with the rate by themselves, up to their limit.");
}

std::string row_of(const side_result& side, std::size_t i) {
  const auto& x = side.steps[i];
  auto css_class = &x == side.sustained() ? "best" : is_good(x) ? "good" : "bad";
  return fmt::format(
    "<tr class=\"{}\"><td><span class=\"key {}\"></span>{}</td><td>{}</td><td>{}</td>"
    "<td>{:.1f}</td><td>{:.1f}</td><td>{:.1f}</td><td>{:.1f}</td><td>{}</td><td>{}</td></tr>\n",
    css_class, side.name, side.name, grouped(x.offered_per_second), grouped(x.served_per_second),
    x.p50_ms, x.p95_ms, x.p99_ms, x.mean_batch_items, grouped(static_cast<double>(x.refused)),
    grouped(static_cast<double>(x.failed)));
}

std::string table(const comparison& result) {
  std::string html =
    "<h2>All steps</h2>\n<div class=\"wide\"><table>\n<thead><tr><th></th><th>offered<br/>/s</th>"
    "<th>served<br/>/s</th><th>p50<br/>ms</th><th>p95<br/>ms</th><th>p99<br/>ms</th>"
    "<th>mean<br/>batch</th><th>refused</th><th>failed</th></tr></thead>\n<tbody>\n";
  for (const auto* side : {&result.unbatched, &result.batched})
    for (std::size_t i = 0; i < side->steps.size(); ++i) html += row_of(*side, i);
  return html + "</tbody></table></div>\n"
         + fmt::format("<p class=\"soft\">Bold: the highest sustained rate, that is, {}.</p>\n",
                       escape(sustained_rule));
}

std::string card(std::string_view name, const std::string& value, std::string_view what) {
  return fmt::format("<div class=\"card\"><span class=\"key {}\"></span>{}<b>{}</b><span "
                     "class=\"soft\">{}</span></div>\n",
                     name, name, value, what);
}

std::string cards(const comparison& result) {
  auto rate = [](const side_result& side) { return grouped(side.sustained_per_second()); };
  auto ratio =
    result.ratio() > 0 ? fmt::format("{:.1f} times", result.ratio()) : std::string{"none"};
  return "<div class=\"cards\">\n"
         + card("unbatched", rate(result.unbatched), "requests/s sustained")
         + card("batched", rate(result.batched), "requests/s sustained")
         + card("ratio", ratio, "batched / unbatched") + "</div>\n";
}

} // namespace

std::string to_html(const comparison& result) {
  auto how = fmt::format(
    "The model: a TorchScript network with 10 inputs and 49 hidden layers of 64, the same on both "
    "sides, with {} workers each. The load: steps of {:g} s with Poisson arrivals. The batcher "
    "closes a batch at {} items or {:g} ms. The machine: {}. Wrong replies: {}, missing: {}.",
    result.workers, result.seconds_per_step, result.max_batch_items, result.max_delay_ms,
    escape(result.machine), result.replies_wrong(), result.replies_missing());
  return fmt::format(
    "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
    "<meta charset=\"utf-8\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
    "<title>Batcher: unbatched beside batched</title>\n<style>{}</style>\n</head>\n<body>\n"
    "<h1>One model, unbatched and batched</h1>\n<p class=\"soft\">{}</p>\n{}{}{}</body>\n</html>\n",
    style, how, cards(result), charts(result), table(result));
}

} // namespace demo
