# SPDX-License-Identifier: BSD-3-Clause
"""What scripts/bench says of its figures: which bars hold, which are missed, and how rounds become one figure."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))

import report  # noqa: E402


def figure(median, least=None, most=None, rounds=5):
    return {"median": median, "min": least or median, "max": most or median, "rounds": rounds}


class Report(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def file(self, name, figures):
        path = self.folder / name
        path.write_text(json.dumps(figures))
        return path

    def said(self, call, *arguments):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            call(*arguments)
        return out.getvalue()

    def merged(self, figures, policy="stealing"):
        return self.said(report.merge, self.folder / "all.json", [self.file("one.json", figures)], policy)

    def test_a_bar_that_holds_is_said_and_one_that_is_missed_is_counted(self):
        self.assertIn("median >= 5: yes", self.merged({"bulk64_over_echo": figure(5.5)}))
        text = self.merged({"bulk64_over_echo": figure(4.9), "lone_over_echo": figure(2.1)})
        self.assertIn("median >= 5: MISSED", text)
        self.assertIn("median <= 2: MISSED", text)
        self.assertIn("2 bars missed", text)

    def test_a_single_round_below_one_is_a_miss_of_its_own(self):
        text = self.merged({"single_over_echo_4": figure(1.3, least=0.9)})
        self.assertIn("median >= 1.25: yes; min >= 1: MISSED", text)
        self.assertIn("1 bar missed", text)

    def test_another_scheduler_has_a_bar_of_its_own(self):
        self.assertIn("0 bars missed", self.merged({"single_over_echo_1": figure(1.1, least=0.9)}, "sharing"))

    def test_ratios_are_shown_and_other_figures_only_kept(self):
        text = self.merged({"echo_1": figure(2e6), "shards_2_over_1": figure(1.1)})
        self.assertIn("shards_2_over_1", text)
        self.assertNotIn("echo_1", text)
        self.assertEqual(json.loads((self.folder / "all.json").read_text())["echo_1"]["median"], 2e6)

    def test_a_figure_that_two_programs_measure_is_refused(self):
        twice = [self.file("one.json", {"x": figure(1)}), self.file("two.json", {"x": figure(2)})]
        with self.assertRaisesRegex(ValueError, "a figure x already"):
            report.merge(self.folder / "all.json", twice, "stealing")

    def test_rounds_of_two_builds_become_one_figure_each(self):
        sides = {
            "old": [self.file(f"old{i}.json", {"x": figure(value)}) for i, value in enumerate((1, 3, 2))],
            "new": [self.file("new.json", {"x": figure(20)})],
        }
        text = self.said(report.compare, self.folder / "both.json", sides)
        self.assertIn("2.00 (1.00 to 3.00)", text)
        both = json.loads((self.folder / "both.json").read_text())
        self.assertEqual(both["old"]["x"], {"median": 2, "min": 1, "max": 3, "rounds": 3})

    def test_sides_are_told_apart_by_a_double_dash(self):
        self.assertEqual(report.parse_sides(["a", "1", "2", "--", "b", "3"]), {"a": ["1", "2"], "b": ["3"]})


if __name__ == "__main__":
    unittest.main()
