# SPDX-License-Identifier: BSD-3-Clause
"""A program in the background whose output a test reads while it runs."""

import os
import pty
import re
import select
import signal
import subprocess
import time

PATIENCE = 100  # seconds until something that should happen is given up


class Running:
    """Its output goes to a pipe or to a pseudo terminal. It is ended by its id, at the latest by `close`."""

    def __init__(self, *command, folder=None, terminal=False, patience=PATIENCE):
        ours, theirs = pty.openpty() if terminal else os.pipe()
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=theirs, stderr=subprocess.STDOUT)
        os.close(theirs)
        self.output = ours
        self.text = ""
        self.patience = patience

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.output)

    def read(self):
        """Adds what comes next to the text; False at the end."""
        if not select.select([self.output], [], [], self.patience)[0]:
            raise AssertionError(f"says nothing more:\n{self.text}")
        try:
            piece = os.read(self.output, 65536)
        except OSError:  # how a pseudo terminal says that the other side is gone
            piece = b""
        self.text += piece.decode(errors="replace")
        return bool(piece)

    def read_until(self, pattern):
        while not (found := re.search(pattern, self.text)):
            if not self.read():
                raise AssertionError(f"ended without {pattern!r}:\n{self.text}")
        return found

    def wait(self):
        """Reads all that comes; returns the exit code."""
        while self.read():
            pass
        return self.process.wait(self.patience)

    def end(self, number=signal.SIGINT):
        """Sends the signal; returns exit code and the seconds that the end took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        return self.wait(), time.monotonic() - begin
