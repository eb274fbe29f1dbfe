#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a cluster as a user would, on loopback and ports that the system chooses: cluster_test.py CLUSTER

Checks what becomes of a client's requests while workers die, leave and come, how each part ends, and
that mistakes are refused. How fast the machine is does not matter: what should happen next is waited
for, by what the parts say and by the batcher's metrics.

Every process that it starts is ended by its id.
"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import running

CLUSTER = None  # set by main
PATIENCE = 25  # seconds until something that should happen is given up


def run(*options, folder=None):
    return subprocess.run(
        [CLUSTER, *options], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)


class Parts(unittest.TestCase):
    """A batcher for each test, and whoever joins it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, *options):
        part = running.Running(CLUSTER, *options, folder=self.folder, patience=PATIENCE)
        self.addCleanup(part.close)
        return part

    def start_batcher(self, *options):
        self.batcher = self.start("batcher", "--port", "0", "--metrics-port", "0", *options)
        self.port = self.batcher.read_until(r"listening on 127\.0\.0\.1:(\d+)\n")[1]
        self.metrics = self.batcher.read_until(r"metrics: (\S+)\n")[1]

    def start_worker(self, name, *options):
        worker = self.start("worker", "--port", self.port, "--name", name, *options)
        worker.read_until("connected")
        return worker

    def start_client(self, *options):
        return self.start("client", "--port", self.port, "--json", "out.json", *options)

    def figures(self):
        return json.loads((self.folder / "out.json").read_text())

    def metric(self, name, *labels):
        text = urllib.request.urlopen(self.metrics, timeout=PATIENCE).read().decode()
        labels = ",".join(('batcher="cluster"', *labels))
        return float(re.search(rf"^{name}\{{{labels}\}} (\S+)$", text, re.MULTILINE)[1])

    def wait_for(self, least, name, *labels):
        give_up = time.monotonic() + PATIENCE
        while (now := self.metric(name, *labels)) < least:
            self.assertLess(time.monotonic(), give_up, f"{name} is {now}, less than {least}")
            time.sleep(0.02)

    def wait_for_answers(self, number):
        self.wait_for(number, "batcher_replies_total", 'outcome="ok"')

    def wait_for_requests(self, number):
        self.wait_for(number, "batcher_requests_total")

    def expect_all_right(self, client, requests):
        self.assertEqual(client.wait(), 0, client.text)
        figures = self.figures()
        self.assertEqual(figures["answered"], requests, client.text)
        self.assertEqual((figures["wrong"], figures["failed"], figures["unanswered"]), (0, 0, 0))
        self.assertEqual(sum(figures["answers_of"].values()), requests)
        return figures


# More than the workers can hold, so that each has work at any time.
BUSY = ("--requests", "6000", "--outstanding", "1000")
SLOW = ("--batch-time", "20ms")


class Workers(Parts):
    def test_a_killed_worker_costs_nobody_an_answer_where_batches_may_run_again(self):
        self.start_batcher("--retry", "idempotent")
        alpha, beta = self.start_worker("alpha", *SLOW), self.start_worker("beta", *SLOW)
        client = self.start_client(*BUSY)
        self.wait_for_answers(200)
        alpha.process.kill()
        self.batcher.read_until("alpha: lost, worker_lost")
        figures = self.expect_all_right(client, 6000)
        self.assertEqual(set(figures["answers_of"]), {"alpha", "beta"})
        self.assertGreater(
            self.metric("batcher_batch_failures_total", 'kind="worker_lost"'), 0)
        self.assertEqual(beta.end(signal.SIGTERM)[0], 0, beta.text)

    def test_a_frozen_worker_is_given_up_and_serves_again_when_it_comes_back(self):
        silence = ("--max-silence", "1s")
        self.start_batcher("--retry", "idempotent", *silence)
        alpha, beta = (self.start_worker(x, *SLOW, *silence) for x in ("alpha", "beta"))
        client = self.start_client(*BUSY, *silence)
        self.wait_for_answers(200)
        beta.process.send_signal(signal.SIGSTOP)
        self.batcher.read_until("beta: lost, worker_lost")
        beta.process.send_signal(signal.SIGCONT)
        self.batcher.read_until("(?s)beta: lost.*beta: connected")
        self.expect_all_right(client, 6000)
        self.assertEqual(beta.end(signal.SIGTERM)[0], 0, beta.text)
        self.assertEqual(self.batcher.end(signal.SIGTERM)[0], 0, self.batcher.text)
        self.assertEqual(alpha.end(signal.SIGTERM)[0], 0, alpha.text)

    def test_a_worker_that_leaves_finishes_what_it_has(self):
        self.start_batcher("--retry", "never")
        alpha, beta = self.start_worker("alpha", *SLOW), self.start_worker("beta", *SLOW)
        client = self.start_client(*BUSY)
        self.wait_for_answers(200)
        self.assertEqual(beta.end(signal.SIGTERM)[0], 0, beta.text)
        self.assertIn("leaving: finishing", beta.text)
        self.batcher.read_until("beta: left\n")
        figures = self.expect_all_right(client, 6000)
        self.assertEqual(set(figures["answers_of"]), {"alpha", "beta"})
        self.assertEqual(alpha.end(signal.SIGTERM)[0], 0, alpha.text)

    def test_requests_wait_for_the_first_worker_and_keys_stay_apart(self):
        self.start_batcher("--max-outage", "20s")
        client = self.start_client("--requests", "40", "--keys", "4", "--request-bytes", "1k")
        self.batcher.read_until("client-")
        self.start_worker("late", "--workers", "2", "--credit", "1")
        self.assertLessEqual(self.expect_all_right(client, 40)["mean_batch_items"], 10)

    def test_a_worker_s_name_may_be_any_bytes(self):
        self.start_batcher()
        self.start_worker(os.fsdecode(b"caf\xe9"))
        client = self.start_client("--requests", "3")
        self.assertEqual(self.expect_all_right(client, 3)["answers_of"], {"caf\ufffd": 3})

    def test_a_rate_is_kept(self):
        self.start_batcher()
        self.start_worker("alpha")
        client = self.start_client("--requests", "100", "--rate", "200")
        self.assertGreaterEqual(self.expect_all_right(client, 100)["seconds"], 99 / 200)

    def test_a_worker_without_a_batcher_gives_up_when_told_to(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = str(probe.getsockname()[1])
        ended = run("worker", "--port", port, "--max-attempts", "2", "--retry-delay", "10ms")
        self.assertEqual(ended.returncode, 1, ended)
        self.assertIn("given_up", ended.stdout)
        self.assertIn(port, ended.stdout)


class Metrics(Parts):
    def of_alpha(self, name, *labels):
        return self.metric(f"batcher_node_{name}", 'node="alpha"', *labels)

    def wait_for_alpha(self, least, name, *labels):
        self.wait_for(least, f"batcher_node_{name}", 'node="alpha"', *labels)

    def test_a_worker_s_series_go_on_when_it_was_killed_and_is_back(self):
        self.start_batcher("--retry", "idempotent")
        alpha = self.start_worker("alpha", "--workers", "2", *SLOW)
        beta = self.start_worker("beta", *SLOW)
        client = self.start_client(*BUSY)
        self.wait_for_alpha(5, "batches_total", 'result="ok"')
        self.assertEqual(self.metric("batcher_nodes", 'role="worker"'), 2)
        self.assertEqual(self.metric("batcher_nodes", 'role="client"'), 1)
        self.wait_for_alpha(1, "workers", 'state="busy"')
        self.assertGreater(self.of_alpha("in_flight_items"), 0)
        alpha.process.kill()
        self.wait_for_alpha(2, "workers", 'state="away"')
        self.assertEqual(self.of_alpha("in_flight_items"), 0)
        self.assertGreater(self.of_alpha("batches_total", 'result="lost"'), 0)
        before = self.of_alpha("batches_total", 'result="ok"')
        self.expect_all_right(client, 6000)
        self.assertGreater(self.metric("batcher_node_retries_total", 'node="beta"'), 0)
        self.assertEqual(self.metric("batcher_node_requests_total"), 6000)

        self.assertEqual(beta.end(signal.SIGTERM)[0], 0, beta.text)
        alpha = self.start_worker("alpha", "--workers", "2", *SLOW)
        self.assertEqual(self.of_alpha("connects_total"), 2)
        self.assertEqual(self.of_alpha("losses_total"), 1)
        self.assertEqual(self.of_alpha("workers", 'state="away"'), 0)
        self.expect_all_right(self.start_client("--requests", "100"), 100)
        self.assertGreater(self.of_alpha("batches_total", 'result="ok"'), before)
        batches = self.of_alpha("execute_seconds_count")
        self.assertEqual(self.of_alpha("wire_seconds_count"), batches)
        self.assertEqual(self.of_alpha("wait_seconds_count"), batches)
        self.assertGreaterEqual(self.of_alpha("execute_seconds_sum"), batches * 0.02)
        self.assertGreater(self.of_alpha("wire_seconds_sum"), 0)

        self.assertEqual(alpha.end(signal.SIGTERM)[0], 0, alpha.text)
        self.batcher.read_until("alpha: left\n")
        self.assertEqual(self.metric("batcher_nodes", 'role="worker"'), 0)
        self.assertEqual(self.of_alpha("workers", 'state="away"'), 0)


class Drain(Parts):
    def test_a_drain_answers_all_that_is_there(self):
        self.start_batcher()
        self.start_worker("alpha", *SLOW)
        client = self.start_client("--requests", "500", "--outstanding", "500")
        self.wait_for_requests(500)
        self.assertEqual(self.batcher.end(signal.SIGTERM)[0], 0, self.batcher.text)
        self.expect_all_right(client, 500)

    def test_a_drain_answers_what_is_there_and_refuses_the_rest(self):
        self.start_batcher()
        self.start_worker("alpha", *SLOW)
        client = self.start_client("--requests", "50000", "--outstanding", "1000")
        self.wait_for_answers(200)
        self.assertEqual(self.batcher.end(signal.SIGTERM)[0], 0, self.batcher.text)
        self.assertIn("no request was left unanswered", self.batcher.text)
        self.assertEqual(client.wait(), 1, client.text)
        figures = self.figures()
        self.assertGreater(figures["answered"], 200)
        self.assertEqual((figures["wrong"], figures["unanswered"]), (0, 0))
        self.assertEqual(figures["answered"] + figures["failed"], 50000)
        self.assertGreater(figures["errors"]["draining"], 0)
        # While it drains, after that, and once it is gone.
        self.assertLessEqual(set(figures["errors"]), {"draining", "shut_down", "batcher_lost"})

    def test_a_second_signal_ends_it_at_once_of_whichever_kind(self):
        self.start_batcher("--drain-timeout", "10min", "--max-outage", "10min")
        self.start_client("--requests", "10")
        self.wait_for_requests(10)
        self.batcher.process.send_signal(signal.SIGINT)
        self.batcher.read_until("draining")
        self.assertEqual(self.batcher.end(signal.SIGTERM)[0], -signal.SIGTERM, self.batcher.text)

    def test_a_client_ends_when_told_although_its_batcher_is_away(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = str(probe.getsockname()[1])
        client = self.start_client("--requests", "5", "--max-outage", "10min")
        client.read_until("failed")
        self.assertEqual(client.end(signal.SIGTERM)[0], 1, client.text)

    def test_what_takes_longer_than_the_drain_may_is_told(self):
        self.start_batcher("--drain-timeout", "10ms", "--max-delay", "0")
        self.start_worker("alpha", "--batch-time", "20s")
        client = self.start_client("--requests", "10")
        client.read_until("connected")
        self.wait_for_requests(10)
        self.assertEqual(self.batcher.end(signal.SIGTERM)[0], 1, self.batcher.text)
        self.assertIn("10 requests were left unanswered", self.batcher.text)
        self.assertEqual(client.wait(), 1, client.text)
        self.assertEqual(self.figures()["errors"], {"shut_down": 10})


class Options(Parts):
    def refused(self, *options):
        ended = run(*options, folder=self.folder)
        self.assertEqual(ended.returncode, 2, ended)
        self.assertEqual(ended.stdout, "")
        self.assertIn("--help", ended.stderr)
        return ended.stderr

    def test_mistakes_are_named_and_end_with_2(self):
        for options, named in (
            ([], "subcommand"),
            (["surprise"], "subcommand"),
            (["batcher", "--port", "70000"], "--port"),
            (["batcher", "--max-delay", "5"], "write 5ms"),
            (["batcher", "--max-batch-items", "0"], "max_batch_items is 0"),
            (["batcher", "--bind", "0.0.0.0"], "allow_untrusted_network"),
            (["batcher", "--retry", "sometimes"], "idempotent|never"),
            (["worker", "--workers", "0"], "workers is 0"),
            (["worker", "--batch-time", "soon"], "--batch-time"),
            (["client", "--outstanding", "0"], "outstanding is 0"),
            (["client", "--keys", "0"], "keys is 0"),
            (["client", "--json", "no/such/folder/x"], "no/such/folder/x"),
            (["batcher", "--config", "none.toml"], "none.toml"),
            (["batcher", "--config", ""], "--config"),
            (["batcher", "--port", ""], "--port"),
            (["batcher", "--metrics-port", ""], "--metrics-port"),
            (["batcher", "--allowed-batch-items", "2.9,64"], "is not whole"),
            (["worker", "--host", ""], "--host"),
            (["worker", "--port", "0"], "port is 0"),
            (["client", "--port", "0"], "port is 0"),
            (["client", "--tls-certificate", "", "--tls-key", "", "--tls-ca", ""], "--tls-"),
        ):
            with self.subTest(options=options):
                self.assertIn(named, self.refused(*options))

    def test_every_problem_is_told_at_once(self):
        text = self.refused("worker", "--workers", "0", "--credit", "0", "--retry-delay", "0")
        for knob in ("workers is 0", "credit is 0", "retry_delay is 0"):
            self.assertIn(knob, text)

    def test_a_file_sets_options_and_the_command_line_counts_more(self):
        (self.folder / "cluster.toml").write_text(
            '[batcher]\nport = 1\nname = "from the file"\n[worker]\nname = "filed"\n')
        batcher = self.start("batcher", "--port", "0", "--config", "cluster.toml",
                             "--max-nodes", "1")
        port = batcher.read_until(r"listening on 127\.0\.0\.1:(\d+)\n")[1]
        self.assertNotEqual(port, "1")
        worker = self.start("--config", "cluster.toml", "worker", "--port", port)
        batcher.read_until("filed: connected")
        ended = run("client", "--port", port, "--requests", "1", "--max-outage", "100ms")
        self.assertEqual(ended.returncode, 1, ended)
        self.assertIn("from the file", ended.stdout)
        self.assertEqual(worker.end(signal.SIGTERM)[0], 0, worker.text)
        self.assertEqual(batcher.end(signal.SIGTERM)[0], 0, batcher.text)

    def test_a_word_that_is_no_option_is_refused_in_a_file_too(self):
        (self.folder / "cluster.toml").write_text("[batcher]\nmax-delaay = 5\n")
        self.assertIn("no such option or section, or not in a file: batcher.max-delaay",
                      self.refused("batcher", "--config", "cluster.toml"))
        (self.folder / "cluster.toml").write_text("[bacher]\nmax-delay = 5\n")
        self.assertIn(": [bacher]", self.refused("batcher", "--config", "cluster.toml"))

    def test_a_port_in_use_is_named_and_ends_with_1(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            for option in (["--port", port], ["--port", "0", "--metrics-port", port]):
                with self.subTest(option=option):
                    ended = run("batcher", *option)
                    self.assertEqual(ended.returncode, 1, ended)
                    self.assertIn(f"127.0.0.1:{port}", ended.stderr)

    def test_help_names_the_options_of_each_part_and_the_exit_codes(self):
        for part, options in (
            ("batcher", ("--port", "--max-delay", "--retry", "--drain-timeout", "--metrics-port")),
            ("worker", ("--host", "--workers", "--credit", "--batch-time", "--max-silence")),
            ("client", ("--host", "--requests", "--outstanding", "--rate", "--json")),
        ):
            ended = run(part, "--help")
            self.assertEqual(ended.returncode, 0)
            for text in (*options, "Exit code"):
                self.assertIn(text, ended.stdout)


if __name__ == "__main__":
    CLUSTER = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=2)
