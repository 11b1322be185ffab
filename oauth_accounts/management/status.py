"""oauth_accounts status: what lives, what is broken, and whether somebody refreshes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Count, Min, Q

from oauth_accounts import clock
from oauth_accounts import lease as leases
from oauth_accounts.conf import conf
from oauth_accounts.fields import SEALED_FIELDS
from oauth_accounts.management import keys
from oauth_accounts.models import (
    ConnectedAccount,
    Notice,
    PendingRevocation,
    Provider,
)
from oauth_accounts.models.provider import missing_configuration

# Every schedule that makes sense has passed by then.
OVERDUE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """The accounts of one provider that wait for their refresh."""

    due: int
    overdue: int
    oldest: datetime | None


def run(command: BaseCommand, **options: Any) -> None:
    """Write what is due, and then how many accounts are in which state."""
    providers = list(Provider.objects.all())
    if not providers:
        command.stdout.write(
            "No providers yet. Add one in the admin, with add-provider, or in "
            "OAUTH_ACCOUNTS_PROVIDERS."
        )
    enabled = [provider for provider in providers if provider.enabled]
    queues = {provider.pk: _queue(provider) for provider in enabled}
    paused = [provider.slug for provider in enabled if provider.is_paused()]
    for line in _summary(list(queues.values()), paused):
        command.stdout.write(line)
    # Counting reads the whole table; what matters in an emergency is to be seen before.
    command.stdout.flush()
    states, sealed = _count() if providers else (Counter(), Counter())
    for provider in providers:
        command.stdout.write(f"{provider.slug}: {_state_of(provider, paused)}")
        if (queue := queues.get(provider.pk)) and queue.due:
            command.stdout.write(f"  {queue.due:>8} due")
        for (_provider, status, reason), count in sorted(
            item for item in states.items() if item[0][0] == provider.pk
        ):
            words = f"{status} ({reason})" if reason else status
            command.stdout.write(f"  {count:>8} {words}")
    for line in keys.lines(sealed.items()):
        command.stdout.write(line)


def _queue(provider: Provider) -> Queue:
    """Count what is due; the index on provider and due date holds nothing else."""
    now = clock.utcnow()
    late = Q(refresh_due_at__lt=now - OVERDUE)
    rows = ConnectedAccount.objects.order_by().filter(
        leases.free(), provider=provider, refresh_due_at__lte=now
    )
    return Queue(
        **rows.aggregate(
            due=Count("pk"),
            overdue=Count("pk", filter=late),
            oldest=Min("refresh_due_at"),
        )
    )


def _summary(queues: list[Queue], paused: list[str]) -> list[str]:
    due, overdue = sum(q.due for q in queues), sum(q.overdue for q in queues)
    oldest = min((q.oldest for q in queues if q.oldest), default=None)
    # Rows that wait have a due date, and an index has those only.
    waiting = PendingRevocation.objects.order_by().filter(due_at__isnull=False).count()
    return [
        f"{due} accounts are due, {overdue} of them for more than 5 minutes{_since(oldest)}.",
        f"{waiting} revocations wait.",
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
    if oldest is None:
        return ""
    return f", the oldest since {oldest.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _count() -> tuple[Counter[tuple[Any, str, str]], Counter[str]]:
    """Count accounts by provider and state, and those that hold something by key."""
    rows = ConnectedAccount.objects.order_by().values_list(
        "provider_id", "status", "status_reason", "key_id"
    )
    holds = reduce(or_, (Q((f"{name}__isnull", False)) for name in SEALED_FIELDS))
    states: Counter[tuple[Any, str, str]] = Counter()
    sealed: Counter[str] = Counter()
    # All in one, because it reads the whole table.
    counted = rows.annotate(count=Count("pk"), sealed=Count("pk", filter=holds))
    for provider, status, reason, key_id, count, held in counted:
        states[provider, status, reason] += count
        sealed[key_id] += held
    return states, +sealed


def _state_of(provider: Provider, paused: list[str]) -> str:
    if not provider.enabled:
        return "disabled"
    if missing := missing_configuration(provider):
        return f"incomplete, lacks {', '.join(missing)}"
    if provider.slug in paused:
        return (
            f"paused ({provider.pause_reason}) until {provider.paused_until:%H:%M} UTC"
        )
    if provider.is_half_open():
        return f"tried again after a pause ({provider.pause_reason})"
    return "enabled"
