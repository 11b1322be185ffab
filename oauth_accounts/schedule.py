"""When a token counts as fresh, when it expires and when its refresh is due."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oauth_accounts import clock

if TYPE_CHECKING:
    from oauth_accounts.models import ConnectedAccount, Provider
    from oauth_accounts.protocol.tokens import TokenSet

# A token answered with a life of zero is believed this long, or every call would refresh.
# It is refreshed after half of it at the earliest: once a minute.
MIN_LIFETIME_SECONDS = 120
# No token is believed to live longer; dates past the year 9999 would raise.
MAX_LIFETIME_SECONDS = 10 * 365 * 86_400
# A refresh token that dies at a known date is used once more this long before.
REFRESH_TOKEN_WARNING = timedelta(days=1)

# The part of a token's life over which the refreshes of equal tokens are spread.
JITTER = 0.1

BACKOFF_BASE_SECONDS = 30.0
BACKOFF_MAX_SECONDS = 6 * 3600.0


def is_fresh(
    account: ConnectedAccount, min_validity: float, now: datetime | None = None
) -> bool:
    """
    Say whether the stored access token is valid for so many more seconds.

    min_validity: seconds, clamped to half of the token's life, so that a token that lives
        20 seconds is not refreshed on every call.
    now: UTC, by another clock than this process's.
    """
    if account.access_token is None:
        return False
    if account.expires_at is None:
        return True
    needed = timedelta(seconds=min_validity)
    if account.issued_at is not None:
        needed = min(needed, (account.expires_at - account.issued_at) / 2)
    return account.expires_at - (now or clock.utcnow()) > needed


def is_recent(account: ConnectedAccount, seconds: float, now: datetime) -> bool:
    """Say whether the token is at most so old, and in the first half of its life."""
    if account.issued_at is None:
        return False
    age = timedelta(seconds=seconds)
    if account.expires_at is not None:
        age = min(age, (account.expires_at - account.issued_at) / 2)
    return now - account.issued_at < age


def expiry(tokens: TokenSet, default_lifetime: int | None) -> datetime | None:
    """Return when the access token expires, counted from the sending of the request."""
    expires_in = (
        tokens.expires_in if tokens.expires_in is not None else default_lifetime
    )
    if expires_in is None:
        return None
    seconds = expires_in if expires_in > 0 else MIN_LIFETIME_SECONDS
    seconds = min(seconds, MAX_LIFETIME_SECONDS)
    return tokens.issued_at + timedelta(seconds=seconds)


def due_at(
    provider: Provider,
    *,
    issued_at: datetime,
    expires_at: datetime | None,
    has_refresh_token: bool,
    refresh_token_expires_at: datetime | None,
) -> datetime | None:
    """
    Return when the sweep should look at an account next, or None for never.

    The earliest of: the margin before expiry, the keep-alive date, and a day before the
    refresh token dies. Without a refresh token it is the expiry, when the owner is asked.
    """
    if not has_refresh_token:
        return expires_at
    dates = []
    if expires_at is not None:
        dates.append(expires_at - _early(provider.margin(), expires_at - issued_at))
    if interval := provider.keepalive_interval:
        dates.append(issued_at + timedelta(seconds=interval * _between(0.9, 1)))
    if refresh_token_expires_at is not None:
        warning = min(REFRESH_TOKEN_WARNING, (refresh_token_expires_at - issued_at) / 2)
        dates.append(refresh_token_expires_at - warning)
    return min(dates, default=None)


def _early(margin: float, life: timedelta) -> timedelta:
    """Return how long before its end a token of this life is refreshed."""
    # Accounts that were connected, or came back from an outage, all at once drift apart
    # by this much with each refresh. At most half of the life is given up.
    jitter = _between(0, JITTER) * life
    return min(timedelta(seconds=margin), (0.5 - JITTER) * life) + jitter


def backoff(failures: int) -> float:
    """Return the seconds until the next try after so many failures, with jitter."""
    full = min(BACKOFF_BASE_SECONDS * 2.0 ** min(failures, 20), BACKOFF_MAX_SECONDS)
    return full * _between(0.5, 1.0)


def _between(low: float, high: float) -> float:
    # It spreads calls over time; nobody gains from guessing it.
    return random.uniform(low, high)  # noqa: S311  # nosec B311
