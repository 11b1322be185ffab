"""Deliver the revocations that are waiting in the outbox."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.db import router
from django.db.models import QuerySet

from oauth_accounts import lease as leases
from oauth_accounts import revoke
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models import PendingRevocation

BATCH_SIZE = 100


def deliver_due(
    *, limit: int | None = None, progress: Callable[[int], None] | None = None
) -> int:
    """
    Revoke what is due at the providers and return how many rows were tried.

    limit: rows at most. progress: called with the number of rows done so far.
    """
    done = 0
    while limit is None or done < limit:
        pending = _claim()
        if pending is None:
            break
        revoke.deliver(pending)
        done += 1
        if progress:
            progress(done)
    return done


def count_due() -> int:
    """Return how many rows are waiting and due."""
    return _due().count()


def _rows() -> QuerySet[PendingRevocation]:
    # A replica that lags behind would show rows that are taken already.
    alias = router.db_for_write(PendingRevocation)
    return PendingRevocation.objects.using(alias).all()


def _due() -> QuerySet[PendingRevocation]:
    return _rows().filter(leases.free(), due_at__lte=DatabaseNow())


def _claim() -> PendingRevocation | None:
    """Lease the next due row, so that two workers do not revoke the same token."""
    while True:
        key = _due().order_by("due_at").values_list("pk", flat=True).first()
        if key is None:
            return None
        lease = uuid.uuid4()
        if _due().filter(pk=key).update(lease=lease, lease_until=leases.end()):
            return _rows().select_related("provider").get(pk=key)
