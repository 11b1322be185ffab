"""The command as tests call it."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time

from django.core.management import call_command


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(*arguments, **options) -> str:
    """Call the command and return what it writes to stdout."""
    out = io.StringIO()
    call_command("oauth_accounts", *arguments, stdout=out, **options)
    return out.getvalue()


class Child:
    """The command in a process of its own, whose output can be watched as it comes."""

    def __init__(self, environment, folder, *arguments):
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "django", "oauth_accounts", *arguments],
                env=environment,
                stdout=out,
                stderr=err,
            )

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.process.kill()
        self.process.wait()

    def says(self, words, *, on="out"):
        """Wait until the words are in what it wrote."""
        stream = getattr(self, on)
        wait_until(lambda: words in stream.read_text(), self.complaints)

    def complaints(self):
        return f"{self.out.read_text()}\n{self.err.read_text()}"

    def end(self, number=signal.SIGTERM):
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        return self.process.wait(timeout=30)


def wait_until(true, words=lambda: "", *, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, words()
        time.sleep(0.02)
