"""SIGINT and SIGTERM: the first one asks to come to an end, the second one is the end."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from django.core.management.base import BaseCommand

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# What a shell says of a process that was ended by signal N.
STOPPED_EXIT_CODE = 128


class Stopped(KeyboardInterrupt):
    """
    A signal asked to stop.

    No mere SystemExit: a query that is interrupted by a KeyboardInterrupt is the only one
    after which every psycopg leaves its connection usable, to store what is under way.
    """

    def __init__(self, number: int) -> None:
        self.number = signal.Signals(number)
        super().__init__(self.number.name)


class StopSignals:
    """
    Raises Stopped where the main thread is when the first signal comes.

    The second one has its usual effect, which is to end the process at once. A signal that
    is ignored (nohup, a job in the background) stays so. Outside the main thread there are
    no signals, and nothing happens.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._is_held = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                before = signal.getsignal(number)
                if before not in {signal.SIG_IGN, None}:
                    self._before[number] = before
                    signal.signal(number, self._receive)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _receive(self, number: int, frame: object) -> None:
        # Now already, so that the second one works while the main thread is in a library.
        for other in self._before:
            signal.signal(other, signal.SIG_DFL)
        self.received = number
        if not self._is_held:
            raise Stopped(number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let a piece of work come to its end before the signal takes effect."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        self.check()

    def check(self) -> None:
        """Raise Stopped when a signal has come, also one that got lost in a library."""
        if self.received is not None:
            raise Stopped(self.received)


@contextmanager
def stoppable(command: BaseCommand) -> Iterator[StopSignals]:
    """Give the signals to work that one may end; then the process exits as a shell's would."""
    with StopSignals() as stop:
        try:
            yield stop
        except Stopped as stopped:
            command.stderr.write(f"Stopped by {stopped}.")
            sys.exit(STOPPED_EXIT_CODE + stopped.number)
