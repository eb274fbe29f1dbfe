#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Puts the figures of several benchmarks together: what scripts/bench does at its end.

    report.py merge [--policy NAME] OUT FILE...   all figures into OUT, and a table of the ratios and their bars
    report.py compare OUT SIDE FILE... -- SIDE FILE...   one program built twice; each FILE is a round of it

A figure is a name and {median, min, max, rounds}; what it means stands at the head of the program that
measures it. A bar is looked at here, not in the programs: a missed one is said, and is no error.
"""

import argparse
import json
import math
import operator
import re
import statistics
import sys

# Figures that are promised something: a pattern of names, what of it, and the bar. Of adaptive timing every
# load counts, so the worst one.
BARS = [
    (r"single_over_echo_\d+", "median", ">=", 1.25),
    (r"single_over_echo_\d+", "min", ">=", 1.0),
    (r"client_over_echo_\d+", "median", ">=", 1.25),
    (r"client_over_echo_\d+", "min", ">=", 1.0),
    (r"bulk64_over_echo", "median", ">=", 5.0),
    (r"bulk64_over_promise_queue", "median", ">=", 4.0),
    (r"single_over_promise_queue", "median", ">=", 1.0),
    (r"wire_forwarder_over_plain", "median", ">=", 5.0),
    (r"lone_over_echo", "median", "<=", 2.0),
    (r"observers_on_over_off", "median", ">=", 0.97),
    (r"window_(detached_)?over_bare_us", "median", "<=", 100),
    (r"model_served_over_offered", "median", ">=", 0.99),
    (r"model_p99_over_batch_time", "median", "<", 4.0),
    (r"adaptive_regret_(mean|p95)", "max", "<=", 0.05),
    (r"adaptive_recovery_batches", "max", "<", 200),
    (r"adaptive_real_over_ideal_(mean|p95)", "max", "<=", 1.1),
    (r"overload_goodput_3x_over_1x", "median", ">=", 0.95),
    (r"fairness_p99_noisy_over_quiet", "median", "<=", 1.5),
]
# With the scheduler `sharing` in place of the bars for those names.
SHARING_BARS = [(r"single_over_echo_\d+", "median", ">=", 1.0)]
RELATIONS = {"<": operator.lt, "<=": operator.le, ">=": operator.ge}


def bars_of(name, policy):
    for bars in (SHARING_BARS if policy == "sharing" else [], BARS):
        found = [bar for bar in bars if re.fullmatch(bar[0], name)]
        if found:
            return found
    return []


def verdict(figure, bars):
    """What is said beside a figure, and how many bars it misses."""
    said, missed = [], 0
    for _, part, relation, bar in bars:
        holds = RELATIONS[relation](figure[part], bar)
        said.append(f"{part} {relation} {bar:g}: {'yes' if holds else 'MISSED'}")
        missed += not holds
    return "; ".join(said), missed


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write(path, figures):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=2)
        file.write("\n")


def merge(out, files, policy):
    figures = {}
    for path in files:
        for name, figure in read(path).items():
            if name in figures:
                raise ValueError(f"{path}: there is a figure {name} already")
            figures[name] = figure
    write(out, figures)
    print(f"{'ratio':34} {'median':>9} {'least':>9} {'most':>9} {'rounds':>6}  bar")
    missed = 0
    for name, figure in figures.items():
        bars = bars_of(name, policy)
        if not bars and "_over_" not in name:
            continue
        said, more = verdict(figure, bars)
        missed += more
        numbers = " ".join(f"{figure[part]:9.3f}" for part in ("median", "min", "max"))
        print(f"{name:34} {numbers} {figure['rounds']:6}  {said}".rstrip())
    print(f"{missed} bars missed" if missed != 1 else "1 bar missed")


def summarize(rounds):
    """One figure out of those of several runs of one round each."""
    values = [figure["median"] for figure in rounds]
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": len(values)}


def compare(out, sides):
    """`sides`: name -> files."""
    table = {}
    for side, files in sides.items():
        runs = [read(path) for path in files]
        table[side] = {name: summarize([run[name] for run in runs]) for name in runs[0]}
    write(out, table)
    first, second = table
    print(f"{'':34} {first:>30} {second:>30}")
    for name, figure in table[first].items():
        cells = [
            f"{decimals(f['median'])} ({decimals(f['min'])} to {decimals(f['max'])})"
            for f in (figure, table[second][name])
        ]
        print(f"{name:34} {cells[0]:>30} {cells[1]:>30}")


def decimals(value):
    """Three significant digits, of large numbers all before the point."""
    digits = 0 if value >= 100 else 2 - math.floor(math.log10(max(abs(value), 0.01)))
    return f"{value:.{max(digits, 0)}f}"


def parse_sides(words):
    parts, part = [], []
    for word in words + ["--"]:
        if word != "--":
            part.append(word)
            continue
        parts.append(part)
        part = []
    return {part[0]: part[1:] for part in parts}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    merging = commands.add_parser("merge")
    merging.add_argument("--policy", default="stealing")
    merging.add_argument("out")
    merging.add_argument("files", nargs="+")
    comparing = commands.add_parser("compare")
    comparing.add_argument("out")
    comparing.add_argument("sides", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    if chosen.command == "merge":
        merge(chosen.out, chosen.files, chosen.policy)
    else:
        compare(chosen.out, parse_sides(chosen.sides))


if __name__ == "__main__":
    sys.exit(main())
