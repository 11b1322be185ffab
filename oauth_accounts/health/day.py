"""Refreshes and failures of the last 24 hours, by the hourly statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from oauth_accounts.models import RefreshStatistic

HOURS = 24
HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hour:
    """What was counted in one hour."""

    start: datetime
    succeeded: int
    failed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """24 hours; the last one is not over."""

    hours: tuple[Hour, ...]

    failures: Counter[tuple[Any, str]]
    """By provider's key and the code of the error."""

    @property
    def succeeded(self) -> int:
        return sum(hour.succeeded for hour in self.hours)

    @property
    def failed(self) -> int:
        return sum(hour.failed for hour in self.hours)


def read(providers: Sequence[Any], now: datetime) -> Day:
    """Read the statistics of the last 24 hours. providers: keys of all. now: UTC."""
    last = now.replace(minute=0, second=0, microsecond=0)
    starts = [last - HOUR * back for back in reversed(range(HOURS))]
    # The index begins with the provider.
    rows = RefreshStatistic.objects.order_by().filter(
        provider__in=providers, hour__gte=starts[0]
    )
    succeeded: Counter[datetime] = Counter()
    failures: Counter[tuple[Any, str]] = Counter()
    failed: Counter[datetime] = Counter()
    columns = ("provider_id", "hour", "result", "reason", "count")
    for provider, hour, result, reason, count in rows.values_list(*columns):
        if result == "success":
            succeeded[hour] += count
        else:
            failed[hour] += count
            failures[provider, reason] += count
    return Day(
        hours=tuple(
            Hour(start=start, succeeded=succeeded[start], failed=failed[start])
            for start in starts
        ),
        failures=failures,
    )
