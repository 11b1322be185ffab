"""The right to refresh one account: a conditional UPDATE, so it holds on every database."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Case, F, Q, Value, When

from oauth_accounts.clock import DatabaseNow
from oauth_accounts.conf import LEASE_SECONDS

if TYPE_CHECKING:
    from oauth_accounts.models import ConnectedAccount


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right to refresh one account once."""

    lease: uuid.UUID
    """Names the holder; every write is fenced by it."""

    generation: int
    """Of the tokens that are going to be used."""

    deadline: float
    """Monotonic seconds until which the lease is ours."""


def free() -> Q:
    """Return the condition that nobody holds a row, by the database's clock."""
    return Q(lease__isnull=True) | Q(lease_until__lt=DatabaseNow())


def end() -> Any:
    """Return when a lease that is taken now runs out, by the database's clock."""
    return DatabaseNow() + timedelta(seconds=LEASE_SECONDS)


def holds(claim: Claim, seconds: float) -> bool:
    """Say whether a claim is good for so many more seconds."""
    return claim.deadline - time.monotonic() > seconds


def outlives(claim: Claim, seconds: float) -> bool:
    """Say whether a call of so many seconds may begin; half a lease is time enough."""
    return holds(claim, min(seconds, LEASE_SECONDS / 2))


def take(account: ConnectedAccount) -> Claim | None:
    """Claim the account as it was last read; None when somebody else holds it."""
    lease = uuid.uuid4()
    started = time.monotonic()
    rows = account.stored_row().filter(
        generation=account.generation, status=account.Status.ACTIVE
    )
    claimed = rows.filter(free())
    if not claimed.update(**armed(), lease=lease):
        return None
    return Claim(
        lease=lease,
        generation=account.generation,
        deadline=started + LEASE_SECONDS,
    )


def armed() -> dict[str, Any]:
    """
    Values that say a call is about to be made.

    An attempt that was started and never finished had an unknown outcome. The reason comes
    first: MySQL evaluates assignments from left to right.
    """
    return {
        "status_reason": Case(
            When(attempt_started_at__isnull=False, then=Value("outcome_unknown")),
            default=F("status_reason"),
        ),
        "attempt_started_at": DatabaseNow(),
        "lease_until": end(),
    }


def release(
    account: ConnectedAccount, lease: uuid.UUID, retry_in: float, *, armed: bool
) -> None:
    """
    Give a claim back whose call was never made.

    retry_in: seconds until the sweep looks again, or it would claim the row for ever.
    armed: the mark of a started attempt is this claim's own; otherwise it is that of
        somebody who never came back, and stays.
    """
    values: dict[str, Any] = {"attempt_started_at": None} if armed else {}
    account.stored_row().filter(lease=lease).update(
        **values,
        lease=None,
        lease_until=None,
        refresh_due_at=while_active(DatabaseNow() + timedelta(seconds=retry_in)),
    )


def while_active(moment: Any) -> Any:
    """Return a due date that is written to active accounts only."""
    if moment is None:
        return None
    return Case(When(status="active", then=moment), default=None)
