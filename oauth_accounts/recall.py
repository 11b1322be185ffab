"""
Take back the grants of many accounts at once, as after a compromise.

All accounts are stopped here before the first provider is called. Their rows in the outbox
become due one after the other, at a pace: whoever delivers them, workers, beat or the
command, keeps to it. What was stopped stays so, and what was put in the outbox is sent, also
when this is killed midway.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, router, transaction
from django.db.models import Max, Q, QuerySet

from oauth_accounts import revoke
from oauth_accounts.models import ConnectedAccount, PendingRevocation

# Accounts in one transaction, because what costs is the commit.
BATCH_SIZE = 100
# A batch that a database refuses, as for a deadlock, is tried again after a while.
TRIES = 5
PAUSE_SECONDS = 0.2
REASON = "by_admin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Which accounts; what is None does not matter."""

    provider: str | None = None
    """Slug."""
    owner: Any = None
    """Key."""
    account: uuid.UUID | None = None
    """Key."""

    def accounts(self) -> QuerySet[ConnectedAccount]:
        """Return the query for the accounts that are not revoked yet."""
        chosen = {
            "provider__slug": self.provider,
            "owner": self.owner,
            "pk": self.account,
        }
        rows = ConnectedAccount._base_manager.using(_alias(ConnectedAccount))
        live = rows.exclude(status=ConnectedAccount.Status.REVOKED)
        return live.filter(**{k: v for k, v in chosen.items() if v is not None})

    def in_outbox(self) -> Q:
        """Return the condition for the rows of these accounts in the outbox."""
        chosen = {
            "provider__slug": self.provider,
            "account__owner": self.owner,
            "account_key": self.account,
        }
        return Q(**{k: v for k, v in chosen.items() if v is not None})

    def outbox(self) -> QuerySet[PendingRevocation]:
        """Return the query for their rows in the outbox, whatever became of them."""
        rows = PendingRevocation.objects.using(_alias(PendingRevocation))
        return rows.filter(self.in_outbox())

    def untold(self) -> QuerySet[PendingRevocation]:
        """Return the query for the revocations that nobody has tried to deliver."""
        pending = PendingRevocation.Status.PENDING
        # A try that never left the house is not counted, but has left its reason.
        return self.outbox().filter(status=pending, attempts=0, last_error="")


def stop(
    scope: Scope, *, per_minute: int, progress: Callable[[int], None] | None = None
) -> int:
    """
    Revoke the accounts here and put their tokens in the outbox; return how many.

    Tokens are not opened, so rows whose key is missing are stopped as well.

    per_minute: revocations that become due in a minute, behind those that wait already.
    progress: called with the number of accounts so far; may raise to end it.
    """
    done, after, pace = 0, None, _Pace(scope, per_minute)
    while batch := _next(scope, after):
        _stop_all(batch, pace)
        done += len(batch)
        after = batch[-1].pk
        if progress:
            progress(done)
    return done


def _next(scope: Scope, after: Any) -> list[ConnectedAccount]:
    rows = scope.accounts().select_related("provider").order_by("pk")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows[:BATCH_SIZE])


def _stop_all(batch: list[ConnectedAccount], pace: _Pace) -> None:
    tries = 0
    while True:
        tries += 1
        try:
            with transaction.atomic(using=_alias(ConnectedAccount)):
                for account in batch:
                    due_at = pace.next_slot(account)
                    revoke.revoke(account, reason=REASON, due_at=due_at)
            return
        except OperationalError:
            if tries == TRIES:
                raise
        time.sleep(PAUSE_SECONDS * tries)


class _Pace:
    """Hands out moments, by the database's clock."""

    def __init__(self, scope: Scope, per_minute: int) -> None:
        self._step = timedelta(minutes=1) / per_minute
        self._scope = scope
        self._next: datetime | None = None

    def next_slot(self, account: ConnectedAccount) -> datetime:
        """Return the next one. account: any, to read the clock through."""
        moment = self._next or self._first(account.database_now())
        self._next = moment + self._step
        return moment

    def _first(self, now: datetime) -> datetime:
        """Return now, or when those are through that an earlier run has left."""
        last = self._scope.untold().aggregate(last=Max("due_at"))["last"]
        return max(now, last + self._step) if last else now


def _alias(model: Any) -> str:
    return router.db_for_write(model)
