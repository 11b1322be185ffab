"""
How many accounts there are, in which state, under which key, and how many wait.

Whatever the size of the table, a page can afford a few thousand rows. Keys are random
(UUID version 4), so that the first rows in the order of the key are a fair sample of all,
and how far into the space of keys they reach says how many there are. What is rare enough
is counted exactly by indexes that hold little else.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db import connections
from django.db.models import Count, Min, Q, QuerySet

from oauth_accounts import lease as leases
from oauth_accounts.fields import SEALED_FIELDS
from oauth_accounts.models import ConnectedAccount

# A table that is smaller is counted; of a larger one, so many rows are looked at. A share
# of a tenth is then right within a twentieth of itself, the total within a sixtieth.
SAMPLE = 5_000
# What seems to be more is not counted by an index either.
COUNTABLE = 10_000
# Every schedule that makes sense has passed by then.
OVERDUE = timedelta(minutes=5)
SOON = timedelta(hours=1)
STOPPED = ("needs_reauth", "revoked", "disabled")

State = tuple[Any, str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """Accounts of one provider that wait for their refresh and are in nobody's hands."""

    due: int = 0
    overdue: int = 0
    """Due for longer than five minutes."""

    soon: int = 0
    """Due within an hour, with those that are due already."""

    oldest: datetime | None = None
    """Since when the first of them is due."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Census:
    """What was counted, or estimated, of all accounts."""

    total: int = 0

    states: Counter[State] = field(default_factory=Counter)
    """By provider's key, status and reason; no reason where only the status was counted."""

    keys: Counter[str] = field(default_factory=Counter)
    """Accounts that hold something sealed, by the id of the key that they name."""

    queues: dict[Any, Queue] = field(default_factory=dict)
    """By provider's key."""

    sampled: int = 0
    """Rows that the estimates come from; 0 when everything was counted."""

    is_stopped_exact: bool = True
    """Those that are not active were counted."""

    is_due_exact: bool = True
    """What is due now was counted."""

    is_soon_exact: bool = True
    """What is due within the hour was counted."""

    def count(self, status: str | None = None, provider: Any = None) -> int:
        """Return how many accounts there are of a status, and at a provider."""
        return sum(
            count
            for (key, state, _reason), count in self.states.items()
            if status in {None, state} and provider in {None, key}
        )


def take(providers: Sequence[Any], now: datetime) -> Census:
    """
    Count a small table, estimate a large one; at most four queries, and no long one.

    providers: keys of all. now: by the database's clock.
    """
    boundary = _boundary()
    if boundary is None:
        return _tally(_rows(), now)
    sample = _tally(_rows().filter(pk__lt=boundary), now)
    scaled = _scale(sample, 1 / _position(boundary))
    return _count_the_rare(scaled, providers, now)


def count_states() -> Census:
    """Count every account by state and by key: reads the whole table."""
    states: Counter[State] = Counter()
    keys: Counter[str] = Counter()
    for key, status, reason, key_id, count, held in _by_state(_rows()):
        states[key, status, reason] += count
        keys[key_id] += held
    return Census(total=states.total(), states=states, keys=+keys)


def queues(providers: Iterable[Any], now: datetime) -> dict[Any, Queue]:
    """Count what is due now by provider, exactly: the index holds nothing else."""
    rows = _rows().filter(
        leases.free(), provider__in=list(providers), refresh_due_at__lte=now
    )
    return _queues(rows, now)


def _rows() -> QuerySet[ConnectedAccount]:
    return ConnectedAccount.objects.order_by()


def _boundary() -> uuid.UUID | None:
    """Return the key that a sample ends before; None when the table is no larger."""
    keys = ConnectedAccount.objects.order_by("pk").values_list("pk", flat=True)
    return next(iter(keys[SAMPLE : SAMPLE + 1]), None)


def _position(key: uuid.UUID) -> float:
    """Return which part of all keys come before one, in the order of the database."""
    connection = connections[ConnectedAccount.objects.db]
    if connection.vendor == "mysql" and connection.features.has_native_uuid_field:
        # MariaDB's own type compares the last group first.
        return float((key.node + 0.5) / 2**48)
    return float((key.int + 0.5) / 2**128)


def _by_state(rows: QuerySet[ConnectedAccount], **more: Any) -> Iterable[Any]:
    holds = reduce(or_, (Q((f"{name}__isnull", False)) for name in SEALED_FIELDS))
    grouped = rows.values_list("provider_id", "status", "status_reason", "key_id")
    return grouped.annotate(count=Count("pk"), held=Count("pk", filter=holds), **more)


def _waiting(now: datetime) -> dict[str, Any]:
    free = leases.free()
    due = Q(refresh_due_at__lte=now)
    return {
        "due": Count("pk", filter=free & due),
        "overdue": Count("pk", filter=free & Q(refresh_due_at__lt=now - OVERDUE)),
        "soon": Count("pk", filter=free & Q(refresh_due_at__lte=now + SOON)),
        "oldest": Min("refresh_due_at", filter=free & due),
    }


def _queues(rows: QuerySet[ConnectedAccount], now: datetime) -> dict[Any, Queue]:
    counted: Iterable[Any] = rows.values_list("provider_id").annotate(**_waiting(now))
    return {key: _add(Queue(), *queue) for key, *queue in counted}


def _tally(rows: QuerySet[ConnectedAccount], now: datetime) -> Census:
    """Count all of these in one query."""
    states: Counter[State] = Counter()
    keys: Counter[str] = Counter()
    waiting: dict[Any, Queue] = {}
    for key, status, reason, key_id, count, held, *queue in _by_state(
        rows, **_waiting(now)
    ):
        states[key, status, reason] += count
        keys[key_id] += held
        waiting[key] = _add(waiting.get(key, Queue()), *queue)
    return Census(total=states.total(), states=states, keys=+keys, queues=waiting)


def _add(
    queue: Queue, due: int, overdue: int, soon: int, oldest: datetime | None
) -> Queue:
    return Queue(
        due=queue.due + due,
        overdue=queue.overdue + overdue,
        soon=queue.soon + soon,
        oldest=min(filter(None, (queue.oldest, oldest)), default=None),
    )


def _scale(sample: Census, factor: float) -> Census:
    """Take the sample for the whole."""
    return Census(
        total=round(sample.total * factor),
        states=_scaled(sample.states, factor),
        keys=_scaled(sample.keys, factor),
        queues={
            key: Queue(
                due=round(queue.due * factor),
                overdue=round(queue.overdue * factor),
                soon=round(queue.soon * factor),
                oldest=queue.oldest,
            )
            for key, queue in sample.queues.items()
        },
        sampled=sample.total,
        is_stopped_exact=False,
        is_due_exact=False,
        is_soon_exact=False,
    )


def _scaled(counts: Counter[Any], factor: float) -> Counter[Any]:
    return Counter({key: round(count * factor) for key, count in counts.items()})


def _count_the_rare(census: Census, providers: Sequence[Any], now: datetime) -> Census:
    """Replace the estimates of what is rare, where a sample is blind, by counts."""
    rows = _rows().filter(provider__in=providers)
    active = ConnectedAccount.Status.ACTIVE
    if census.total - census.count(active) <= COUNTABLE:
        counted = rows.filter(status__in=STOPPED).values_list("provider_id", "status")
        states = Counter({k: n for k, n in census.states.items() if k[1] == active})
        for key, status, count in counted.annotate(count=Count("pk")):
            states[key, status, ""] += count
        census = replace(
            census, states=states, total=states.total(), is_stopped_exact=True
        )
    soon = sum(queue.soon for queue in census.queues.values())
    due = sum(queue.due for queue in census.queues.values())
    if soon <= COUNTABLE:
        exact = _queues(rows.filter(refresh_due_at__lte=now + SOON), now)
        return replace(census, queues=exact, is_due_exact=True, is_soon_exact=True)
    if due <= COUNTABLE:
        exact = queues(providers, now)
        mixed = {
            key: replace(exact.get(key, Queue()), soon=queue.soon)
            for key, queue in {**exact, **census.queues}.items()
        }
        return replace(census, queues=mixed, is_due_exact=True)
    return census
