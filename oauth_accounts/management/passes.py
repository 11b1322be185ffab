"""One pass over everything that is due: tokens, revocations, notices, what is over."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from django.core.management import CommandError

from oauth_accounts import bulk, connect, notices, outbox, sweep
from oauth_accounts.management.progress import Progress
from oauth_accounts.management.stopping import StopSignals
from oauth_accounts.models import (
    Provider,
    purge_bulk_actions,
    purge_events,
    purge_notices,
    purge_unread_answers,
)

# Revocations, mails and what administrators ordered may wait, tokens may not: where a pass
# is bounded, no longer than this for each.
OTHERS_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What one pass is asked to do."""

    provider: str | None = None
    """Slug of the only one to refresh at."""

    workers: int | None = None
    """Refreshes at a time; None for what the settings say."""

    limit: int | None = None
    """Accounts at most."""

    max_seconds: float | None = None
    """Claim no account after that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What one pass did."""

    swept: sweep.Result
    revoked: int
    told: notices.Result
    more: bool
    """Time was up; something may be left."""

    def __bool__(self) -> bool:
        return bool(self.swept.done or self.revoked or self.told.done)

    def __str__(self) -> str:
        told = self.told
        words = f" {told.sent} notices sent, {told.failed} failed." if told.done else ""
        return (
            f"{self.swept.refreshed} refreshed, {self.swept.failed} failed, "
            f"{self.swept.skipped} skipped, {self.revoked} revocations tried.{words}"
        )


def run_pass(work: Work, stream: Any, stop: StopSignals) -> Done:
    """
    Do what is due now.

    stream: for progress bars. Raises CommandError for an unknown provider, and Stopped.
    """
    require_provider(work.provider)
    limit, provider = work.limit, work.provider
    started = time.monotonic()
    with stop.held():
        more_ordered = bulk.run_all(OTHERS_SECONDS)
    stop.check()

    def count_due() -> int:
        due = sweep.count_due(provider)
        return min(due, limit or due)

    with Progress(stream, "Refreshing", count=count_due) as bar:

        def show(done: int) -> None:
            bar.show(done)
            # Here, and not wherever the signal finds it: the sweep ends in good order.
            stop.check()

        with stop.held():
            swept = sweep.run(
                limit=limit,
                provider=provider,
                concurrency=work.workers,
                max_seconds=work.max_seconds,
                progress=show,
            )
    stop.check()
    seconds = math.inf if work.max_seconds is None else work.max_seconds
    more = time.monotonic() - started >= seconds
    if not math.isinf(seconds):
        seconds = min(seconds, OTHERS_SECONDS)
    revoked, in_time = _revoke(seconds, stream, stop)
    told = _tell(seconds, stream, stop)
    _purge()
    more = more or more_ordered or not in_time or told.more
    return Done(swept=swept, revoked=revoked, told=told, more=more)


def _purge() -> None:
    connect.purge_attempts()
    purge_unread_answers()
    purge_notices()
    purge_bulk_actions()
    purge_events()


def _revoke(seconds: float, stream: Any, stop: StopSignals) -> tuple[int, bool]:
    deadline = time.monotonic() + seconds
    done = 0
    with Progress(stream, "Revoking", count=outbox.count_due) as bar:
        while time.monotonic() < deadline:
            # An answer that is not noted is asked for once more, and the row is leased
            # for a minute: better to wait for it.
            with stop.held():
                if not outbox.deliver_due(limit=1):
                    return done, True
            done += 1
            bar.show(done)
    return done, False


def _tell(seconds: float, stream: Any, stop: StopSignals) -> notices.Result:
    with Progress(stream, "Sending notices", count=notices.count_due) as bar:

        def show(done: int) -> None:
            bar.show(done)
            stop.check()

        # One that is not noted is sent once more: better to wait for it.
        with stop.held():
            return notices.deliver_due(max_seconds=seconds, progress=show)


def require_provider(slug: str | None) -> None:
    """Raise CommandError when there is no provider of that slug."""
    if slug is None or Provider.objects.filter(slug=slug).exists():
        return
    known = ", ".join(Provider.objects.values_list("slug", flat=True)) or "none"
    raise CommandError(f"There is no provider {slug!r}. Known are: {known}.")
