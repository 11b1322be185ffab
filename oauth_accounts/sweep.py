"""
Many accounts: refresh what is due, concurrently, fairly and without waiting for a commit.

One thread does everything that touches the database, over one connection; the others only
call providers. Answers are written in groups, soon after they came.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from oauth_accounts import batch, durable, reactions, renew
from oauth_accounts.batch import claim_due, count_due
from oauth_accounts.callers import Callers, Outcome
from oauth_accounts.conf import conf
from oauth_accounts.models import Health
from oauth_accounts.outages import UNHEARD
from oauth_accounts.telling import Telling, attempt
from oauth_accounts.turns import UNHEARD_LIMIT, Result, Turn
from oauth_accounts.writer import Writer

__all__ = ["Result", "claim_due", "count_due", "run"]

# How long to wait at most before looking around again.
IDLE_SECONDS = 0.5
# On top of the deadline of a call, for the last answers to come in.
GRACE_SECONDS = 5.0


def run(
    *,
    limit: int | None = None,
    provider: str | None = None,
    concurrency: int | None = None,
    max_seconds: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """
    Refresh what is due now.

    limit: at most so many accounts. provider: slug, to look at one only. concurrency:
    refreshes at a time; default: OAUTH_ACCOUNTS_CONCURRENCY. max_seconds: begin no call
    after that. progress: called every now and then with the number of accounts done so
    far; may raise to end the sweep.

    Whatever ends it, calls under way are waited for, and their answers stored.
    Raises RefreshInTransaction inside a transaction that a thread cannot work beside.
    """
    if provider is None:
        # Also when nothing is due: it shows that somebody sweeps.
        Health.objects.note_sweep()
    if not batch.providers_due(provider):
        return Result()
    sweep = Sweep(
        slug=provider,
        limit=math.inf if limit is None else limit,
        concurrency=concurrency or conf.OAUTH_ACCOUNTS_CONCURRENCY,
        deadline=math.inf if max_seconds is None else time.monotonic() + max_seconds,
        progress=progress,
    )
    return durable.run(batch.alias(), sweep.run)


class Sweep:
    """One sweep: its turns, the calls under way, and the answers to be written."""

    def __init__(
        self,
        *,
        slug: str | None,
        limit: float,
        concurrency: int,
        deadline: float,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.result = Result()
        self._slug = slug
        self._limit = limit
        self._concurrency = concurrency
        self._deadline = deadline
        self._progress = progress
        self._turns: list[Turn] = []
        # Providers that are not asked again in this sweep.
        self._closed: set[object] = set()
        self._flying: dict[object, Turn] = {}
        # Whether there may be something to call without waiting for anything.
        self._hurries = False
        self._troubles: deque[Outcome] = deque()

    def run(self) -> Result:
        """Refresh until nothing is due, or time is up."""
        self._callers = Callers(self._concurrency)
        self._telling = Telling(batch.alias())
        self._writer = Writer(self.result, self._telling)
        try:
            while self._look_around():
                while self._feed() or self._is_busy():
                    self._take_in(self._patience())
                    self._show()
        finally:
            self._finish()
        return self.result

    def _is_busy(self) -> bool:
        return bool(self._flying or self._writer.unwritten or self._troubles)

    def _look_around(self) -> bool:
        """Begin a turn for each provider with something due; say whether there is one."""
        if time.monotonic() > self._deadline or self._left() <= 0:
            return False
        if self._turns and not any(turn.claimed for turn in self._turns):
            # What is due, if anything, is in other hands.
            return False
        self._limit = self._left()
        self._closed |= {turn.provider.pk for turn in self._turns if turn.closed}
        self._turns = [
            Turn(provider, self._concurrency, self.result)
            for provider in batch.providers_due(self._slug)
            if provider.pk not in self._closed
        ]
        return any(turn.waiting for turn in self._turns)

    def _left(self) -> float:
        return self._limit - sum(turn.claimed for turn in self._turns)

    def _feed(self) -> bool:
        """Begin what calls can be begun; say whether some are left for later."""
        self._hurries = False
        if time.monotonic() > self._deadline:
            return False
        active = [turn for turn in self._turns if turn.has_work]
        if not active:
            return False
        if self._telling.is_behind():
            return any(turn.waiting for turn in active)
        # A provider that is slow keeps its own share busy, and nobody else's.
        share = max(1, self._concurrency // len(active))
        if len(active) > self._concurrency:
            active.sort(key=lambda turn: turn.called_at)
        for turn in active:
            # No more than there are threads: what waits for one may outlive its lease.
            room = self._concurrency - len(self._flying)
            for call in turn.next_calls(min(share, turn.flying + room), self._left()):
                self._flying[call.account.pk] = turn
                self._callers.start(call, len(self._flying))
            if turn.not_before > self._deadline:
                attempt(turn.close)
        self._hurries = any(turn.in_vain for turn in active)
        return any(turn.waiting for turn in active)

    def _patience(self) -> float:
        """Return how long the next answer may be waited for."""
        now = time.monotonic()
        if self._troubles:
            return 0.0
        if self._writer.unwritten:
            return self._writer.seconds_left()
        if self._hurries:
            return 0.0
        until = [turn.not_before for turn in self._turns if turn.waiting]
        # What is over has no more to say: the rest waits for calls to land.
        later = [moment - now for moment in (self._deadline, *until) if moment > now]
        return min([IDLE_SECONDS, *later])

    def _take_in(self, seconds: float) -> None:
        """Take in the answers that have come, and write those that are complete."""
        self._callers.wait(seconds)
        landed = self._callers.landed
        while landed:
            self._sort(landed[0])
            # Only now: an interruption must not lose the only copy of a token.
            landed.popleft()
        if self._writer.is_due(len(self._flying)):
            self._writer.write()
        elif self._troubles:
            # One at a time: what has to be written must not wait behind a row of them.
            self._react(self._troubles.popleft())
        self._telling.count()

    def _sort(self, outcome: Outcome) -> None:
        # Noted for its write before anything else, for the same reason.
        if outcome.values is None:
            if not self._troubles or self._troubles[-1] is not outcome:
                self._troubles.append(outcome)
        else:
            self._writer.add(outcome)
        turn = self._flying.pop(outcome.call.account.pk, None)
        if turn is not None:
            turn.learn(outcome)

    def _react(self, outcome: Outcome) -> None:
        call = outcome.call
        work = partial(renew.settle, call.account, call.claim, outcome.reply)
        if attempt(work, call.account):
            self.result.refreshed += 1
        else:
            self.result.failed += 1
        error = outcome.reply.error
        for turn in self._turns:
            if turn.provider.pk == call.account.provider_id and not turn.closed:
                attempt(
                    partial(_learn, turn, error.code if error else ""), call.account
                )

    def _show(self) -> None:
        if self._progress:
            self._progress(self.result.done)

    def _is_left(self, until: float) -> bool:
        """Say whether answers are at hand, or may still come until then."""
        at_hand = self._callers.landed or self._writer.unwritten or self._troubles
        return bool(at_hand) or bool(self._flying and time.monotonic() < until)

    def _finish(self) -> None:
        """Wait for the calls under way, store their answers and give back the rest."""
        self._hurries = False
        until = time.monotonic() + conf.OAUTH_ACCOUNTS_HTTP_TIMEOUT + GRACE_SECONDS
        try:
            while self._is_left(until):
                self._take_in(self._patience())
        finally:
            self._callers.stop()
            for turn in self._turns:
                attempt(turn.give_back)
            self._telling.stop()


def _learn(turn: Turn, code: str) -> None:
    """Let what went wrong slow the turn down, or end it."""
    if code in UNHEARD:
        turn.slow_down()
        if turn.unheard >= UNHEARD_LIMIT and not turn.provider.is_paused():
            reactions.provider_unavailable(turn.provider)
    if turn.provider.is_paused():
        turn.close()
