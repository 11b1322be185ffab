"""Revocations that wait, and those that were given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q

from oauth_accounts.models import PendingRevocation

# After a provider was given up, a million may wait; a page counts no further than this.
COUNTABLE = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Outbox:
    """What the outbox holds."""

    waiting: int
    failed: int
    """Given up: the provider may still accept these tokens."""

    oldest: datetime | None
    """When the first of those that wait was put there."""

    is_exact: bool
    """False: there are more, and these are some of them."""


def read() -> Outbox:
    """Count what waits and what was given up, as far as a page can wait for it."""
    # Rows that wait have a due date; an index has those only, and another one the lost.
    waits, lost = Q(due_at__isnull=False), Q(status=PendingRevocation.Status.FAILED)
    rows = PendingRevocation.objects.order_by().filter(waits | lost)
    counted = rows[: COUNTABLE + 1].aggregate(
        waiting=Count("pk", filter=waits),
        failed=Count("pk", filter=lost),
        oldest=Min("created_at", filter=waits),
    )
    seen = counted["waiting"] + counted["failed"]
    return Outbox(**counted, is_exact=seen <= COUNTABLE)


def count_waiting() -> int:
    """Return how many revocations wait, exactly."""
    return PendingRevocation.objects.order_by().filter(due_at__isnull=False).count()
