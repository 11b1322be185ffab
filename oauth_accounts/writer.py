"""The answers of a sweep on their way into the database, in groups."""

from __future__ import annotations

import time
from functools import partial

from django.db import DatabaseError, InterfaceError, OperationalError

from oauth_accounts import renew, writeback
from oauth_accounts.callers import Outcome
from oauth_accounts.lease import holds
from oauth_accounts.telling import Telling, attempt, log_failure
from oauth_accounts.turns import Result
from oauth_accounts.writeback import Answered

# How long an answer may wait for others to be written with it, and how many are enough.
FLUSH_SECONDS = 0.02
GROUP_SIZE = 100
# How soon an account that somebody has locked is tried again.
LOCKED_SECONDS = 0.25


class Writer:
    """
    Holds usable answers until they are stored.

    result: to count them. telling: hears of what is stored.
    """

    def __init__(self, result: Result, telling: Telling) -> None:
        self.unwritten: list[Outcome] = []
        self._result = result
        self._telling = telling
        self._oldest = 0.0
        self._failed: set[object] = set()

    def add(self, outcome: Outcome) -> None:
        """Take an answer over; a second time, after an interruption, does nothing."""
        if self.unwritten and self.unwritten[-1] is outcome:
            return
        landed = outcome.landed_at
        self._oldest = min(self._oldest, landed) if self.unwritten else landed
        self.unwritten.append(outcome)

    def seconds_left(self) -> float:
        """Return how much longer the oldest answer may wait."""
        return max(0.0, self._oldest + FLUSH_SECONDS - time.monotonic())

    def is_due(self, flying: int) -> bool:
        """Say whether to write now. flying: calls whose answers could be written along."""
        waited = time.monotonic() - self._oldest
        # Below zero: nothing but what is locked.
        return (
            bool(self.unwritten)
            and waited >= 0
            and (
                len(self.unwritten) >= min(GROUP_SIZE, flying)
                or waited >= FLUSH_SECONDS
            )
        )

    def write(self) -> None:
        """Store what can be stored now."""
        # Kept until it is done: whatever interrupts this, they are written in the end.
        group = [_answered(outcome) for outcome in self.unwritten]
        self._failed = set()
        written, locked = self._write(group)
        self._settle(group, written, locked)
        self.unwritten = [
            outcome for outcome in self.unwritten if outcome.call.account.pk in locked
        ]
        # Somebody has a row in his hands; nobody else waits for it.
        self._oldest = time.monotonic() + LOCKED_SECONDS

    def _write(self, group: list[Answered]) -> tuple[set[object], set[object]]:
        late = [one for one in group if not holds(one.claim, 0)]
        written, locked = self._write_once(group)
        for one in late:
            if one.account.pk in locked:
                # Its lease is over, and with it the waiting.
                writeback.lament(one, "locked")
                self._failed.add(one.account.pk)
        return written, locked - self._failed

    def _write_once(self, group: list[Answered]) -> tuple[set[object], set[object]]:
        try:
            written, locked = writeback.write_group(group)
            return set(written), set(locked)
        except DatabaseError as error:
            if len(group) == 1:
                if not isinstance(error, OperationalError | InterfaceError):
                    # Those were insisted on, and have been cried out.
                    writeback.lament(group[0], type(error).__name__)
                log_failure(group[0].account, error)
                self._failed.add(group[0].account.pk)
                return set(), set()
        # One of them cannot be written, which is no reason to lose the others.
        parts = [self._write_once([one]) for one in group]
        return (
            set().union(*(written for written, _ in parts)),
            set().union(*(locked for _, locked in parts)),
        )

    def _settle(
        self, group: list[Answered], written: set[object], locked: set[object]
    ) -> None:
        for answered in group:
            key = answered.account.pk
            if key in written:
                self._result.refreshed += 1
                before = renew.take_over(answered)
                tell = partial(self._telling.succeeded, answered.account, before)
                attempt(tell, answered.account)
            elif key in self._failed:
                self._result.failed += 1
            elif key not in locked:
                self._result.skipped += 1
                attempt(partial(renew.superseded, answered), answered.account)


def _answered(outcome: Outcome) -> Answered:
    call = outcome.call
    return Answered(account=call.account, claim=call.claim, values=outcome.values or {})
