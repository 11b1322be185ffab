"""
The database's side of a sweep: which accounts are due, and leasing them by the batch.

Nothing is read that is not going to be refreshed, and the cost follows the rows that are due.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db import connections, router, transaction
from django.db.models import Exists, OuterRef, QuerySet

from oauth_accounts import lease as leases
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.conf import LEASE_SECONDS
from oauth_accounts.lease import Claim
from oauth_accounts.models import ConnectedAccount, Provider

# How often a batch may be lost to other workers in a row.
ROUNDS = 5
# How long to wait for locks before each try to arm; longer ones cost a row its turn.
LOCK_PAUSES = (0.0, 0.02, 0.05, 0.1)


def alias() -> str:
    """Return the database that accounts are written to."""
    return router.db_for_write(ConnectedAccount)


def providers_due(slug: str | None = None) -> list[Provider]:
    """
    Return the providers that may be called now and have accounts that are due.

    slug: of the only one to look at.
    """
    providers = Provider.objects.using(alias()).callable_now()
    if slug is not None:
        providers = providers.filter(slug=slug)
    accounts = _due().filter(provider=OuterRef("pk"))
    return list(providers.filter(Exists(accounts)))


def count_due(slug: str | None = None) -> int:
    """Return how many accounts a sweep would refresh now."""
    found = providers_due(slug)
    return sum(_due().filter(provider=provider).count() for provider in found)


def claim_due(provider: Provider, limit: int) -> list[ConnectedAccount]:
    """
    Lease the accounts of a provider that are due longest and return them.

    limit: rows at most; no more than can be sent well within the lease.
    """
    due = _due().filter(provider=provider)
    for _round in range(ROUNDS):
        found = due.order_by("refresh_due_at").values_list("pk", flat=True)[:limit]
        keys = list(found)
        if not keys:
            break
        lease = uuid.uuid4()
        with transaction.atomic(using=alias()):
            free = _not_locked(due.filter(pk__in=keys))
            taken = free.update(lease=lease, lease_until=leases.end())
        if taken:
            return _load(provider, keys, lease)
        # Others took all of them; there may be more.
    return []


def arm(accounts: Sequence[ConnectedAccount]) -> list[tuple[ConnectedAccount, Claim]]:
    """
    Renew the leases of accounts just before their calls, and mark that these begin.

    All were claimed together. Return those that are still ours, each with its claim.
    """
    return _renew(accounts, leases.armed())


def extend(
    accounts: Sequence[ConnectedAccount],
) -> list[tuple[ConnectedAccount, Claim]]:
    """Renew the leases of accounts that are armed already and had to wait."""
    return _renew(accounts, {"lease_until": leases.end()})


def release(
    accounts: Sequence[ConnectedAccount], *, armed: bool, retry_in: float | None = None
) -> None:
    """
    Give back what was claimed and not sent.

    armed: the mark of a started attempt is this sweep's own, and goes.
    retry_in: seconds until the next look; None leaves them due.
    """
    values = {"attempt_started_at": None} if armed else {}
    if retry_in is not None:
        moment = DatabaseNow() + timedelta(seconds=retry_in)
        values["refresh_due_at"] = leases.while_active(moment)
    for lease in {account.lease for account in accounts}:
        held = [account.pk for account in accounts if account.lease == lease]
        with transaction.atomic(using=alias()):
            # What somebody has locked is left to the end of its lease.
            rows = _not_locked(_rows().filter(pk__in=held, lease=lease))
            rows.update(**values, lease=None, lease_until=None)


def _rows() -> QuerySet[ConnectedAccount]:
    return ConnectedAccount.objects.using(alias()).order_by()


def _due() -> QuerySet[ConnectedAccount]:
    return _rows().filter(
        leases.free(),
        status=ConnectedAccount.Status.ACTIVE,
        refresh_due_at__lte=DatabaseNow(),
    )


def _not_locked(rows: QuerySet[ConnectedAccount]) -> QuerySet[ConnectedAccount]:
    """Leave out what somebody has locked, instead of waiting for it, where that is known."""
    features = connections[alias()].features
    if not features.has_select_for_update_skip_locked:
        return rows
    # By key: InnoDB locks the gaps of an index that is read in order, against its writers.
    locked = rows.select_for_update(
        skip_locked=True, no_key=features.has_select_for_no_key_update
    )
    return _rows().filter(pk__in=list(locked.values_list("pk", flat=True)))


def _load(
    provider: Provider, keys: Sequence[uuid.UUID], lease: uuid.UUID
) -> list[ConnectedAccount]:
    rows = _rows().filter(pk__in=keys, lease=lease).select_related("owner")
    accounts = list(rows)
    for account in accounts:
        account.provider = provider
    return accounts


def _renew(
    accounts: Sequence[ConnectedAccount], values: dict[str, object]
) -> list[tuple[ConnectedAccount, Claim]]:
    started = time.monotonic()
    missing = {account.pk for account in accounts}
    for pause in LOCK_PAUSES:
        time.sleep(pause)
        held = _rows().filter(
            pk__in=missing,
            lease=accounts[0].lease,
            status=ConnectedAccount.Status.ACTIVE,
            lease_until__gt=DatabaseNow(),
        )
        with transaction.atomic(using=alias()):
            free = _not_locked(held)
            renewed = set(free.values_list("pk", flat=True))
            free.update(**values)
        missing -= renewed
        # What is left is lost, or locked: another sweep that came too late for a row has
        # it in its hands until it commits, and dropping it would waste the whole lease.
        if not missing or not held.filter(pk__in=missing).exists():
            break
    kept = [account for account in accounts if account.pk not in missing]
    return [(account, _claim(account, started)) for account in kept]


def _claim(account: ConnectedAccount, started: float) -> Claim:
    assert account.lease is not None  # noqa: S101  # it was read under its lease
    return Claim(
        lease=account.lease,
        generation=account.generation,
        deadline=started + LEASE_SECONDS,
    )
