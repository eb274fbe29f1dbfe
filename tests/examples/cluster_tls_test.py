#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a cluster encrypted, on loopback: cluster_tls_test.py CLUSTER EXAMPLES CAF_VERSION

First through a pair of stunnels with the files that a user would take, then with the TLS of CAF
itself. In both, who has no certificate, or one of another authority, must hear nothing but a refusal,
and the cluster must serve on.
"""

import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

import cluster_test
import running

EXAMPLES = None  # these two are set by main
HAS_BUSY_HANDSHAKES = None
PATIENCE = cluster_test.PATIENCE


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Encrypted(cluster_test.Parts):
    """A batcher that is reached at `self.door` by who has a certificate of the authority."""

    def setUp(self):
        super().setUp()
        self.make_certificates(self.folder, "batcher", "worker")
        self.make_certificates(self.folder / "strange", "stranger")

    def make_certificates(self, folder, *names):
        made = subprocess.run([EXAMPLES / "make-certificates", folder, *names],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(made.returncode, 0, made.stderr)

    def identity(self, name, folder=None):
        folder = folder or self.folder
        return ("-cert", folder / f"{name}.pem", "-key", folder / f"{name}.key")

    def knock(self, *identity, version):
        """Opens the door with openssl, which waits for what comes until the other side ends it.
        Returns what has come, and what openssl says of it."""
        knocked = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.door}", version,
             "-CAfile", self.folder / "ca.pem", "-verify_return_error", "-quiet", *identity],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        return knocked.stdout, knocked.stderr.decode()

    def expect_refusals_of_strangers(self):
        # That of TLS 1.3 comes when the stranger believes to be connected.
        for version in ("-tls1_2", "-tls1_3"):
            for identity, alert in (
                ((), "alert (certificate required|handshake failure)"),
                (self.identity("stranger", self.folder / "strange"), "alert unknown ca"),
            ):
                with self.subTest(version=version, alert=alert):
                    heard, said = self.knock(*identity, version=version)
                    self.assertRegex(said, alert)
                    self.assertEqual(heard, b"")

    def expect_to_hear_the_batcher(self):
        """A friend hears CAF's greeting: what strangers miss is there to be heard."""
        friend = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.door}", "-quiet",
             *self.identity("worker")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            self.assertGreater(len(friend.stdout.read(32)), 0)
        finally:
            friend.kill()
            friend.communicate()

    def expect_to_serve(self, requests=3000):
        client = self.start_client("--requests", str(requests), "--outstanding", "500")
        self.expect_all_right(client, requests)

    def expect_a_cluster_that_heeds_no_stranger(self):
        worker = self.start_worker("alpha")
        self.expect_to_serve()
        self.expect_to_hear_the_batcher()
        self.expect_refusals_of_strangers()
        self.expect_to_serve()
        self.assertNotIn("lost", worker.text)
        self.assertEqual(worker.end(signal.SIGTERM)[0], 0, worker.text)
        self.batcher.read_until("alpha: left\n")
        self.assertEqual(self.batcher.end(signal.SIGTERM)[0], 0, self.batcher.text)


class Certificates(Encrypted):
    def test_what_is_in_use_stays_when_there_is_no_key_to_sign(self):
        def files():
            return {x.name: x.read_bytes() for x in self.folder.iterdir() if x.is_file()}

        (self.folder / "ca.key").unlink()
        before = files()
        made = subprocess.run([EXAMPLES / "make-certificates", self.folder, "batcher"],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(made.returncode, 1, made.stderr)
        self.assertIn("ca.key", made.stderr)
        self.assertEqual(files(), before)


class Stunnel(Encrypted):
    def start_stunnel(self, name, *, connect, changes=()):
        """Starts stunnel with one of the example's files. Returns the port that it has chosen."""
        text = (EXAMPLES / f"stunnel-{name}.conf").read_text()
        for pattern, value in (
            ("(?m)^accept = .*$", "accept = 127.0.0.1:0"),
            ("(?m)^connect = .*$", f"connect = 127.0.0.1:{connect}"),
            ("/etc/batcher", str(self.folder)),
            *changes,
        ):
            text, found = re.subn(pattern, value, text)
            self.assertGreater(found, 0, pattern)
        file = self.folder / f"stunnel-{name}-{time.monotonic_ns()}.conf"
        file.write_text("debug = info\n" + text)
        tunnel = running.Running("stunnel", file, patience=PATIENCE)
        self.addCleanup(tunnel.close)
        return tunnel, tunnel.read_until(r"bound to 127\.0\.0\.1:(\d+)\n")[1]

    def start_cluster(self, *options):
        self.start_batcher(*options)
        self.tunnel, self.door = self.start_stunnel("batcher", connect=self.port)
        _, self.port = self.start_stunnel("worker", connect=self.door)

    def test_a_cluster_serves_through_a_pair_and_strangers_are_refused(self):
        self.start_cluster()
        self.expect_a_cluster_that_heeds_no_stranger()

    def test_a_killed_worker_is_noticed_through_a_pair(self):
        self.start_cluster("--retry", "idempotent")
        alpha = self.start_worker("alpha", "--batch-time", "20ms")
        self.start_worker("beta", "--batch-time", "20ms")
        client = self.start_client(*cluster_test.BUSY)
        self.wait_for_answers(200)
        alpha.process.kill()
        self.batcher.read_until("alpha: lost, worker_lost")
        self.expect_all_right(client, 6000)

    def test_a_worker_with_a_certificate_of_another_authority_stays_outside(self):
        self.start_cluster()
        _, port = self.start_stunnel("worker", connect=self.door, changes=(
            ("(?m)^cert = .*$", f"cert = {self.folder}/strange/stranger.pem"),
            ("(?m)^key = .*$", f"key = {self.folder}/strange/stranger.key")))
        stranger = self.start("worker", "--port", port, "--max-attempts", "2", "--retry-delay", "10ms")
        self.assertEqual(stranger.wait(), 1, stranger.text)
        self.assertIn("given_up", stranger.text)
        self.tunnel.read_until("certificate verify failed|CERT: Pre-verification error")
        self.assertNotIn("connected", self.batcher.text)

    def test_a_worker_cannot_pass_for_the_batcher(self):
        self.start_batcher()
        _, door = self.start_stunnel("batcher", connect=self.port, changes=(
            (r"batcher\.(pem|key)", r"worker.\1"),))
        tunnel, port = self.start_stunnel("worker", connect=door)
        ended = cluster_test.run("worker", "--port", port, "--max-attempts", "1")
        self.assertEqual(ended.returncode, 1, ended)
        tunnel.read_until("Rejected by CERT at depth=0: CN=worker")


class Caf(Encrypted):
    def tls(self, name, folder=None):
        folder = folder or self.folder
        busy = ("--tls-allow-busy-handshakes",) if HAS_BUSY_HANDSHAKES else ()
        return ("--tls-certificate", folder / f"{name}.pem", "--tls-key", folder / f"{name}.key",
                "--tls-ca", self.folder / "ca.pem", *busy)

    def start_batcher(self, *options):
        super().start_batcher(*self.tls("batcher"), *options)
        self.door = self.port

    def start_worker(self, name, *options):
        return super().start_worker(name, *self.tls("worker"), *options)

    def start_client(self, *options):
        return super().start_client(*self.tls("worker"), *options)

    def test_a_cluster_serves_and_strangers_are_refused(self):
        self.start_batcher()
        self.expect_a_cluster_that_heeds_no_stranger()

    def test_nodes_without_tls_or_of_another_authority_stay_outside(self):
        self.start_batcher()
        stranger = self.tls("stranger", self.folder / "strange")
        for options in ((), stranger):
            with self.subTest(options=options):
                ended = cluster_test.run("worker", "--port", self.port, "--max-attempts", "2",
                                         "--retry-delay", "10ms", *options)
                self.assertEqual(ended.returncode, 1, ended)
                self.assertIn("given_up", ended.stdout)
        self.start_worker("alpha")
        self.expect_to_serve(100)
        self.batcher.read_until("client-.*: connected")
        self.assertEqual(self.batcher.text.count(": connected"), 2, self.batcher.text)

    def test_the_files_may_stand_in_the_file_of_options(self):
        lines = [f'{option.removeprefix("--")} = "{value}"'
                 for option, value in zip(self.tls("batcher")[0:6:2], self.tls("batcher")[1:6:2])]
        if HAS_BUSY_HANDSHAKES:
            lines.append("tls-allow-busy-handshakes = true")
        (self.folder / "cluster.toml").write_text("\n".join(["[batcher]", *lines]))
        cluster_test.Parts.start_batcher(self, "--config", "cluster.toml")
        self.start_worker("alpha")

    def test_a_stranger_who_says_nothing_costs_no_time(self):
        if HAS_BUSY_HANDSHAKES:
            self.skipTest("this CAF polls while it waits: what its flag is named for")
        self.start_batcher()
        self.start_worker("alpha")
        with socket.create_connection(("127.0.0.1", self.port)):
            self.expect_to_serve(100)
            before = processor_seconds(self.batcher.process)
            time.sleep(1)
            self.assertLess(processor_seconds(self.batcher.process) - before, 0.3)

    def test_an_address_that_others_reach_needs_no_flag_where_tls_keeps_strangers_out(self):
        options = ("batcher", "--port", "0", "--bind", "0.0.0.0", *self.tls("batcher"))
        if HAS_BUSY_HANDSHAKES:
            ended = cluster_test.run(*options)
            self.assertEqual(ended.returncode, 2, ended)
            self.assertIn("allow_untrusted_network", ended.stderr)
            options += ("--allow-untrusted-network",)
        batcher = self.start(*options)
        batcher.read_until(r"listening on 0\.0\.0\.0")
        self.assertEqual("warning" in batcher.text, HAS_BUSY_HANDSHAKES, batcher.text)
        self.assertEqual(batcher.end(signal.SIGTERM)[0], 0, batcher.text)

    def test_files_that_will_not_do_are_named(self):
        certificate, key, ca = self.tls("batcher")[1:6:2]
        (self.folder / "nonsense.pem").write_text("nonsense")
        for options, named in (
            (("--tls-certificate", certificate), ("key is empty", "ca_file is empty")),
            (("--tls-key", "none.key"), ("certificate is empty", "key is none.key", "no such file")),
            (("--tls-certificate", certificate, "--tls-key", self.folder / "worker.key"),
             ("worker.key", "key values mismatch")),
            (("--tls-ca", "nonsense.pem"), ("ca_file is nonsense.pem",)),
        ):
            for part in ("batcher", "worker", "client"):
                with self.subTest(options=options, part=part):
                    ended = cluster_test.run(part, *options, folder=self.folder)
                    self.assertEqual(ended.returncode, 2, ended)
                    for text in named:
                        self.assertIn(text, ended.stderr.lower())
        if HAS_BUSY_HANDSHAKES:
            ended = cluster_test.run("batcher", *self.tls("batcher")[:-1])
            self.assertEqual(ended.returncode, 2, ended)
            self.assertIn("allow_busy_handshakes", ended.stderr)


if __name__ == "__main__":
    HAS_BUSY_HANDSHAKES = sys.argv.pop().startswith("0.17")
    EXAMPLES = pathlib.Path(sys.argv.pop()).resolve()
    cluster_test.CLUSTER = str(pathlib.Path(sys.argv.pop()).resolve())
    unittest.main(verbosity=2)
