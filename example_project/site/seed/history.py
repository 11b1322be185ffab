"""What happened to the accounts, and how refreshes went hour by hour."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from example_project.site.seed.services import SERVICES
from oauth_accounts.models import (
    AccountEvent,
    ConnectedAccount,
    Provider,
    RefreshStatistic,
)

HOURS = 48
# What a provider of share 1 answers in a busy hour.
PER_SHARE = 24
SEED = 1843


def events_of(
    account: ConnectedAccount, happened: tuple[tuple[str, str], ...], now: datetime
) -> Iterator[AccountEvent]:
    """Yield an account's history: connected first, the rest spread up to now."""
    story = (("connected", ""), *happened)
    age = now - account.created_at
    for number, (kind, reason) in enumerate(story):
        by_person = kind in {"connected", "revoked", "disabled"}
        yield AccountEvent(
            kind=kind,
            reason=reason,
            account=account,
            account_key=account.pk,
            provider_id=account.provider_id,
            actor_id=account.connected_by_id if by_person else None,
            created_at=account.created_at + age * number / len(story),
        )


def events_of_providers(
    providers: dict[str, Provider], now: datetime
) -> Iterator[AccountEvent]:
    """Yield what happened to the providers themselves."""
    for slug, kind, reason, ago in (
        ("ledgerline", "secret_changed", "secret_changed", timedelta(days=9)),
        ("ledgerline", "provider_paused", "invalid_client", timedelta(hours=2)),
        ("tidal-calendar", "provider_paused", "unavailable", timedelta(minutes=4)),
        ("harbor-drive", "provider_paused", "rate_limited", timedelta(hours=14)),
        ("harbor-drive", "provider_resumed", "answered", timedelta(hours=13.9)),
        ("octoforge", "rejected", "state_unknown_or_used", timedelta(hours=5)),
        ("moving-maps", "provider_altered", "", timedelta(hours=1)),
    ):
        yield AccountEvent(
            kind=kind, reason=reason, provider=providers[slug], created_at=now - ago
        )


def statistics(
    providers: dict[str, Provider], now: datetime
) -> Iterator[RefreshStatistic]:
    """Yield the counts of the last two days: a day's curve, and a bad hour or two."""
    dice = random.Random(SEED)  # made-up data  # nosec B311
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    # One that is switched off keeps its accounts, and refreshes none.
    busy = [s for s in SERVICES if s.share and s.fields.get("enabled", True)]
    for service in busy:
        for ago in range(HOURS):
            # Like a real day of somewhere: quiet at night, lively in the afternoon.
            day = 0.6 - 0.4 * math.cos((HOURS - ago - 30) * math.tau / 24)
            full = service.share * PER_SHARE * day * dice.uniform(0.9, 1.1)
            counts = _failures(service.slug, ago, full, dice)
            counts["success", ""] = max(0, round(full) - sum(counts.values()))
            hour = this_hour - timedelta(hours=ago)
            yield from _rows(providers[service.slug], hour, counts)


def _failures(
    slug: str, ago: int, full: float, dice: random.Random
) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {
        ("failure", "invalid_grant"): round(full * dice.uniform(0, 0.015)),
        ("failure", "server_error"): round(full * dice.uniform(0, 0.02)),
    }
    if slug == "harbor-drive" and ago in {13, 14}:
        counts["rate_limited", "rate_limited"] = round(full * 0.45)
    if slug == "ledgerline" and ago < 3:
        counts["failure", "invalid_client"] = round(full * 0.9)
    return counts


def _rows(
    provider: Provider, hour: datetime, counts: dict[tuple[str, str], int]
) -> Iterator[RefreshStatistic]:
    for (result, reason), count in counts.items():
        if count:
            yield RefreshStatistic(
                provider=provider, hour=hour, result=result, reason=reason, count=count
            )
