"""manage.py oauth_accounts: what Celery does, by hand or by cron, and what needs a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
)

from oauth_accounts.management import (
    keys,
    providers,
    rebind,
    refresh,
    revoke,
    status,
)
from oauth_accounts.management.arguments import django_options


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One thing that the command can do."""

    help: str
    run: Callable[..., None]
    add_arguments: Callable[[CommandParser], None] | None = None


ACTIONS = {
    "refresh": Action(
        help="Refresh the tokens that are due and deliver revocations.",
        run=refresh.run,
        add_arguments=refresh.add_arguments,
    ),
    "status": Action(help="Show what lives and what is broken.", run=status.run),
    "rotate-keys": Action(
        help="Re-encrypt what is stored with the newest key.",
        run=keys.run,
        add_arguments=keys.add_arguments,
    ),
    "revoke": Action(
        help="Take back the grants of a provider's accounts, or of an owner's.",
        run=revoke.run,
        add_arguments=revoke.add_arguments,
    ),
    "add-provider": Action(
        help="Add a provider; its client secret is asked for, or read from stdin.",
        run=providers.add_provider,
        add_arguments=providers.add_arguments,
    ),
    "rebind": Action(
        help="Follow a provider that moved to other addresses, with its tokens.",
        run=rebind.run,
        add_arguments=rebind.add_arguments,
    ),
    "sync-providers": Action(
        help="Write OAUTH_ACCOUNTS_PROVIDERS to the database.",
        run=providers.sync,
        add_arguments=providers.add_sync_arguments,
    ),
}


class Command(BaseCommand):
    help = "Refresh tokens, show the state of connected accounts, manage providers."
    # For projects whose command of the same name does more.
    actions: ClassVar[dict[str, Action]] = ACTIONS

    def add_arguments(self, parser: CommandParser) -> None:
        choices = parser.add_subparsers(dest="action", required=True)
        options = django_options()
        for name, action in self.actions.items():
            added = choices.add_parser(
                name,
                help=action.help,
                parents=[options],
                formatter_class=DjangoHelpFormatter,
            )
            if action.add_arguments:
                action.add_arguments(added)

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            self.actions[action].run(self, **options)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
