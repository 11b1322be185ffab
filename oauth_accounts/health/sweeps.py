"""Whether somebody sweeps."""

from __future__ import annotations

from datetime import datetime, timedelta

from oauth_accounts.conf import conf
from oauth_accounts.health.census import OVERDUE


def patience() -> timedelta:
    """
    Return how long after a sweep the next one is missed.

    Sweeps that come less often than the refresh margin let tokens expire.
    """
    try:
        margin = timedelta(seconds=conf.OAUTH_ACCOUNTS_REFRESH_MARGIN)
    except (TypeError, ValueError, OverflowError):
        return OVERDUE  # E005 says so
    return max(OVERDUE, margin)


def are_missing(swept_at: datetime | None, now: datetime) -> bool:
    """Say whether no sweep has begun for too long. Both by the database's clock."""
    return swept_at is None or now - swept_at > patience()
