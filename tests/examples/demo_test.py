#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the demo as a user would: demo_test.py DEMO

Checks what it writes, serves and says, and how it ends: the figures add up, the report is one
well-formed file that needs nothing else, /metrics answers while it runs, Ctrl-C ends it, mistakes
in the options are refused. How fast the machine is, and so the ratio, is not checked: the steps are
too short for that, and tests run beside each other.

Every process that it starts is ended by its id.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
import xml.etree.ElementTree

import running

DEMO = None  # set by main
PATIENCE_SECONDS = 100
INTERRUPTED = 128 + signal.SIGINT
SVG = "{http://www.w3.org/1999/xhtml}svg"


def run(*options, folder):
    return subprocess.run(
        [DEMO, *options], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def started(*options, **how):
    return running.Running(DEMO, *options, **how)


class WholeRun(unittest.TestCase):
    """One run with the shortest steps, looked at from all sides."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.folder.name)
        cls.ended = run("--seconds", "0.2", "--port", "0", "--json", "out.json",
                        "--html", "out.html", folder=folder)
        cls.figures = json.loads((folder / "out.json").read_text())
        cls.page = (folder / "out.html").read_text()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def steps(self):
        for side in ("unbatched", "batched"):
            for step in self.figures[side]["steps"]:
                yield side, step

    def test_every_reply_comes_and_is_right(self):
        self.assertEqual(self.ended.returncode, 0, self.ended.stderr)
        self.assertEqual(self.figures["replies_wrong"], 0)
        self.assertEqual(self.figures["replies_missing"], 0)

    def test_both_sides_have_rising_steps_with_load(self):
        for side in ("unbatched", "batched"):
            steps = self.figures[side]["steps"]
            self.assertGreaterEqual(len(steps), 7)
            self.assertGreater(steps[-1]["rate"], steps[0]["rate"])
            self.assertEqual([x["rate"] for x in steps], sorted(x["rate"] for x in steps))
            self.assertTrue(all(x["offered"] > 0 for x in steps))

    def test_each_request_ends_in_exactly_one_way(self):
        for side, x in self.steps():
            ends = x["served"] + x["wrong"] + x["refused"] + x["failed"] + x["missing"]
            self.assertEqual(ends, x["offered"], (side, x))

    def test_rates_and_latencies_are_in_order(self):
        for side, x in self.steps():
            self.assertLessEqual(x["served"], x["offered"], side)
            self.assertLessEqual(x["served_per_second"], x["offered_per_second"] * 1.0001, side)
            self.assertLessEqual(x["p50_ms"], x["p95_ms"], side)
            self.assertLessEqual(x["p95_ms"], x["p99_ms"], side)

    def test_arrivals_are_those_of_a_poisson_process_at_the_rate(self):
        def assert_poisson(offered, mean):  # whose standard deviation is the root of the mean
            self.assertLess(abs(offered - mean), 5 * mean**0.5)

        for side in ("unbatched", "batched"):
            # A rate that is tried again has the same arrivals.
            steps = {x["rate"]: x["offered"] for x in self.figures[side]["steps"]}
            for rate, offered in steps.items():
                assert_poisson(offered, rate * 0.2)
            assert_poisson(sum(steps.values()), sum(steps) * 0.2)

    def test_only_the_batched_side_batches(self):
        for side, x in self.steps():
            if side == "unbatched":
                self.assertEqual(x["mean_batch_items"], 1)
            elif x["served"]:
                self.assertGreater(x["mean_batch_items"], 1)
                self.assertLessEqual(x["mean_batch_items"], self.figures["max_batch_items"])

    def test_good_means_what_it_says(self):
        for side, x in self.steps():
            in_full = x["served"] == x["offered"]
            in_time = x["served_per_second"] >= 0.98 * x["offered_per_second"] and x["p95_ms"] < 50
            self.assertEqual(x["good"], in_full and in_time, (side, x))

    def test_the_sustained_rate_is_that_of_a_good_step_above_which_one_failed(self):
        for side in ("unbatched", "batched"):
            sustained = self.figures[side]["sustained_per_second"]
            steps = self.figures[side]["steps"]
            if sustained:
                counted = [x for x in steps if x["good"] and x["served_per_second"] == sustained]
                self.assertEqual(len(counted), 1)
                below = {x["rate"] for x in steps if x["rate"] <= counted[0]["rate"]}
                self.assertEqual(below & {x["rate"] for x in steps if x["good"]}, below)
            else:
                self.assertFalse(steps[0]["good"])

    def test_the_ratio_is_the_ratio(self):
        before, after = (
            self.figures[side]["sustained_per_second"] for side in ("unbatched", "batched"))
        self.assertAlmostEqual(self.figures["ratio"], after / before if before else 0)

    def test_the_report_is_well_formed_and_has_its_charts(self):
        root = xml.etree.ElementTree.fromstring(self.page)
        charts = list(root.iter(SVG))
        self.assertEqual(len(charts), 3)
        for chart in charts:
            points = list(chart.iter(SVG.replace("svg", "circle")))
            self.assertEqual(len(points), len(list(self.steps())))
            lines = list(chart.iter(SVG.replace("svg", "polyline")))
            # Of a rate that was tried again, the line goes through the last try only.
            self.assertEqual([len(line.get("points").split()) for line in lines],
                             [len({x["rate"] for x in self.figures[side]["steps"]})
                              for side in ("unbatched", "batched")])
        names = ("cx", "cy", "x1", "y1")
        places = [x.get(name) for x in root.iter() for name in names if x.get(name)]
        self.assertTrue(all(0 <= float(x) <= 700 for x in places), "a point lies outside its chart")

    def test_the_report_names_the_model_and_the_machine(self):
        text = "".join(xml.etree.ElementTree.fromstring(self.page).itertext())
        self.assertIn("TorchScript", text)
        self.assertIn(f"{self.figures['workers']} core", self.figures["machine"])
        self.assertIn(self.figures["machine"], text)

    def test_the_report_needs_nothing_else(self):
        without_names = self.page.replace('xmlns="http://www.w3.org/1999/xhtml"', "")
        for foreign in ("http", "//", "src=", "href=", "<script", "@import", "url("):
            self.assertNotIn(foreign, without_names)

    def test_plain_output_has_a_line_per_step_and_no_control_characters(self):
        lines = re.findall(r"^(?:un)?batched +\d+ +\d+ +[\d.]+ ", self.ended.stdout, re.MULTILINE)
        self.assertEqual(len(lines), len(list(self.steps())))
        self.assertNotRegex(self.ended.stdout, r"[\r\x1b]")
        self.assertLessEqual(max(map(len, self.ended.stdout.splitlines())), 90)
        self.assertIn("report: out.html", self.ended.stdout)


class Endings(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def files(self):
        return os.listdir(self.folder.name)

    def test_ctrl_c_in_the_middle_of_a_step_ends_it_at_once(self):
        with started("--seconds", "60", "--port", "0", "--json", "x",
                     folder=self.folder.name) as demo:
            url = demo.read_until(r"metrics: (\S+)\n")[1]
            demo.read_until("p99")
            self.assertIn("# TYPE", urllib.request.urlopen(url, timeout=10).read().decode())
            code, seconds = demo.end()
            self.assertEqual(code, INTERRUPTED, demo.text)
            self.assertLess(seconds, 10)
            self.assertIn("interrupted", demo.text)
            self.assertEqual(self.files(), [])

    def test_ctrl_c_under_the_load_of_both_sides_ends_it_at_once(self):
        for side in ("unbatched", "batched"):
            with started("--seconds", "0.2", "--port", "0", folder=self.folder.name) as demo:
                demo.read_until(rf"(?m)^{side} +\d+ ")
                code, seconds = demo.end()
                self.assertEqual(code, INTERRUPTED, demo.text)
                self.assertLess(seconds, 10)

    def test_a_terminal_gets_a_progress_bar(self):
        with started("--seconds", "5", "--port", "0",
                     folder=self.folder.name, terminal=True) as demo:
            demo.read_until(r"\r\x1b\[2K  \[#*\.+\] +\d+ %  unbatched")
            self.assertEqual(demo.end()[0], INTERRUPTED)

    def test_serve_stays_up_with_metrics_until_it_is_told_to_end(self):
        with started("--seconds", "0.2", "--port", "0", "--serve", folder=self.folder.name) as demo:
            url = demo.read_until(r"metrics: (\S+)\n")[1]
            demo.read_until("serving")
            self.assertIn("batcher-demo.html", self.files())
            self.assertGreater(self.requests_at(url), 0)
            before = self.requests_at(url)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while self.requests_at(url) <= before:
                self.assertLess(time.monotonic(), deadline, "no load while serving")
            code, seconds = demo.end(signal.SIGTERM)
            self.assertEqual(code, 0, demo.text)
            self.assertRegex(demo.text,
                             r"served \d+ requests; 0 wrong, 0 refused, 0 failed, 0 missing")
            self.assertLess(seconds, 10)

    def requests_at(self, url):
        text = urllib.request.urlopen(url, timeout=10).read().decode()
        sample = r'^batcher_requests_total\{batcher="diabetes"\} (\S+)'
        return float(re.search(sample, text, re.MULTILINE)[1])

    def test_a_port_in_use_is_replaced_by_a_free_one(self):
        with started("--seconds", "60", "--port", "0", folder=self.folder.name) as first:
            port = first.read_until(r"metrics: http://127\.0\.0\.1:(\d+)/")[1]
            with started("--seconds", "60", "--port", port, folder=self.folder.name) as second:
                second.read_until(rf"port {port} is not free")
                url = second.read_until(r"metrics: (\S+)\n")[1]
                self.assertNotIn(port, url)
                self.assertIn("# TYPE", urllib.request.urlopen(url, timeout=10).read().decode())
                self.assertEqual(second.end()[0], INTERRUPTED)
            self.assertEqual(first.end()[0], INTERRUPTED)


class Options(unittest.TestCase):
    def test_mistakes_are_named_and_end_with_2(self):
        for options, named in (
            (["--seconds", "0.1"], "--seconds"),
            (["--seconds", "soon"], "--seconds"),
            (["--seconds", "nan"], "--seconds"),
            (["--port", "70000"], "--port"),
            (["--json", "no/such/folder/x"], "no/such/folder/x"),
            (["--html", "/"], "--html"),
            (["--nonsense"], "--nonsense"),
            (["surprise"], "surprise"),
        ):
            with self.subTest(options=options), tempfile.TemporaryDirectory() as folder:
                ended = run(*options, folder=folder)
                self.assertEqual(ended.returncode, 2, ended)
                self.assertIn(named, ended.stderr)

    def test_help_names_every_option_and_the_exit_codes(self):
        with tempfile.TemporaryDirectory() as folder:
            ended = run("--help", folder=folder)
            self.assertEqual(os.listdir(folder), [])
        self.assertEqual(ended.returncode, 0)
        for text in ("--seconds", "--json", "--html", "--port", "--serve", "Exit code"):
            self.assertIn(text, ended.stdout)


if __name__ == "__main__":
    DEMO = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=2)
