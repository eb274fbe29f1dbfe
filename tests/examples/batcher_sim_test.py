#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the simulator as a user would: batcher_sim_test.py BATCHER_SIM

Checks what it prints and writes, and that mistakes are refused with a hint. Whether its figures are right is
checked by simulation_tests.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

SIMULATOR = None  # set by main
SVG = "{http://www.w3.org/2000/svg}"


def run(*options, folder=None):
    return subprocess.run(
        [SIMULATOR, *options], cwd=folder, capture_output=True, text=True, timeout=30)


def rows_of(output):
    """The cells of each row of the table, numbers as such."""
    lines = output.splitlines()
    rule = next(i for i, line in enumerate(lines) if set(line) == {"-"})
    rows = []
    for line in lines[rule + 1:]:
        if not line.strip():
            break
        rows.append([float(cell.replace(",", "").rstrip("%")) for cell in line.split()])
    return rows


class Simulator(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def good(self, *options):
        result = run(*options, folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        return result.stdout

    def refused(self, *options):
        result = run(*options, folder=self.folder)
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertEqual(result.stdout, "")
        self.assertIn("--help", result.stderr)
        return result.stderr

    def json(self, *options):
        if "--requests" not in options and "--trace" not in options:
            options += ("--requests", "20k")
        self.good("--json", "out.json", *options)
        return json.loads((self.folder / "out.json").read_text())["rows"]

    def test_the_table_says_what_the_json_says(self):
        table = rows_of(self.good("--rate", "2k,8k", "--json", "out.json", "--in-time", "4ms"))
        data = json.loads((self.folder / "out.json").read_text())["rows"]
        self.assertEqual(len(table), 2)
        for cells, row in zip(table, data):
            latency = row["latency_seconds"]
            names = ["mean", "mean_error", "p50", "p95", "p99", "max"]
            self.assertEqual(cells[2:8], [round(latency[name] * 1e3, 2) for name in names])
            self.assertEqual(cells[0], round(row["offered_per_second"]))
            self.assertEqual(cells[8], round(row["fill_items"], 1))
            self.assertEqual(cells[9], round(row["goodput_per_second"]))
            self.assertEqual(cells[11], row["batches"])
            self.assertEqual(cells[12:], [0, 0, 0])
            self.assertLess(row["goodput_per_second"], row["served_per_second"])
            self.assertEqual(row["outcomes"], {"ok": row["requests"]})
            self.assertEqual(row["requests"], 90_000)
            self.assertEqual(sum(row["batches_by_items"]), row["batches"])

    def test_a_load_is_a_share_of_what_full_batches_reach(self):
        rows = self.json("--load", "0.25,0.5", "--batch-time", "5ms", "--item-time", "50us", "--workers", "3",
                         "--max-batch-items", "100")
        for row, load in zip(rows, [0.25, 0.5]):
            self.assertAlmostEqual(row["offered_per_second"] / (load * 30_000), 1, delta=0.03)

    def test_every_option_reaches_the_simulation(self):
        usual = self.json()[0]
        for options in [
            ["--arrivals", "bursts"], ["--arrivals", "diurnal", "--period", "10s"], ["--rate-jump", "5s:3"],
            ["--keys", "3"], ["--workers", "2"], ["--batch-time", "1ms"], ["--item-time", "1us"], ["--noise", "0.3"],
            ["--stall-share", "0.1", "--stall", "9ms"], ["--failure-share", "0.1"], ["--wire", "1ms"],
            ["--cost-jump", "5s:1.1"], ["--max-batch-items", "2"], ["--preferred-batch-items", "2"],
            ["--allowed-batch-items", "2,64"], ["--allowed-batch-items", "2,64", "--size-rounding", "pad"],
            ["--max-delay", "1ms"], ["--when-idle", "immediate"], ["--batch-timeout", "1ms"],
            ["--request-timeout", "3ms"], ["--max-queue-items", "64", "--batch-time", "100ms"],
            ["--worker-credit", "2", "--rate", "20k"], ["--shards", "2", "--workers", "2"], ["--seed", "2"],
            ["--requests", "30k"], ["--warm-up", "0.5"],
        ]:
            self.assertNotEqual(self.json(*options)[0]["latency_seconds"], usual["latency_seconds"], options)

    def test_options_that_need_others_reach_the_simulation(self):
        full = ["--rate", "30k", "--max-queue-items", "200"]
        fails = ["--failure-share", "0.2", "--rate", "5k"]
        for base, options in [
            (full, ["--overload", "drop"]), (full, ["--overload", "wait"]), (full, ["--max-lane-items", "100"]),
            (["--rate", "20k", "--workers", "2"], ["--max-lane-batches", "1"]),
            (fails, ["--attempts", "3"]), (fails, ["--bisect"]), (fails, ["--breaker-failures", "1", "--workers", "2"]),
            (["--shards", "2", "--workers", "2", "--keys", "5"], ["--shard-by", "key"]),
            (["--arrivals", "bursts"], ["--burst-factor", "2"]), (["--arrivals", "bursts"], ["--burst-share", "0.1"]),
            (["--arrivals", "bursts"], ["--burst-length", "1s"]),
            (["--arrivals", "diurnal", "--period", "10s"], ["--amplitude", "0.1"]),
        ]:
            self.assertNotEqual(self.json(*base), self.json(*base, *options), options)

    def test_the_same_command_prints_the_same(self):
        def table(*options):
            return rows_of(self.good("--noise", "0.5", "--failure-share", "0.01", *options))
        self.assertEqual(table(), table())
        self.assertNotEqual(table(), table("--seed", "2"))

    def test_the_picture_is_well_formed_and_has_a_line_for_each_row(self):
        for rates, lines in [("5k", 3), ("2k,5k,9k", 3 * 3 + 4)]:
            self.good("--rate", rates, "--svg", "out.svg")
            root = xml.etree.ElementTree.parse(self.folder / "out.svg").getroot()
            self.assertEqual(root.tag, SVG + "svg")
            drawn = root.findall(f".//{SVG}polyline")
            self.assertEqual(len(drawn), lines)
            width, height = map(float, root.get("viewBox").split()[2:])
            for line in drawn:
                points = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
                self.assertGreater(len(points), 1)
                self.assertTrue(all(0 <= x <= width and 0 <= y <= height for x, y in points))

    def test_a_trace_is_played_as_recorded_or_at_another_rate(self):
        trace = self.folder / "trace.txt"
        trace.write_text("# a comment\n" + "".join(f"{1000 + i / 100}\n" for i in range(1001)))
        recorded = self.json("--trace", "trace.txt")[0]
        self.assertAlmostEqual(recorded["offered_per_second"], 100, delta=0.01)
        self.assertEqual(recorded["requests"], 901)
        faster = self.json("--trace", "trace.txt", "--rate", "400", "--requests", "501")[0]
        self.assertAlmostEqual(faster["offered_per_second"], 400, delta=0.1)
        self.assertEqual(faster["requests"], 451)

    def test_an_overload_is_pointed_out(self):
        self.assertIn("Above a load of 100%", self.good("--load", "1.5"))
        self.assertNotIn("Above a load of 100%", self.good("--load", "0.5"))

    def test_mistakes_are_refused_with_what_to_do(self):
        (self.folder / "bad.txt").write_text("1\n3\n2\n")
        (self.folder / "flat.txt").write_text("1\n1\n")
        for options, hint in [
            (["--max-delay", "5"], "write 5ms"),
            (["--rate", "many"], "is no number"),
            (["--rate", "0"], "brings no request"),
            (["--rate", "1k", "--load", "0.5"], "excludes"),
            (["--load", "0.9:0.1:0.1"], "FROM:TO:STEP"),
            (["--requests", "1.5"], "whole"),
            (["--requests", "0"], "1 or more"),
            (["--when-idle", "maybe"], "immediate"),
            (["--shards", "2"], "shards is 2, but must be"),
            (["--workers", "2", "--shards", "2", "--shard-by", "key"], "as many keys"),
            (["--max-queue-items", "10"], "max_queue_items is 10, but must be"),
            (["--batch-time", "0", "--item-time", "0"], "must take some time"),
            (["--arrivals", "bursts", "--burst-factor", "9"], "from 1 to 1 / their share"),
            (["--trace", "none.txt"], "cannot read none.txt"),
            (["--trace", "bad.txt"], "line 3"),
            (["--trace", "flat.txt", "--rate", "5"], "comes at once"),
            (["--rate-jump", "5:2"], "has no unit"),
            (["--json", "no/such/folder.json"], "cannot write"),
            (["--speed", "3"], "not expected"),
        ]:
            self.assertIn(hint, self.refused(*options), options)

    def test_help_explains_it(self):
        text = self.good("--help")
        for word in ["--rate", "--trace", "--batch-time", "--when-idle", "--svg", "goodput", "Exit code"]:
            self.assertIn(word, text)

    def test_a_file_that_cannot_be_written_is_an_error(self):
        result = run("--json", "/dev/full", folder=self.folder)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot write /dev/full", result.stderr)


if __name__ == "__main__":
    SIMULATOR = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
