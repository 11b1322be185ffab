"""Child processes that a run starts, talks to in lines of JSON, and always ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# How long a child may take to come up, and to end when asked (seconds).
PATIENCE = 30


class ChildFailed(Exception):
    """A child ended or said nothing sensible; its log says why."""


class Child:
    """
    One Python process in a group of its own, so that Ctrl-C reaches the parent only.

    arguments: those of the interpreter. environment: added to this process's own.
    """

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.log = tempfile.NamedTemporaryFile("w+", prefix="oauth-bench-")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def read_line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ChildFailed(self.said())
        return line.strip()

    def start(self, command: Any) -> None:
        """Send a command; its answer is read later, with `finish`."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def finish(self) -> Any:
        """Return the answer to the command that was sent."""
        return json.loads(self.read_line())

    def ask(self, command: Any) -> Any:
        """Send a command and return its answer."""
        self.start(command)
        return self.finish()

    def said(self) -> str:
        """Return the end of its log."""
        return Path(self.log.name).read_text(errors="replace")[-3000:]

    def wait_until_said(self, text: str) -> None:
        """Wait for words in its log; raises ChildFailed when they do not come."""
        deadline = time.monotonic() + PATIENCE
        while text not in Path(self.log.name).read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ChildFailed(self.said())
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end and kill what remains of its group."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()
        self.log.close()


class Stub(Child):
    """The token endpoint, in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        super().__init__("-m", "benchmarks.stub", *arguments)
        self.port = int(self.read_line())
        self.url = f"http://127.0.0.1:{self.port}"
        self.connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def stats(self) -> dict[str, Any]:
        """Return what it has seen so far."""
        self.connection.request("GET", "/stats")
        answer: dict[str, Any] = json.loads(self.connection.getresponse().read())
        return answer

    def stop(self) -> None:
        self.connection.close()
        super().stop()


@contextmanager
def running() -> Iterator[ExitStack]:
    """Give a stack; `enter(stack, child)` adds a child that is stopped at its end."""
    with ExitStack() as stack:
        yield stack


def enter(stack: ExitStack, child: Any) -> Any:
    """Let the stack stop the child when it unwinds."""
    stack.callback(child.stop)
    return child


def serve(commands: dict[str, Any]) -> None:
    """
    Answer a parent's commands until it closes the pipe.

    commands: name to function; a command is a list of the name and keyword arguments.
    """
    # What a library prints must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(commands[name](**arguments)), file=answers, flush=True)
