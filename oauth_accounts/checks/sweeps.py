"""Checks that beat sends the sweep often enough; Celery itself is not imported."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.db import connections

from oauth_accounts.conf import conf

TASK = "oauth_accounts.tasks.refresh_due_accounts"
# Where a project may keep the schedule: namespace="CELERY", and no namespace at all.
SETTINGS = ("CELERY_BEAT_SCHEDULE", "CELERYBEAT_SCHEDULE")
SCHEDULER_SETTINGS = ("CELERY_BEAT_SCHEDULER", "CELERYBEAT_SCHEDULER")
DAY_SECONDS = 86_400


def check_beat_schedule(**kwargs: Any) -> list[CheckMessage]:
    """Check beat's schedule: W004 sweep too rare, W005 missing, W006 expires too early."""
    schedule = beat_schedule()
    sweeps = _sweeps(schedule)
    if schedule and not sweeps and not other_scheduler():
        return [_missing()]
    messages: list[CheckMessage] = [
        message for entry in sweeps if (message := _expiry_problem(entry))
    ]
    interval = _interval(sweeps)
    try:
        margin = conf.OAUTH_ACCOUNTS_REFRESH_MARGIN
    except (TypeError, ValueError, OverflowError):
        return messages  # E005 says so
    if interval is not None and interval > margin:
        messages.append(
            _too_rare(interval, f"OAUTH_ACCOUNTS_REFRESH_MARGIN ({margin})")
        )
    return messages


def check_provider_margins(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Check the sweep's interval against the margins of single providers (W004)."""
    interval = _interval(_sweeps(beat_schedule()))
    if interval is None:
        return []
    return [
        _too_rare(interval, f"the refresh margin of provider {slug!r} ({margin})")
        for alias in databases or ()
        for slug, margin in _shorter_margins(alias, interval)
    ]


def beat_schedule() -> Mapping[str, Any]:
    """Return the schedule of Celery's beat as settings have it."""
    found = [getattr(settings, name, None) for name in SETTINGS]
    found.append(_celery_dict().get("beat_schedule"))
    return next((value for value in found if value and isinstance(value, Mapping)), {})


def other_scheduler() -> Any:
    """Return another scheduler than Celery's own; it may keep entries elsewhere."""
    names = [getattr(settings, name, None) for name in SCHEDULER_SETTINGS]
    found = [*names, _celery_dict().get("beat_scheduler")]
    return any(name and "PersistentScheduler" not in str(name) for name in found)


def _celery_dict() -> Mapping[str, Any]:
    value = getattr(settings, "CELERY", None)
    return value if isinstance(value, Mapping) else {}


def _sweeps(schedule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return entries_of(schedule, TASK)


def entries_of(schedule: Mapping[str, Any], task: str) -> list[Mapping[str, Any]]:
    """Return the entries that send a task."""
    return [
        entry
        for entry in schedule.values()
        if isinstance(entry, Mapping) and entry.get("task") == task
    ]


def _interval(sweeps: list[Mapping[str, Any]]) -> float | None:
    """Return the longest time between two sweeps in seconds; None when it is not known."""
    intervals = [_seconds(entry.get("schedule")) for entry in sweeps]
    return min((found for found in intervals if found is not None), default=None)


def _seconds(schedule: Any) -> float | None:
    schedule = getattr(schedule, "run_every", schedule)
    if isinstance(schedule, timedelta):
        return schedule.total_seconds()
    if isinstance(schedule, int | float):
        return float(schedule)
    if isinstance(getattr(schedule, "minute", None), Collection):
        return _longest_gap(schedule)
    return None  # sunrise, or a schedule of the project's own


def _longest_gap(crontab: Any) -> float:
    days = (crontab.day_of_week, crontab.day_of_month, crontab.month_of_year)
    every_day = [len(set(part)) for part in days] == [7, 31, 12]
    moments: list[int] = sorted(
        hour * 60 + minute for hour in crontab.hour for minute in crontab.minute
    )
    if not every_day or not moments:
        return DAY_SECONDS
    tomorrow = moments[0] + DAY_SECONDS // 60
    return 60.0 * max(b - a for a, b in pairwise([*moments, tomorrow]))


def _shorter_margins(alias: str, interval: float) -> list[tuple[str, Any]]:
    connection = connections[alias]
    provider = apps.get_model("oauth_accounts", "Provider")
    with connection.cursor() as cursor:
        if provider._meta.db_table not in connection.introspection.table_names(cursor):
            return []  # `migrate` runs the checks before it makes the tables
    rows = provider._default_manager.using(alias).filter(
        enabled=True, refresh_margin__lt=interval
    )
    return list(rows.order_by("slug").values_list("slug", "refresh_margin"))


def _too_rare(interval: float, margin: str) -> Warning:
    return Warning(
        f"Beat sends {TASK} every {interval:g} seconds, which is more than {margin}: "
        "tokens expire before they are refreshed.",
        hint="Send it more often, as oauth_accounts.beat.BEAT_SCHEDULE does, or raise "
        "the margin.",
        id="oauth_accounts.W004",
    )


def _missing() -> Warning:
    return Warning(
        f"Celery beat has a schedule, and {TASK} is not in it.",
        hint="Merge oauth_accounts.beat.BEAT_SCHEDULE into it. Where the task is "
        "scheduled elsewhere, or the command refreshes, silence this check.",
        id="oauth_accounts.W005",
    )


def _expiry_problem(entry: Mapping[str, Any]) -> Warning | None:
    options = entry.get("options")
    expires = options.get("expires") if isinstance(options, Mapping) else None
    interval = _seconds(entry.get("schedule"))
    if not isinstance(expires, int | float) or interval is None or expires >= interval:
        return None
    return Warning(
        f"A message of {TASK} expires after {expires:g} seconds, and the next one is sent "
        f"after {interval:g}: when the workers are busy, nothing is refreshed.",
        hint="Set options.expires to the interval.",
        id="oauth_accounts.W006",
    )
