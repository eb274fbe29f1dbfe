# SPDX-License-Identifier: BSD-3-Clause
"""Starts a model server on loopback and a free port, and speaks HTTP with it.

Why no HTTP client of the library: the tests write requests and read answers in any order, and odd
ones too. Every server has few file descriptors at its start, so that each test also shows that it
takes what it may have.
"""

import contextlib
import http.client
import json
import re
import resource
import signal
import socket
import subprocess
import time

PATIENCE = 60  # seconds until something that should happen is given up


def as_request(path, body, method="POST"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        assert self.headers["Content-Type"] == "application/json", self.headers["Content-Type"]
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]


class Connection:
    """A socket on which requests and responses may be written and read in any order."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        self.reader = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def read(self, method="POST"):
        response = http.client.HTTPResponse(self, method=method)
        response.begin()
        return Answer(response)

    def makefile(self, *_):
        return _Unclosed(self.reader)

    def ask(self, path, body, method="POST"):
        self.send(as_request(path, body, method))
        return self.read(method)

    def is_closed(self):
        return self.reader.read(1) == b""

    def close(self):
        self.reader.close()
        self.socket.close()


class _Unclosed:
    """http.client closes its reader after a response, but the next one may be in its buffer."""

    def __init__(self, reader):
        self.reader = reader

    def __getattr__(self, name):
        return getattr(self.reader, name)

    def close(self):
        pass


class Server:
    def __init__(self, program, *options, files=(256, None)):
        """`files`: soft and hard limit of open files; None: as many as the test may have."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = (files[0], files[1] or hard)
        self.process = subprocess.Popen(
            [program, "--port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
        self.url = self.process.stdout.readline().split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """Returns exit code and what was said to standard error."""
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def metric(self, name, **labels):
        with contextlib.closing(Connection(self)) as connection:
            text = connection.ask("/metrics", b"", "GET").body.decode()
        wanted = ",".join(f'{key}="{value}"' for key, value in labels.items())
        return float(re.search(rf"^{name}\{{{wanted}\}} (\S+)$", text, re.MULTILINE)[1])

    def wait_for_metric(self, wanted, name, **labels):
        give_up = time.monotonic() + PATIENCE
        while (now := self.metric(name, **labels)) != wanted:
            assert time.monotonic() < give_up, f"{name} is {now}, not {wanted}"
            time.sleep(0.02)
