"""oauth_accounts refresh: once, for cron, or for ever."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from oauth_accounts import notices, outbox, sweep
from oauth_accounts.management.arguments import positive
from oauth_accounts.management.loop import Loop
from oauth_accounts.management.passes import Work, require_provider, run_pass
from oauth_accounts.management.stopping import (
    STOPPED_EXIT_CODE,
    Stopped,
    StopSignals,
)


def add_arguments(parser: CommandParser) -> None:
    """Declare the options of the action."""
    parser.add_argument("--provider", help="Slug; default: all providers.")
    parser.add_argument("--workers", type=positive, help="Refreshes at a time.")
    parser.add_argument("--limit", type=positive, help="Accounts at most, in one pass.")
    parser.add_argument(
        "--max-seconds", type=positive, help="Begin no refresh after that, in one pass."
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--dry-run", action="store_true", help="Say what is due; call nobody."
    )
    ways.add_argument("--loop", action="store_true", help="Go on until stopped.")
    parser.add_argument(
        "--interval",
        type=positive,
        help="Seconds from pass to pass of --loop; default: 60, less for short margins.",
    )


def run(
    command: BaseCommand,
    *,
    provider: str | None,
    workers: int,
    limit: int | None,
    max_seconds: int | None,
    dry_run: bool,
    loop: bool,
    interval: int | None,
    verbosity: int,
    **options: Any,
) -> None:
    """Refresh, deliver, mail and purge; SIGINT and SIGTERM end it in good order."""
    if dry_run:
        _say_what_is_due(command, provider)
        return
    work = Work(
        provider=provider, workers=workers, limit=limit, max_seconds=max_seconds
    )
    with StopSignals() as stop:
        try:
            if loop:
                Loop(
                    command, work, interval=interval, verbosity=verbosity, stop=stop
                ).run()
            done = run_pass(work, command.stderr, stop)
        except Stopped as stopped:
            command.stderr.write(f"Stopped by {stopped}.")
            sys.exit(0 if loop else STOPPED_EXIT_CODE + stopped.number)
    if verbosity:
        command.stdout.write(str(done))


def _say_what_is_due(command: BaseCommand, provider: str | None) -> None:
    require_provider(provider)
    waiting = notices.count_due()
    words = f" {waiting} notices wait." if waiting or notices.is_on() else ""
    command.stdout.write(
        f"{sweep.count_due(provider)} accounts are due, "
        f"{outbox.count_due()} revocations wait.{words}"
    )
