"""The command of the app, with one action more: this project's INSTALLED_APPS come first."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from example_project.site import logins
from example_project.site.seed import planting
from oauth_accounts.management.commands import oauth_accounts
from oauth_accounts.management.commands.oauth_accounts import Action
from oauth_accounts.management.progress import Progress


def add_arguments(parser: CommandParser) -> None:
    """Declare the options of the action."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="Say what would be written; keep nothing.",
    )


@transaction.atomic
def seed_demo(
    command: BaseCommand, *, dry_run: bool, verbosity: int, **options: Any
) -> None:
    """Write demo data in every state, anew at each call."""
    with Progress(command.stderr, "Seeding", count=planting.total) as progress:
        planted = planting.plant(progress.show)
    if dry_run:
        transaction.set_rollback(True)
    if verbosity:
        command.stdout.write(
            f"{'Would write' if dry_run else 'Wrote'} {planted.providers} made-up "
            f"providers with {planted.accounts} accounts, {planted.events} events and "
            f"{planted.statistics} hourly statistics; whatever they had before goes. "
            f"One of each state belongs to {logins.MEMBER!r}."
        )


class Command(oauth_accounts.Command):
    actions: ClassVar = {
        **oauth_accounts.ACTIONS,
        "seed-demo": Action(
            help="Fill this site with demo data in every state.",
            run=seed_demo,
            add_arguments=add_arguments,
        ),
    }
