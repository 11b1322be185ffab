"""Child processes that are started together, watched, and stopped whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Before a process that was asked to end is killed (seconds).
PATIENCE = 20
TAIL_LINES = 20


ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessFailed(Exception):
    """A process ended by itself or did not come up; its log says more."""


@dataclass(kw_only=True)
class Process:
    """One child process with a log file, in a process group of its own."""

    name: str
    """For people."""

    command: Sequence[str]
    """Program and arguments, which hold no secret: any user of a machine can read them."""

    environment: Mapping[str, str] = field(repr=False)
    """All of it; nothing is inherited."""

    folder: Path
    """Working directory."""

    log: Path
    """Where its output goes; it is written anew."""

    child: subprocess.Popen[bytes] | None = field(default=None, init=False)
    """Once it was started."""

    def start(self) -> None:
        with self.log.open("wb") as output:
            self.child = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal reaches the parent only, which ends its children
                # in order; and a worker's own children can be reached as a group.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    def returncode(self) -> int | None:
        """Return the exit code, or None while it runs or before it was started."""
        return self.child.poll() if self.child else None

    def tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:]) or "(it said nothing)"

    def check_alive(self) -> None:
        """Raise ProcessFailed when the process has ended."""
        if (code := self.returncode()) is not None:
            raise ProcessFailed(f"{self.name} ended with {code}")

    def wait(self, timeout: float) -> None:
        """
        Wait for a process that ends by itself.

        timeout: in seconds. Raises ProcessFailed when it fails or takes longer.
        """
        assert self.child is not None
        try:
            code = self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            code = "no end"
        if code:
            raise ProcessFailed(f"{self.name} came to {code}")

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children; no matter if they are gone."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return


def stop(processes: Sequence[Process]) -> None:
    """Ask all of them to end, in the order given, and kill what does not."""
    started = [process for process in processes if process.child]
    running = [process for process in started if process.returncode() is None]
    for process in running:
        # Not the group: a worker that is asked to end waits for its children.
        process.child.terminate()
    deadline = time.monotonic() + PATIENCE
    for process in running:
        try:
            process.child.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.signal_group(signal.SIGKILL)
            process.child.wait()


def heed_signals() -> None:
    """Turn what asks this process to end into KeyboardInterrupt, for `finally` to run."""
    for number in ENDING_SIGNALS:
        signal.signal(number, _interrupt)


def ignore_signals() -> None:
    """Let nothing but a kill end this process."""
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on, all different."""
    probes: list[socket.socket] = []
    try:
        for _ in range(count):
            probes.append(socket.socket())
            probes[-1].bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
