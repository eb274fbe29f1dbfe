#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Speaks HTTP with the real model server, on loopback and a free port.

model_server_test.py <model_server>
"""

import contextlib
import csv
import http.client
import json
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time
import unittest

from server_under_test import PATIENCE, Connection, Server, as_request
from torchscript_network import Network

SERVER = ""
MODEL = pathlib.Path(__file__).resolve().parents[2] / "examples" / "model"
MANY = 2_000  # connections at once
ENDPOINTS = ("/predict", "/optimized_predict")


def load_rows():
    with open(MODEL / "diabetes.csv", newline="", encoding="ascii") as file:
        return [[float(x) for x in line] for line in list(csv.reader(file))[1:]]


ROWS = load_rows()


def raise_file_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class ServerTest(unittest.TestCase):
    def start(self, *options, **more):
        server = Server(SERVER, *options, **more)
        self.addCleanup(server.close)
        return server

    def connect(self, server):
        connection = Connection(server)
        self.addCleanup(connection.close)
        return connection

    def assert_near(self, value, wanted):
        self.assertLess(abs(value - wanted), 1e-4 * abs(wanted))


class AnswersTest(ServerTest):
    """What one running server answers; nothing here changes it for the next test."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(SERVER, "--max-body-bytes", "65536")
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.connection = self.connect(self.server)

    def test_both_endpoints_answer_every_row_with_the_same_number(self):
        answers = []
        for path in ENDPOINTS:
            lines = [self.connect(self.server) for _ in range(8)]
            for i, row in enumerate(ROWS):
                lines[i % 8].send(as_request(path, row))
            answers.append([lines[i % 8].read().json() for i in range(len(ROWS))])
        for unbatched, batched in zip(*answers):
            self.assert_near(batched, unbatched)
        self.assertGreater(len(set(answers[0])), len(ROWS) // 2)

    def test_the_answers_are_those_of_the_model(self):
        network = Network(MODEL / "diabetes.pt")
        for row in ROWS[::40]:
            for path in ENDPOINTS:
                self.assert_near(self.connection.ask(path, row).json(), network.predict(row))

    def test_integers_and_white_space_are_json_too(self):
        spaced = b" [ 0,\n0, 0 ,0,0,\t0,0,0,0,1e-1 ]\r\n"
        self.assert_near(self.connection.ask("/predict", spaced).json(),
                         self.connection.ask("/predict", [0] * 9 + [0.1]).json())

    def test_a_body_that_is_no_row_gets_400_that_says_what_to_send(self):
        good = ["0.5"] * 10
        bodies = ["", " ", "{", "[", "[1,2", "7", "null", "true", '"text"', "{}", "[]", "nonsense",
                  json.dumps({"row": [0] * 10}), "[" * 60_000, "[[" + ",".join(good) + "]]",
                  "[" + ",".join(good) + "] x", "[" + ",".join(good) + ",]"]
        bodies += [f"[{','.join(good[:n])}]" for n in (1, 9)] + [f"[{','.join(good)},1]"]
        odd = ["NaN", "nan", "Infinity", "-Infinity", "inf", "1e39", "-1e39", "1e400", "-1e999",
               '"1"', "null", "true", "[1]", "{}", "+1", "01", ".5", "1.", "0x10", "1e", "--1", "",
               "1 2"]
        bodies += [f"[{','.join([*good[:9], number])}]" for number in odd]
        for path in ENDPOINTS:
            for body in [*(text.encode() for text in bodies), b"\xff\xfe", b'["\xff"]', b"\x00"]:
                with self.subTest(path=path, body=body[:80]):
                    answer = self.connection.ask(path, body)
                    self.assertEqual(answer.status, 400)
                    self.assertIn("10 finite numbers", answer.error())
        self.assertEqual(self.connection.ask("/predict", ROWS[0]).status, 200)

    def test_a_body_up_to_the_limit_is_read_and_a_longer_one_gets_413(self):
        body = json.dumps(ROWS[0]).encode()
        self.assertEqual(self.connection.ask("/predict", body.ljust(65_536)).status, 200)
        for length in (65_537, 10_000_000):
            for path in (*ENDPOINTS, "/nowhere"):
                with self.subTest(length=length, path=path):
                    connection = self.connect(self.server)
                    answer = connection.ask(path, body.ljust(length))
                    self.assertEqual(answer.status, 413)
                    self.assertIn("65536 bytes", answer.error())
                    self.assertTrue(connection.is_closed())

    def test_a_client_that_asks_first_gets_413_before_it_sends_the_body(self):
        self.connection.send(b"POST /predict HTTP/1.1\r\nHost: test\r\n"
                             b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(self.connection.read().status, 413)
        self.assertTrue(self.connection.is_closed())

    def test_bodies_in_chunks_have_the_same_limit(self):
        head = b"POST /predict HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = json.dumps(ROWS[0]).encode()
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        self.connection.send(head + chunks + b"0\r\n\r\n")
        answer = self.connection.read()
        self.assert_near(answer.json(), self.connection.ask("/predict", ROWS[0]).json())
        self.connection.send(head + b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        for _ in range(100):
            self.connection.send(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        self.connection.send(b"0\r\n\r\n")
        self.assertEqual(self.connection.read().status, 413)

    def test_an_unknown_path_gets_404_that_names_the_known_ones(self):
        for path in ("/", "/predict/", "/Predict", "/optimized_predict2", "/metricsx"):
            answer = self.connection.ask(path, ROWS[0])
            self.assertEqual(answer.status, 404)
            self.assertIn("POST /optimized_predict", answer.error())

    def test_a_wrong_method_gets_405_with_the_right_one(self):
        for path, right in {"/predict": "POST", "/optimized_predict": "POST", "/healthz": "GET",
                            "/metrics": "GET"}.items():
            for method in {"GET", "POST", "PUT", "DELETE", "HEAD"} - {right}:
                with self.subTest(method=method, path=path):
                    answer = self.connection.ask(path, b"", method)
                    self.assertEqual((answer.status, answer.headers["Allow"]), (405, right))
                    self.assertEqual(answer.body == b"", method == "HEAD")

    def test_health_is_ok_also_with_a_query(self):
        for path in ("/healthz", "/healthz?from=balancer"):
            answer = self.connection.ask(path, b"", "GET")
            self.assertEqual((answer.status, answer.body), (200, b"ok"))

    def test_a_connection_is_kept_alive_unless_the_client_wants_otherwise(self):
        for i in range(20):
            self.assertEqual(self.connection.ask(ENDPOINTS[i % 2], ROWS[i]).status, 200)
        self.connection.send(b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        self.assertEqual(self.connection.read().status, 200)
        self.assertTrue(self.connection.is_closed())

    def test_pipelined_requests_are_answered_in_their_order(self):
        alone = [self.connection.ask("/predict", row).json() for row in ROWS[:50]]
        mixed = [as_request(ENDPOINTS[i % 2], row) for i, row in enumerate(ROWS[:50])]
        self.connection.send(b"".join(mixed))
        for wanted in alone:
            self.assert_near(self.connection.read().json(), wanted)

    def test_metrics_count_what_each_endpoint_answered(self):
        for path in ENDPOINTS:
            name = path[1:]
            before = self.server.metric("batcher_replies_total", batcher=name, outcome="ok")
            self.connection.ask(path, ROWS[0])
            after = self.server.metric("batcher_replies_total", batcher=name, outcome="ok")
            self.assertEqual(after, before + 1)

    def test_a_client_that_goes_away_hurts_nobody(self):
        for _ in range(50):
            gone = Connection(self.server)
            gone.send(as_request("/predict", ROWS[0]) + b"POST /predict HTTP/1.1\r\nContent-Le")
            gone.close()
        self.assertEqual(self.connection.ask("/predict", ROWS[0]).status, 200)


class LimitsTest(ServerTest):
    def test_requests_beyond_the_queue_get_503_with_retry_after_and_the_others_their_answer(self):
        server = self.start("--max-queue-items", "1", "--max-batch-items", "1")
        wanted = self.connect(server).ask("/predict", ROWS[0]).json()
        for path in ENDPOINTS:
            lines = [self.connect(server) for _ in range(20)]
            for line in lines:
                line.send(as_request(path, ROWS[0]) * 16)
            answers = [line.read() for line in lines for _ in range(16)]
            served = [x for x in answers if x.status == 200]
            refused = [x for x in answers if x.status == 503]
            self.assertEqual(len(served) + len(refused), len(answers))
            self.assertGreater(len(served), 0)
            self.assertGreater(len(refused), 0)
            for answer in served:
                self.assert_near(answer.json(), wanted)
            for answer in refused:
                self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
                self.assertIn("retry after", answer.error())

    def test_more_connections_than_files_are_turned_away_and_the_server_goes_on(self):
        server = self.start(files=(128, 128))
        with contextlib.ExitStack() as crowd:
            for _ in range(200):
                crowd.enter_context(contextlib.closing(Connection(server)))
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                with contextlib.closing(Connection(server)) as connection:
                    self.assertEqual(connection.ask("/predict", ROWS[0]).status, 200)
                break
            except (OSError, http.client.HTTPException):  # it has not yet seen all the others go
                self.assertLess(time.monotonic(), give_up)


class EndTest(ServerTest):
    def test_thousands_of_open_requests_need_few_threads_and_are_answered_at_the_end(self):
        server = self.start("--when-idle", "fill", "--max-delay-us", "600000000",
                            "--max-batch-items", "5000")
        alone = self.connect(server).ask("/predict", ROWS[0]).json()
        lines = [self.connect(server) for _ in range(MANY)]
        for line in lines:
            line.send(as_request("/optimized_predict", ROWS[0]))
        server.wait_for_metric(MANY, "batcher_queue_items", batcher="optimized_predict")
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
        self.assertLess(int(re.search(r"^Threads:\s+(\d+)", status, re.MULTILINE)[1]), 24)
        server.terminate()
        for line in lines:
            self.assert_near(line.read().json(), alone)
        self.assertEqual(server.wait(), (0, ""))

    def fill_queue(self, server, connections):
        lines = [self.connect(server) for _ in range(connections)]
        for i, line in enumerate(lines):
            line.send(as_request("/predict", ROWS[i % len(ROWS)]) * 16)
        return lines

    def test_while_it_ends_health_is_503_for_old_and_new_connections(self):
        server = self.start("--max-queue-items", "20000")
        health = self.connect(server)
        self.assertEqual(health.ask("/healthz", b"", "GET").status, 200)
        lines = self.fill_queue(server, 500)
        server.terminate()
        give_up = time.monotonic() + PATIENCE
        while (answer := health.ask("/healthz", b"", "GET")).status == 200:
            self.assertLess(time.monotonic(), give_up)
        for answer in (answer, self.connect(server).ask("/healthz", b"", "GET")):
            self.assertEqual((answer.status, answer.headers["Connection"]), (503, "close"))
            self.assertIn("ending", answer.error())
        for line in lines:
            self.assertIn(line.read().status, (200, 503))
        self.assertEqual(server.wait(), (0, ""))
        with self.assertRaises(ConnectionRefusedError):
            Connection(server)

    def test_pipelined_requests_that_came_in_before_the_end_all_get_their_numbers(self):
        server = self.start("--when-idle", "fill", "--max-delay-us", "600000000",
                            "--max-batch-items", "5000")
        lines = [self.connect(server) for _ in range(4)]
        for line in lines:
            line.send(b"".join(as_request("/optimized_predict", row) for row in ROWS[:16]))
        server.wait_for_metric(64, "batcher_queue_items", batcher="optimized_predict")
        server.terminate()
        network = Network(MODEL / "diabetes.pt")
        wanted = [network.predict(row) for row in ROWS[:16]]
        for line in lines:
            for value in wanted:
                self.assert_near(line.read().json(), value)
        self.assertEqual(server.wait(), (0, ""))

    def test_what_is_open_at_the_end_of_the_drain_gets_503(self):
        server = self.start("--drain-timeout", "0", "--max-queue-items", "20000")
        lines = [self.connect(server) for _ in range(MANY)]
        for line in lines:
            line.send(as_request("/predict", ROWS[0]))
        server.terminate()
        answers = [line.read() for line in lines]
        self.assertEqual({x.status for x in answers} - {200, 503}, set())
        self.assertIn(503, {x.status for x in answers})
        self.assertEqual(server.wait()[0], 0)

    def test_either_signal_ends_an_idle_server_at_once_however_early_it_comes(self):
        for number in (signal.SIGINT, signal.SIGTERM) * 4:
            server = self.start()
            server.process.send_signal(number)
            begin = time.monotonic()
            self.assertEqual(server.wait(), (0, ""))
            self.assertLess(time.monotonic() - begin, 5)

class CommandLineTest(ServerTest):
    def run_server(self, *options):
        done = subprocess.run([SERVER, *options], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        return done.returncode, done.stderr

    def test_a_bad_value_ends_it_with_2_and_names_the_option(self):
        for option, value in {"--port": "70000", "--bind": "nowhere", "--threads": "0",
                              "--workers": "many", "--when-idle": "maybe",
                              "--model": "/no/such/file", "--drain-timeout": "-1",
                              "--max-body-bytes": "0", "--max-delay-us": "soon"}.items():
            with self.subTest(option):
                code, errors = self.run_server(option, value)
                self.assertEqual(code, 2)
                self.assertIn(option, errors)

    def test_every_problem_of_the_batching_is_named(self):
        code, errors = self.run_server("--workers", "0", "--max-batch-items", "0",
                                       "--max-queue-items", "0")
        self.assertEqual(code, 2)
        for name in ("workers", "max_batch_items", "max_queue_items"):
            self.assertIn(name, errors)

    def test_a_port_in_use_ends_it_with_1_and_says_so(self):
        other = self.start()
        code, errors = self.run_server("--port", str(other.port))
        self.assertEqual(code, 1)
        self.assertIn(f"port {other.port}", errors)
        self.assertIn("in use", errors)

    def test_a_file_that_is_no_model_ends_it_with_1_and_is_named(self):
        code, errors = self.run_server("--port", "0", "--model", str(MODEL / "diabetes.csv"))
        self.assertEqual(code, 1)
        self.assertIn("diabetes.csv", errors)

    def test_help_names_the_endpoints(self):
        done = subprocess.run([SERVER, "--help"], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 0)
        self.assertIn("/optimized_predict", done.stdout)


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    raise_file_limit()
    unittest.main(verbosity=2)
