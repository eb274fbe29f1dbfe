#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""10,000 strangers at the plain port of a batcher that serves: cluster_strangers_test.py CLUSTER [SEED]

Each says something that is no message: random bytes, HTTP, a TLS greeting, headers of CAF's protocol
(BASP) that are cut off or lie, or the batcher's own greeting with some bits turned. The batcher must
end each of these connections, lose nobody else and grow no larger. Prints its resident memory.

Then headers that end the process, or take 4 GiB of its memory, where nobody guards CAF
(actors/src/node/middleman.cpp).
"""

import random
import signal
import socket
import struct
import sys
import time
import unittest

import cluster_test

SEED = 1
STRANGERS = 10_000
WARM_UP = 2_000
# What the rest may add. A leak of one connection's state, 1 KiB or so, would be four times as much.
MOST_GROWTH_KIB = 2_048
PATIENCE = cluster_test.PATIENCE

MOST_ANNOUNCED = 65_536
BASP_HEADER = ">BBBBIQQQ"  # operation, two of padding, flags, payload bytes, data, source, destination
OPERATIONS = 7


def basp_header(draw, payload):
    """One that CAF may take for good: each kind wants some of its fields 0 and others not."""
    def field():
        return draw.choice((0, 0, 1, 2, 3, 4, draw.getrandbits(64)))
    return struct.pack(BASP_HEADER, draw.randrange(OPERATIONS), 0, 0, draw.choice((0, draw.randrange(256))),
                       payload, field(), field(), field())


def with_turned_bits(draw, data):
    data = bytearray(data)
    for _ in range(draw.randint(0, 8)):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    # Not those that announce how much will come: the high bytes stay 0.
    data[4:6] = b"\0\0"
    return bytes(data)


def words_of_a_stranger(draw, greeting):
    """Something that may end anywhere."""
    few = draw.randrange(200)
    kinds = (
        lambda: draw.randbytes(draw.randrange(2_000)),
        lambda: b"\0" * few,
        lambda: b"GET /%d HTTP/1.1\r\nHost: batcher\r\n\r\n" % few,
        lambda: b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % few + draw.randbytes(few),
        lambda: b"\x16\x03\x01\x02\x00\x01" + draw.randbytes(512),
        lambda: basp_header(draw, draw.randrange(MOST_ANNOUNCED))[:draw.randrange(32)],
        lambda: basp_header(draw, few) + draw.randbytes(few),
        lambda: basp_header(draw, draw.randrange(MOST_ANNOUNCED)) + draw.randbytes(few),
        lambda: basp_header(draw, 0) + basp_header(draw, few) + draw.randbytes(few),
        lambda: with_turned_bits(draw, greeting),
        lambda: with_turned_bits(draw, greeting) + basp_header(draw, few) + draw.randbytes(few),
    )
    return draw.choice(kinds)()


def judges_memory():
    """The address sanitizer keeps what was freed for a while."""
    with open(cluster_test.CLUSTER, "rb") as program:
        return b"__asan_init" not in program.read()


class Strangers(cluster_test.Parts):
    def resident_kib(self):
        with open(f"/proc/{self.batcher.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def say(self, words):
        """Returns what came until the batcher has ended the connection, which it must."""
        heard = b""
        with socket.create_connection(("127.0.0.1", int(self.port)), timeout=PATIENCE) as stranger:
            try:
                stranger.sendall(words)
                stranger.shutdown(socket.SHUT_WR)
                while piece := stranger.recv(65_536):
                    heard += piece
            except (ConnectionResetError, BrokenPipeError):
                pass  # an end as good as any
            except OSError as why:
                if why.errno != 107:  # ENOTCONN: reset before our shutdown
                    raise
        return heard

    def test_headers_that_would_end_the_process_are_refused(self):
        self.start_batcher()
        self.say(b"")
        before = self.resident_kib()
        for operation in range(OPERATIONS):
            for payload in (0, 2**32 - 1):
                for data, source, destination in ((0, 0, 0), (3, 0, 0), (0, 0, 1), (3, 1, 1), (0, 1, 0)):
                    self.say(struct.pack(BASP_HEADER, operation, 0, 0, 0, payload, data, source, destination))
        if judges_memory():
            self.assertLess(self.resident_kib() - before, MOST_GROWTH_KIB)
        self.assertEqual(self.batcher.end(signal.SIGTERM)[0], 0, self.batcher.text)

    def test_strangers_disturb_nobody_and_leave_nothing(self):
        draw = random.Random(SEED)
        self.start_batcher()
        worker = self.start_worker("alpha")
        self.expect_all_right(self.start_client("--requests", "2000"), 2000)
        greeting = self.say(b"")
        self.assertGreater(len(greeting), 32)
        begin = time.monotonic()
        for _ in range(WARM_UP):
            self.say(words_of_a_stranger(draw, greeting))
        warm = self.resident_kib()
        for _ in range(STRANGERS - WARM_UP):
            self.say(words_of_a_stranger(draw, greeting))
        seconds = time.monotonic() - begin
        grown = self.resident_kib() - warm
        print(f"seed {SEED}: {STRANGERS} strangers in {seconds:.1f} s; resident {warm} KiB after "
              f"{WARM_UP}, {grown:+d} KiB after the others", flush=True)
        if judges_memory():
            self.assertLess(grown, MOST_GROWTH_KIB)
        # The worker that was here before is the one that answers.
        self.expect_all_right(self.start_client("--requests", "2000"), 2000)
        self.assertNotIn("lost", self.batcher.text + worker.text)
        self.assertEqual(worker.end(signal.SIGTERM)[0], 0, worker.text)
        self.assertEqual(self.batcher.end(signal.SIGTERM)[0], 0, self.batcher.text)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        SEED = int(sys.argv.pop())
    cluster_test.CLUSTER = sys.argv.pop()
    unittest.main(verbosity=2)
