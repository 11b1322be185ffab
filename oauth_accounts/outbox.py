"""Deliver the revocations that are waiting in the outbox."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import router, transaction
from django.db.models import F, Q, QuerySet

from oauth_accounts import lease as leases
from oauth_accounts import revoke
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models import PendingRevocation

BATCH_SIZE = 100
ALL = Q()


def deliver_due(
    *,
    limit: int | None = None,
    only: Q = ALL,
    concurrency: int = 1,
    progress: Callable[[int], None] | None = None,
) -> int:
    """
    Revoke what is due at the providers and return how many rows were tried.

    limit: rows at most. only: which of them. concurrency: providers' answers that are waited
    for at a time. progress: called with the number of rows done so far.
    """
    done = 0
    with ThreadPoolExecutor(concurrency, "oauth_accounts.outbox") as callers:
        while limit is None or done < limit:
            count = concurrency if limit is None else min(concurrency, limit - done)
            batch = _claim(count, only)
            if not batch:
                break
            # All calls end well within the lease, so that they can be noted together.
            outcomes = list(callers.map(revoke.ask, batch))
            with transaction.atomic(using=_alias()):
                for pending, outcome in zip(batch, outcomes, strict=True):
                    revoke.conclude(pending, outcome)
            done += len(batch)
            if progress:
                progress(done)
    return done


def count_due() -> int:
    """Return how many rows are waiting and due."""
    return _due().count()


def _alias() -> str:
    return router.db_for_write(PendingRevocation)


def _rows() -> QuerySet[PendingRevocation]:
    # A replica that lags behind would show rows that are taken already.
    return PendingRevocation.objects.using(_alias()).all()


def _due() -> QuerySet[PendingRevocation]:
    return _rows().filter(leases.free(), due_at__lte=DatabaseNow())


def _claim(count: int, only: Q) -> list[PendingRevocation]:
    """Lease the next due rows, so that two workers do not revoke the same token."""
    while True:
        due = _due().filter(only).order_by("due_at")
        keys = list(due.values_list("pk", flat=True)[:count])
        if not keys:
            return []
        lease = uuid.uuid4()
        claimed = _due().filter(pk__in=keys)
        if claimed.update(
            lease=lease, lease_until=leases.end(), attempts=F("attempts") + 1
        ):
            rows = _rows().filter(pk__in=keys, lease=lease)
            return list(rows.select_related("provider").order_by("due_at"))
