# SPDX-License-Identifier: BSD-3-Clause
"""The README says what is there: its program is the one that is compiled and run, its tables name
every option, metric and error, and its links lead somewhere.

usage: readme_test.py <root of the checkout>
"""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(sys.argv.pop())
README = (ROOT / "README.md").read_text()


def table_after(heading):
    """The first column of the table below a heading, without its code marks."""
    section = README.split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


class Readme(unittest.TestCase):
    def test_its_program_is_the_quickstart(self):
        shown = README.split("<!-- quickstart:begin -->\n```cpp\n", 1)[1].split("\n```\n", 1)[0]
        source = (ROOT / "examples/quickstart.cpp").read_text()
        self.assertEqual(shown, source[source.index("#include") :].rstrip())
        self.assertLess(len(source.splitlines()), 40)

    def test_its_table_names_every_option(self):
        header = (ROOT / "libbatcher/include/batcher/options.hpp").read_text()
        body = header.split("struct options {", 1)[1].split("\n};", 1)[0]
        options = re.findall(r"^  [\w:<>, ]+ (\w+) = ", body, re.MULTILINE)
        self.assertGreater(len(options), 5)
        self.assertEqual(table_after("Options"), options)

    def test_its_table_names_every_metric(self):
        header = (ROOT / "monitoring/include/batcher/monitoring/metric_names.hpp").read_text()
        metrics = set(re.findall(r'"(batcher_\w+)"', header))
        self.assertGreater(len(metrics), 5)
        named = {name.split("{")[0] for name in table_after("Metrics")}
        self.assertEqual(named, metrics)

    def test_its_table_names_every_error(self):
        header = (ROOT / "libbatcher/include/batcher/errc.hpp").read_text()
        codes = set(re.findall(r"^  (\w+) = [1-9]\d*,", header, re.MULTILINE))
        self.assertGreater(len(codes), 5)
        named = set(re.findall(r"^\| `errc::(\w+)` \|", README, re.MULTILINE))
        self.assertEqual(named, codes)

    def test_its_links_lead_somewhere(self):
        prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
        links = re.findall(r"\]\(([^)#]+)\)", prose)
        inside = [link for link in links if "://" not in link]
        self.assertGreater(len(inside), 5)
        for link in inside:
            self.assertTrue((ROOT / link).exists(), link)


if __name__ == "__main__":
    unittest.main()
