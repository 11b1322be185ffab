"""Passes without end, for machines without Celery and cron."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import NoReturn

from django.core.management.base import BaseCommand
from django.db import Error, InterfaceError, OperationalError, close_old_connections

from oauth_accounts import clock
from oauth_accounts.management.passes import Done, Work, run_pass
from oauth_accounts.management.stopping import StopSignals
from oauth_accounts.models import Provider, RefreshStatistic

INTERVAL_SECONDS = 60.0
# A margin that is shorter than the interval is met twice; but no more often than that.
MIN_INTERVAL_SECONDS = 1.0
# For the refreshes of one pass, so that revocations have their turn.
MAX_SECONDS = 50.0
BACKOFF_SECONDS = 60.0


class Loop:
    """
    Sweeps, delivers and purges for ever.

    command: to write to. work: of one pass. interval: seconds from pass to pass; None for
    a minute, or less where a refresh margin asks for it. verbosity: as Django counts it.
    """

    def __init__(
        self,
        command: BaseCommand,
        work: Work,
        *,
        interval: float | None,
        verbosity: int,
        stop: StopSignals,
    ) -> None:
        self.command = command
        self.work = replace(work, max_seconds=work.max_seconds or MAX_SECONDS)
        self.interval = interval
        self.verbosity = verbosity
        self.stop = stop
        self.failures = 0

    def run(self) -> NoReturn:
        """Go on until Stopped is raised; a database that is away is waited for."""
        while True:
            started = time.monotonic()
            try:
                pause = self._pass()
            except Error as error:
                pause = self._back_off(error)
            # An idle connection is nobody's, and a broken one is replaced.
            close_old_connections()
            self.stop.check()
            time.sleep(max(0.0, started + pause - time.monotonic()))

    def _pass(self) -> float:
        """Do one pass and return the seconds from its beginning to that of the next."""
        done = run_pass(self.work, self.command.stderr, self.stop)
        interval = self.interval or _interval()
        if self.failures:
            self._complain("The database answers again.")
        self.failures = 0
        self._report(done)
        return 0.0 if done.more else interval

    def _report(self, done: Done) -> None:
        if self.verbosity >= 2 or (self.verbosity and done):
            self.command.stdout.write(str(done))
            # A pipe is a buffer, and who watches it wants to see this now.
            self.command.stdout.flush()
        if done.swept.failed:
            self._complain(f"{done.swept.failed} refreshes failed. {_failures()}")

    def _back_off(self, error: Error) -> float:
        self.failures += 1
        longest = min(BACKOFF_SECONDS, 2.0**self.failures)
        # It spreads retries; nobody gains from guessing it.
        pause = longest * random.uniform(0.5, 1)  # noqa: S311  # nosec B311
        self._complain(
            f"The database failed: {_words(error)}. Next try in {pause:.0f} s."
        )
        return pause

    def _complain(self, line: str) -> None:
        self.command.stderr.write(line)
        self.command.stderr.flush()


def _words(error: Error) -> str:
    """Name the error; what the server says of itself too, but nothing that holds values."""
    if isinstance(error, OperationalError | InterfaceError):
        return f"{type(error).__name__}, {str(error).strip().partition(chr(10))[0]}"
    return type(error).__name__


def _interval() -> float:
    providers = Provider.objects.enabled().only("refresh_margin")
    margins = [margin for provider in providers if (margin := provider.margin())]
    shortest = min(margins, default=INTERVAL_SECONDS * 2)
    return max(MIN_INTERVAL_SECONDS, min(INTERVAL_SECONDS, shortest / 2))


def _failures() -> str:
    """Say which providers refused this hour, and which are left alone for now."""
    hour = clock.utcnow().replace(minute=0, second=0, microsecond=0)
    counted = RefreshStatistic.objects.filter(hour__gte=hour).exclude(result="success")
    rows = counted.order_by("provider__slug", "reason")
    reasons = ", ".join(
        f"{slug} {reason} {count}"
        for slug, reason, count in rows.values_list("provider__slug", "reason", "count")
    )
    paused = ", ".join(
        f"{provider.slug} ({provider.pause_reason}, until {provider.paused_until:%H:%M} UTC)"
        for provider in Provider.objects.enabled()
        if provider.is_paused()
    )
    words = f"In this hour: {reasons}." if reasons else ""
    return f"{words} Paused: {paused}." if paused else words
