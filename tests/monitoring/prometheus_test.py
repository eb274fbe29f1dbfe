#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A real Prometheus scrapes a real endpoint: prometheus_test.py SCRAPE_TARGET MONITORING_DIR

Starts SCRAPE_TARGET (scrape_target.cpp) and a Prometheus server, both on the loopback address and on free ports, and
checks that Prometheus stores what the program says of itself, that every query of the dashboard and of the alert rules
finds something to work on, and that promtool finds no fault with the text, the configuration and the rules.

It needs `prometheus` and `promtool` on PATH, and stores nothing outside a temporary folder. Every process that it
starts is ended by its id, whatever happens.
"""

import contextlib
import json
import math
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_SECONDS = 60
SCRAPE_TARGET = MONITORING = None  # set by main

CONFIG = """
global:
  scrape_interval: 1s
  evaluation_interval: 1s
scrape_configs:
  - job_name: batcher
    static_configs:
      - targets: ["{address}"]
"""


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def end(process):
    """Ends a process of ours by its id, the hard way if it does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def scrape_target():
    """Runs the program; yields its URL and what a scrape must find, as {query: value}."""
    with subprocess.Popen([SCRAPE_TARGET], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            expected = {}
            for line in iter(process.stdout.readline, ""):
                if line == "\n":
                    break
                query, value = line.split("\t")
                expected[query] = float(value)
            if not url or not expected:
                raise AssertionError(f"{SCRAPE_TARGET} did not say where it listens and what it did")
            yield url, expected
            process.stdin.close()
            status = process.wait(timeout=30)
            if status != 0:
                raise AssertionError(f"{SCRAPE_TARGET} ended with {status}")
        finally:
            end(process)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Prometheus:
    """A server that scrapes one address; a context manager."""

    def __init__(self, address):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="batcher_prometheus_"))
        (self.folder / "prometheus.yml").write_text(CONFIG.format(address=address), encoding="utf-8")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process = None

    def __enter__(self):
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self.folder}/prometheus.yml",
                    f"--storage.tsdb.path={self.folder}/data",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_):
        end(self.process)
        shutil.rmtree(self.folder)

    def query(self, expression):
        """The result of an instant query: a list of (labels, value)."""
        url = f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            answer = json.loads(fetch(url))
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is still starting
                raise
            raise AssertionError(f"{expression}: {error.read().decode()}") from error
        return [(row["metric"], float(row["value"][1])) for row in answer["data"]["result"]]

    def wait_for(self, expression):
        """Polls until the query finds something; fails with the server's log when patience ends."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                if self.query(expression):
                    return
            time.sleep(0.1)
        log = (self.folder / "log").read_text(encoding="utf-8")
        raise AssertionError(
            f"no answer to {expression!r} within {PATIENCE_SECONDS} s "
            f"(prometheus: exit status {self.process.poll()}, log:\n{log})"
        )


def dashboard_queries():
    """Every query of the dashboard, its variables filled in as Grafana would."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [
        query.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$batcher", ".*") for query in found
    ]


def values_of(key, tree):
    """Every value that stands under that key, at any depth."""
    if isinstance(tree, dict):
        if key in tree:
            yield tree[key]
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from values_of(key, branch)


def alert_operands():
    """Every selector of a metric in the alert rules, with the range that follows it."""
    rules = (MONITORING / "alerts.yml").read_text(encoding="utf-8")
    return set(re.findall(r"\bbatcher_\w+(?:\{[^}]*\})?(?:\[\w+\])?", rules))


def promtool(*arguments, text=None):
    """Runs promtool and returns (exit status, everything it said)."""
    done = subprocess.run(
        ["promtool", *map(str, arguments)],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


class AScrape(unittest.TestCase):
    """What a running Prometheus makes of a running endpoint."""

    url = expected = prometheus = None  # set by main

    def test_every_value_is_the_one_that_the_program_tells(self):
        for query, value in self.expected.items():
            with self.subTest(query):
                rows = self.prometheus.query(query)
                self.assertEqual(len(rows), 1)
                self.assertTrue(math.isclose(rows[0][1], value, rel_tol=1e-12), f"{rows[0][1]}, not {value}")

    def test_no_batcher_series_is_there_besides_those(self):
        names = {labels["batcher"] for labels, _ in self.prometheus.query('{__name__=~"batcher_.*"}')}
        self.assertEqual(names, {"busy", "idle"})

    def test_every_query_of_the_dashboard_finds_something(self):
        queries = dashboard_queries()
        self.assertGreater(len(queries), 10)
        for query in queries:
            with self.subTest(query):
                self.assertTrue(self.prometheus.query(query))

    def test_everything_the_alert_rules_look_at_is_there(self):
        operands = alert_operands()
        self.assertGreater(len(operands), 5)
        for operand in operands:
            with self.subTest(operand):
                self.assertTrue(self.prometheus.query(f"last_over_time({operand})" if "[" in operand else operand))

    def test_promtool_has_nothing_to_say_about_the_text(self):
        self.assertEqual(promtool("check", "metrics", text=fetch(self.url)), (0, ""))


class OurFiles(unittest.TestCase):
    """What promtool and Grafana would say to the files that users take."""

    def test_promtool_accepts_the_configuration_and_the_rules(self):
        for what, name in (("config", "prometheus.yml"), ("rules", "alerts.yml")):
            status, said = promtool("check", what, MONITORING / name)
            self.assertEqual(status, 0, said)

    def test_every_alert_waits_before_it_fires(self):
        rules = (MONITORING / "alerts.yml").read_text(encoding="utf-8").split("- alert:")[1:]
        self.assertGreater(len(rules), 3)
        for rule in rules:
            self.assertRegex(rule, r"\n +for: \d+m\n")

    def test_alerts_fire_when_they_should_and_not_before(self):
        status, said = promtool("test", "rules", pathlib.Path(__file__).with_name("alerts_test.yml"))
        self.assertEqual(status, 0, said)

    def test_the_dashboard_leaves_the_choice_of_the_data_source(self):
        dashboard = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
        kinds = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
        self.assertEqual(kinds["datasource"], "datasource")
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        sources = list(values_of("datasource", dashboard))
        self.assertGreater(len(sources), 2 * len(ids))
        for source in sources:
            self.assertEqual(source, {"type": "prometheus", "uid": "${datasource}"})


def main(arguments):
    global SCRAPE_TARGET, MONITORING
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    for tool in ("prometheus", "promtool"):
        if not shutil.which(tool):
            print(f"prometheus_test.py: no {tool} on PATH; Debian's package prometheus has it", file=sys.stderr)
            return 1
    SCRAPE_TARGET, MONITORING = arguments[0], pathlib.Path(arguments[1])
    # Asked to end, it unwinds like any failure does, so that no process is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        AScrape.url, AScrape.expected = stack.enter_context(scrape_target())
        AScrape.prometheus = stack.enter_context(Prometheus(urllib.parse.urlsplit(AScrape.url).netloc))
        # Rates need two scrapes.
        AScrape.prometheus.wait_for('count_over_time(up{job="batcher"}[1m]) >= 2 and up == 1')
        result = unittest.main(argv=[sys.argv[0], "-v"], exit=False).result
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
