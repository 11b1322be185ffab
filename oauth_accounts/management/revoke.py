"""oauth_accounts revoke: after a compromise, or for one owner who asks for it."""

from __future__ import annotations

import math
import time
import uuid
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Q

from oauth_accounts import clock, outbox, recall, workers
from oauth_accounts.management.arguments import positive
from oauth_accounts.management.passes import require_provider
from oauth_accounts.management.progress import Progress
from oauth_accounts.management.stopping import StopSignals, stoppable
from oauth_accounts.models import PendingRevocation
from oauth_accounts.recall import Scope

PER_MINUTE = 600
CONCURRENCY = 8
# How long to wait for the next ones to become due.
POLL_SECONDS = 0.25


def add_arguments(parser: CommandParser) -> None:
    """Declare the options of the action."""
    parser.add_argument("--provider", help="Slug.")
    parser.add_argument("--owner", help="Key of the owner.")
    parser.add_argument("--account", type=uuid.UUID, help="Key of one account.")
    parser.add_argument(
        "--per-minute",
        type=positive,
        default=PER_MINUTE,
        help=f"Revocations sent to the provider in a minute; default: {PER_MINUTE}.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Say what would be revoked."
    )
    parser.add_argument(
        "--no-input",
        "--yes",
        action="store_false",
        dest="interactive",
        help="Do not ask.",
    )


def run(
    command: BaseCommand,
    *,
    provider: str | None,
    owner: str | None,
    account: uuid.UUID | None,
    per_minute: int,
    dry_run: bool,
    interactive: bool,
    **options: Any,
) -> None:
    """Stop accounts here, tell their providers at a pace, and say what came of it."""
    if not (provider or owner or account):
        raise CommandError("Say whose: --provider, --owner or --account.")
    require_provider(provider)
    scope = Scope(provider=provider, owner=owner, account=account)
    command.stdout.write(_plan(scope, per_minute))
    if dry_run:
        return
    if interactive:
        _confirm(command)
    started = clock.utcnow()
    with stoppable(command) as stop:
        stopped = _stop(command, scope, per_minute, stop)
        command.stdout.write(f"{stopped} accounts are revoked here.")
        # A pipe is a buffer, and the rest takes its time.
        command.stdout.flush()
        _deliver(command, scope, stop)
    _report(command, scope, started)


def _plan(scope: Scope, per_minute: int) -> str:
    try:
        accounts, waiting = scope.accounts().count(), scope.untold().count()
    except (ValueError, ValidationError):
        raise CommandError(f"{scope.owner!r} is no key of an owner.") from None
    minutes = math.ceil((accounts + waiting) / per_minute)
    return (
        f"{accounts} accounts to be revoked, {waiting} revocations that wait already; "
        f"at {per_minute} in a minute that takes {minutes} minutes."
    )


def _confirm(command: BaseCommand) -> None:
    command.stdout.write(
        "The accounts stop working at once. Only their owners can bring them back, by "
        "connecting again."
    )
    try:
        answer = input("Type 'yes' to continue: ")
    except EOFError:
        raise CommandError("Nobody answers: say --no-input.") from None
    if answer != "yes":
        raise CommandError("Nothing was revoked.")


def _stop(
    command: BaseCommand, scope: Scope, per_minute: int, stop: StopSignals
) -> int:
    count = scope.accounts().count
    with Progress(command.stderr, "Revoking here", count=count) as bar:

        def show(done: int) -> None:
            bar.show(done)
            stop.check()

        # This process delivers them, and at a pace: no need to call for hands.
        with stop.held(), workers.silence():
            return recall.stop(scope, per_minute=per_minute, progress=show)


def _deliver(command: BaseCommand, scope: Scope, stop: StopSignals) -> None:
    """Deliver what nobody has tried yet, as it becomes due; workers may help."""
    done, untold = 0, scope.untold()
    with Progress(command.stderr, "Telling providers", count=untold.count) as bar:
        while untold.exists():
            with stop.held():
                sent = outbox.deliver_due(
                    limit=CONCURRENCY, only=scope.in_outbox(), concurrency=CONCURRENCY
                )
            done += sent
            bar.show(done)
            if not sent:
                time.sleep(POLL_SECONDS)


def _report(command: BaseCommand, scope: Scope, started: datetime) -> None:
    """Count what was in the outbox while this ran."""
    here = Q(finished_at__isnull=True) | Q(finished_at__gte=started)
    rows = scope.outbox().filter(here).order_by().values_list("status")
    counts = dict(rows.annotate(count=Count("pk")))
    words = [
        f"{counts.get(status, 0)} {status}"
        for status in PendingRevocation.Status.values
        if counts.get(status) or status in {"confirmed", "pending", "unsupported"}
    ]
    command.stdout.write(f"At the provider: {', '.join(words)}.")
    if counts.get(PendingRevocation.Status.PENDING):
        command.stdout.write(
            "What is pending is tried again by Celery beat and by "
            "'manage.py oauth_accounts refresh'."
        )
