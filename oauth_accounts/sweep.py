"""Many accounts: claim the due ones provider by provider and refresh them concurrently."""

from __future__ import annotations

import logging
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Literal

from django.db import DatabaseError, connections, router
from django.db.models import QuerySet

from oauth_accounts import durable, refresh
from oauth_accounts import lease as leases
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import ConnectedAccount, Provider

logger = logging.getLogger("oauth_accounts")

BATCH_SIZE = 100
CONCURRENCY = 8
# When a due account cannot be refreshed now, and nothing was sent.
REFUSED_RETRY_SECONDS = 60.0


Outcome = Literal["refreshed", "failed", "skipped"]


@dataclass(kw_only=True, slots=True)
class Result:
    """What one sweep did, in accounts."""

    refreshed: int = 0
    """A new token is stored."""

    failed: int = 0
    """A reaction was recorded: back-off, reauthorisation, pause."""

    skipped: int = 0
    """Somebody else took it meanwhile."""

    @property
    def done(self) -> int:
        return self.refreshed + self.failed + self.skipped


def run(
    *,
    limit: int | None = None,
    provider: str | None = None,
    concurrency: int = CONCURRENCY,
    max_seconds: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """
    Refresh what is due now.

    limit: at most so many accounts. provider: slug, to look at one only. concurrency:
    refreshes at a time. max_seconds: claim no further batch after that.
    progress: called with the number of accounts done so far.
    """
    result = Result()
    lock = threading.Lock()

    def report(outcome: Outcome) -> None:
        with lock:
            setattr(result, outcome, getattr(result, outcome) + 1)
            if progress:
                progress(result.done)

    deadline = math.inf if max_seconds is None else time.monotonic() + max_seconds
    for keys, lease in _batches(provider, limit, deadline):
        _refresh_batch(keys, lease, concurrency, report)
    return result


def count_due(provider: str | None = None) -> int:
    """Return how many accounts a sweep would refresh now."""
    return sum(_due(found).count() for found in _providers(provider))


def claim_due(
    provider: Provider, limit: int = BATCH_SIZE
) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """
    Lease the accounts of a provider that are due and return the lease and their keys.

    limit: rows at most; no more than can be sent well within the lease.
    """
    lease = uuid.uuid4()
    keys = list(
        _due(provider).order_by("refresh_due_at").values_list("pk", flat=True)[:limit]
    )
    if not keys:
        return lease, []
    rows = _due(provider).filter(pk__in=keys)
    if not rows.update(lease=lease, lease_until=leases.end()):
        return lease, []
    leased = ConnectedAccount.objects.using(_alias()).filter(pk__in=keys, lease=lease)
    return lease, list(leased.values_list("pk", flat=True))


def _alias() -> str:
    return router.db_for_write(ConnectedAccount)


def _due(provider: Provider) -> QuerySet[ConnectedAccount]:
    return ConnectedAccount.objects.using(_alias()).filter(
        leases.free(),
        provider=provider,
        status=ConnectedAccount.Status.ACTIVE,
        refresh_due_at__lte=DatabaseNow(),
    )


def _providers(slug: str | None) -> list[Provider]:
    providers = Provider.objects.using(_alias()).callable_now()
    if slug is not None:
        providers = providers.filter(slug=slug)
    return list(providers)


def _batches(
    slug: str | None, limit: int | None, deadline: float
) -> Iterator[tuple[list[uuid.UUID], uuid.UUID]]:
    """Yield batches in turns, so that no provider waits for the last row of another."""
    left = math.inf if limit is None else limit
    waiting = _providers(slug)
    while waiting:
        served = set()
        for provider in waiting:
            if time.monotonic() > deadline or not left:
                return
            lease, keys = claim_due(provider, int(min(BATCH_SIZE, left)))
            left -= len(keys)
            if keys:
                yield keys, lease
                served.add(provider.pk)
        if not served:
            return
        # Read again: a provider may have been paused by its own answers.
        waiting = [found for found in _providers(slug) if found.pk in served]


def _refresh_batch(
    keys: list[uuid.UUID],
    lease: uuid.UUID,
    concurrency: int,
    report: Callable[[Outcome], None],
) -> None:
    todo: SimpleQueue[uuid.UUID] = SimpleQueue()
    for key in keys:
        todo.put(key)
    if durable.is_in_memory(_alias()):
        _work(todo, lease, report)
        return
    workers = min(concurrency, len(keys))
    with ThreadPoolExecutor(workers, "oauth_accounts.sweep") as pool:
        futures = [
            pool.submit(_work_apart, todo, lease, report) for _ in range(workers)
        ]
    for future in futures:
        future.result()


def _work_apart(
    todo: SimpleQueue[uuid.UUID], lease: uuid.UUID, report: Callable[[Outcome], None]
) -> None:
    try:
        _work(todo, lease, report)
    finally:
        connections.close_all()


def _work(
    todo: SimpleQueue[uuid.UUID], lease: uuid.UUID, report: Callable[[Outcome], None]
) -> None:
    while True:
        try:
            key = todo.get_nowait()
        except Empty:
            return
        report(_refresh_leased(key, lease))


def _refresh_leased(key: uuid.UUID, lease: uuid.UUID) -> Outcome:
    """Refresh one leased account; its outcome is recorded on its row, never raised."""
    rows = ConnectedAccount.objects.using(_alias()).select_related("provider")
    account = rows.filter(pk=key, lease=lease).first()
    if account is None:
        return "skipped"
    try:
        return _refresh_or_release(account, lease)
    except OAuthAccountsError:
        return "failed"
    except DatabaseError as error:
        # One row must not end the sweep; its lease runs out, and it is looked at again.
        logger.warning(
            "The refresh of account %s ended with %s.", key, type(error).__name__
        )
        return "failed"


def _refresh_or_release(account: ConnectedAccount, lease: uuid.UUID) -> Outcome:
    try:
        refresh.require_refreshable(account)
    except OAuthAccountsError:
        leases.release(account, lease, REFUSED_RETRY_SECONDS, armed=False)
        raise
    claim = leases.rearm(account, lease)
    if claim is None:
        return "skipped"
    refresh.perform(account, claim)
    return "refreshed"
