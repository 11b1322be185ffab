"""oauth_accounts status: what lives, what is broken, and whether somebody refreshes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Count, Min

from oauth_accounts.conf import conf
from oauth_accounts.health import census, outbox, providers, sweeps
from oauth_accounts.health.census import Census, Queue
from oauth_accounts.health.providers import Register, State
from oauth_accounts.management import keys
from oauth_accounts.models import Notice


def run(command: BaseCommand, **options: Any) -> None:
    """Write what is due, and then how many accounts are in which state."""
    register = providers.read()
    if not register.states:
        command.stdout.write(
            "No providers yet. Add one in the admin, with add-provider, or in "
            "OAUTH_ACCOUNTS_PROVIDERS."
        )
    queues = census.queues(register.keys(enabled=True), register.now)
    for line in _summary(queues.values(), register):
        command.stdout.write(line)
    # Counting reads the whole table; what matters in an emergency is to be seen before.
    command.stdout.flush()
    counted = census.count_states() if register.states else Census()
    for state in register.states:
        provider = state.provider
        command.stdout.write(f"{provider.slug}: {_words(state)}")
        if (queue := queues.get(provider.pk)) and queue.due:
            command.stdout.write(f"  {queue.due:>8} due")
        for (_provider, status, reason), count in sorted(
            item for item in counted.states.items() if item[0][0] == provider.pk
        ):
            words = f"{status} ({reason})" if reason else status
            command.stdout.write(f"  {count:>8} {words}")
    for line in keys.lines(counted.keys.items()):
        command.stdout.write(line)


def _summary(queues: Iterable[Queue], register: Register) -> list[str]:
    waiting = list(queues)
    due, overdue = sum(q.due for q in waiting), sum(q.overdue for q in waiting)
    oldest = min((q.oldest for q in waiting if q.oldest), default=None)
    paused = [s.provider.slug for s in register.states if s.code == "paused"]
    return [
        f"{due} accounts are due, {overdue} of them for more than 5 minutes{_since(oldest)}.",
        _last_sweep(register),
        f"{outbox.count_waiting()} revocations wait.",
        *_notices(),
        f"Paused providers: {', '.join(paused) or 'none'}.",
    ]


def _notices() -> list[str]:
    """Say how many mails wait, where there are any to be sent at all."""
    found = (
        Notice.objects.order_by()
        .filter(due_at__isnull=False)
        .aggregate(count=Count("pk"), oldest=Min("created_at"))
    )
    if not (found["count"] or conf.OAUTH_ACCOUNTS_NOTICES):
        return []
    return [f"{found['count']} notices wait{_since(found['oldest'])}."]


def _since(oldest: datetime | None) -> str:
    return f", the oldest since {_moment(oldest)}" if oldest else ""


def _last_sweep(register: Register) -> str:
    if register.swept_at is None:
        return "No sweep has begun yet."
    words = f"The last sweep began at {_moment(register.swept_at)}"
    if not sweeps.are_missing(register.swept_at, register.now):
        return f"{words}."
    return (
        f"{words}, which is too long ago: neither Celery beat nor the command "
        "refresh seems to run."
    )


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _words(state: State) -> str:
    provider = state.provider
    if state.code == "paused":
        until = f"{provider.paused_until:%H:%M} UTC"
        return f"paused ({provider.pause_reason}) until {until}"
    words = {
        "disabled": "disabled",
        "in_doubt": f"in doubt, altered: {', '.join(state.altered)}",
        "incomplete": f"incomplete, lacks {', '.join(state.missing)}",
        "trial": f"tried again after a pause ({provider.pause_reason})",
        "ready": "enabled",
    }
    return words[state.code]
