// SPDX-License-Identifier: BSD-3-Clause
//
// Reads the command line with CLI11, see settings.hpp.

#include "batcher_sim/settings.hpp"

#include "batcher_sim/trace_file.hpp"
#include "command_line/batcher_options.hpp"
#include "command_line/options.hpp"
#include "command_line/output_file.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <stdexcept>
#include <utility>

namespace sim {

namespace {

using command_line::add;
using command_line::add_choice;
using command_line::add_count;
using command_line::add_file;
using command_line::add_number;
using command_line::add_time;
using command_line::jump;
using command_line::parse_count;
using command_line::parse_jump;
using command_line::parse_list;

constexpr auto about =
  R"(Answers how many workers a load needs, and which settings: runs the very core of Batcher in
virtual time against a load and a batch function of which you say how long it takes. A million
requests take less than a second.

Measure your function with batches of 1 and of, say, 64 items; the two times give --batch-time (the
part that does not grow) and --item-time. Then, for instance:

  batcher_sim --rate 20k --workers 2 --batch-time 5ms --item-time 50us --max-batch-items 64
  batcher_sim --load 0.1:0.9:0.1 --in-time 50ms --svg plan.svg
  batcher_sim --trace arrivals.txt --workers 4 --when-idle immediate --json plan.json

Times need a unit (250us, 2ms, 1.5s); numbers may end in k or M.)";

constexpr auto footer =
  R"(Columns: load, the rate as a share of what the workers reach with full batches; latency from
arrival to result, mean with half of its 95 % confidence interval; fill, the mean items of a batch;
goodput, results in time per second; busy, the share of the workers' time; late are requests that
expired, failed those whose batch failed or took too long, refused all others without a result. The
first part of the requests (--warm-up) is not measured.

Not simulated: what messages and timers cost (but for --wire), and workers that die.

Exit code: 0 all is well, 1 a file could not be written, 2 a mistake in the options.)";

struct raw_settings {
  settings out;
  std::vector<double> loads;
  std::string trace;
  std::vector<jump> rate_jumps;
  std::vector<jump> cost_jumps;
  std::size_t attempts = 1;
  bool bisects = false;
};

void add_jumps(CLI::App& app, const std::string& name, std::vector<jump>& to,
               const std::string& what) {
  auto set = [name, &to](const std::vector<std::string>& texts) {
    try {
      for (auto& text : texts) to.push_back(parse_jump(text));
    } catch (const std::invalid_argument& e) {
      throw CLI::ValidationError{name, e.what()};
    }
  };
  app.add_option_function<std::vector<std::string>>(name, set, what)->type_name("AT:FACTOR");
}

void add_load(CLI::App& app, raw_settings& raw) {
  app.option_defaults()->group("Load");
  auto& a = raw.out.base.arrivals;
  auto* rate = add(app, "--rate", raw.out.rates, parse_list,
                   "Requests per second; several, as 1k,2k or 1k:9k:2k, give a row each")
                 ->type_name("LIST")
                 ->default_str("1000");
  add(app, "--load", raw.loads, parse_list,
      "Instead of --rate: shares of what the workers reach with full batches")
    ->type_name("LIST")
    ->excludes(rate);
  add_choice(app, "--arrivals", a.kind,
             {{"poisson", arrival_kind::poisson},
              {"bursts", arrival_kind::bursts},
              {"diurnal", arrival_kind::diurnal}},
             "How they come");
  add_file(app, "--trace", raw.trace,
           "Play recorded arrivals instead: one number of seconds a line, ascending. With "
           "--rate or --load, faster or slower, so that the mean is that");
  add_number(app, "--burst-factor", a.burst_factor,
             "Rate within bursts, as a multiple of the mean; at most 1 / --burst-share");
  add_number(app, "--burst-share", a.burst_share, "Share of the time that bursts take");
  add_time(app, "--burst-length", a.burst_length, "Mean length of a burst");
  add_number(app, "--amplitude", a.amplitude, "diurnal: how far the rate departs from its mean");
  add_time(app, "--period", a.period, "diurnal: length of a day");
  add_jumps(app, "--rate-jump", raw.rate_jumps, "From AT on the rate is FACTOR times as high");
  add_count(app, "--keys", raw.out.base.keys, "Different keys; items of two keys share no batch");
}

void add_run(CLI::App& app, raw_settings& raw) {
  app.option_defaults()->group("Run");
  auto& b = raw.out.base;
  add_count(app, "--requests", b.requests, "Requests of each row; of a trace, all by default");
  add_number(app, "--warm-up", b.warm_up, "Share of them that comes first and is not measured");
  add_time(app, "--in-time", b.in_time, "Results count as goodput up to this latency; 0: all do");
  add(app, "--seed", b.seed, parse_count, "The same seed draws the same run")
    ->type_name("N")
    ->default_str("1");
  add_file(app, "--json", raw.out.json_file, "Write the results to this file");
  add_file(app, "--svg", raw.out.svg_file, "Draw latency, queue and fill into this file");
}

void add_workers(CLI::App& app, raw_settings& raw) {
  app.option_defaults()->group("Workers");
  auto& b = raw.out.base;
  auto& c = b.cost;
  add_count(app, "--workers", b.workers, "Workers of all shards together");
  command_line::add_work_times(app, c.per_batch, c.per_item);
  add_number(app, "--noise", c.noise, "Standard deviation of a batch's time, as a share of it");
  add_number(app, "--stall-share", c.stall_share, "Share of the batches that are held up");
  add_time(app, "--stall", c.stall, "How long they are");
  add_number(app, "--failure-share", c.failure_share, "Share of the batches that fail");
  add_time(app, "--wire", c.wire, "Way from batcher to worker, and as long back");
  add_jumps(app, "--cost-jump", raw.cost_jumps, "From AT on batches take FACTOR times as long");
}

constexpr auto batcher_group = "Batcher (libbatcher/include/batcher/options.hpp says more)";

void add_batcher(CLI::App& app, raw_settings& raw) {
  app.option_defaults()->group(batcher_group);
  auto& o = raw.out.base.opts;
  command_line::add_batch_options(app, o);
  command_line::add_limit_options(app, o);
  add_count(app, "--worker-credit", o.worker_credit, "Batches that a worker may hold at once");
  add_count(app, "--attempts", raw.attempts, "Runs of a batch that fails; 1: it is not repeated");
  app.add_flag("--bisect", raw.bisects, "Halve a batch that fails instead of repeating it");
  add_count(app, "--shards", o.shards, "Batchers that share requests and workers");
  add_choice(app, "--shard-by", o.shard_by,
             {{"load", batcher::shard_by::load}, {"key", batcher::shard_by::key}},
             "Which of them gets a request: one with little to do, or that of its key");
}

// -- from options to scenarios --------------------------------------------------------------------

void merge_jumps(raw_settings& raw) {
  auto by_time = [](const jump& x, const jump& y) { return x.at < y.at; };
  std::map<batcher::duration, change> merged;
  for (auto* jumps : {&raw.rate_jumps, &raw.cost_jumps}) {
    std::stable_sort(jumps->begin(), jumps->end(), by_time);
    for (auto& x : *jumps) merged[x.at].at = x.at;
  }
  auto rate = raw.rate_jumps.begin();
  auto cost = raw.cost_jumps.begin();
  change current;
  for (auto& [at, x] : merged) {
    for (; rate != raw.rate_jumps.end() && rate->at <= at; ++rate)
      current.rate_factor = rate->factor;
    for (; cost != raw.cost_jumps.end() && cost->at <= at; ++cost)
      current.cost_factor = cost->factor;
    current.at = at;
    raw.out.base.changes.push_back(current);
  }
}

void load_trace(raw_settings& raw, bool is_limited) {
  auto& a = raw.out.base.arrivals;
  a.instants = read_trace_file(raw.trace);
  a.kind = arrival_kind::trace;
  if (!is_limited) raw.out.base.requests = a.instants.size();
}

void make_rates(raw_settings& raw) {
  auto& b = raw.out.base;
  bool is_asked = !raw.out.rates.empty() || !raw.loads.empty();
  if (!raw.loads.empty()) {
    auto full = capacity(b.cost, b.workers, b.opts.max_batch_items);
    for (auto share : raw.loads) raw.out.rates.push_back(share * full);
  }
  auto is_nothing = [](double rate) { return !(rate > 0); };
  if (std::any_of(raw.out.rates.begin(), raw.out.rates.end(), is_nothing))
    throw std::invalid_argument{"a rate or load of 0 brings no request; write more"};
  auto& instants = b.arrivals.instants;
  if (is_asked && !instants.empty() && instants.front() == instants.back())
    throw std::invalid_argument{"all of the trace comes at once, so it cannot get another rate"};
  if (!is_asked) raw.out.rates.push_back(instants.empty() ? b.arrivals.rate : 0);
}

void finish(raw_settings& raw, const CLI::App& app) {
  if (!raw.trace.empty()) load_trace(raw, app.count("--requests") > 0);
  if (raw.attempts > 1 || raw.bisects)
    raw.out.base.opts.on_failure = batcher::retry::idempotent{
      .max_attempts = std::max<std::size_t>(raw.attempts, raw.bisects ? 2 : 1),
      .bisect = raw.bisects};
  merge_jumps(raw);
  make_rates(raw);
  command_line::check_writable(raw.out.json_file);
  command_line::check_writable(raw.out.svg_file);
}

[[noreturn]] void end_with(const std::vector<std::string>& problems) {
  for (auto& problem : problems) std::cerr << "batcher_sim: " << problem << '\n';
  std::cerr << "Run with --help for what there is.\n";
  std::exit(exit_bad_options);
}

} // namespace

settings parse_command_line(int argc, const char* const* argv) {
  raw_settings raw;
  CLI::App app{about, "batcher_sim"};
  app.footer(footer);
  app.get_formatter()->column_width(42);
  add_load(app, raw);
  add_workers(app, raw);
  add_batcher(app, raw);
  add_run(app, raw);
  try {
    app.parse(argc, argv);
    finish(raw, app);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e) == 0 ? exit_ok : exit_bad_options);
  } catch (const std::invalid_argument& e) {
    end_with({e.what()});
  }
  for (auto rate : raw.out.rates)
    if (auto problems = validate(row_of(raw.out, rate)); !problems.empty()) end_with(problems);
  return std::move(raw.out);
}

scenario row_of(const settings& of, double rate) {
  auto row = of.base;
  auto& a = row.arrivals;
  if (a.instants.empty()) {
    a.rate = rate;
  } else if (rate > 0) {
    auto seconds = batcher::to_seconds(a.instants.back());
    a.speed = rate * seconds / static_cast<double>(a.instants.size() - 1);
  }
  return row;
}

} // namespace sim
