"""manage.py oauth_accounts: what Celery does, by hand or by cron, and what needs a person."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count
from django.urls import NoReverseMatch

from oauth_accounts import connect, outbox, sweep
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import Secret
from oauth_accounts.management.progress import Progress
from oauth_accounts.models import (
    ConnectedAccount,
    PendingRevocation,
    Provider,
    purge_unread_answers,
)
from oauth_accounts.models.provider import missing_configuration
from oauth_accounts.models.sync import sync_providers


class Command(BaseCommand):
    help = "Refresh tokens, show the state of connected accounts, manage providers."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        self._add_refresh(actions)
        self._add_status(actions)
        self._add_provider(actions)
        self._add_sync(actions)

    def _add_refresh(self, actions: Any) -> None:
        refresh = actions.add_parser(
            "refresh", help="Refresh the tokens that are due and deliver revocations."
        )
        refresh.add_argument("--provider", help="Slug; default: all providers.")
        refresh.add_argument(
            "--workers", type=_positive, default=sweep.CONCURRENCY, help="At a time."
        )
        refresh.add_argument("--limit", type=_positive, help="Accounts at most.")
        refresh.add_argument(
            "--dry-run", action="store_true", help="Say what is due; call nobody."
        )
        refresh.set_defaults(run=self.refresh)

    def _add_status(self, actions: Any) -> None:
        status = actions.add_parser(
            "status", help="Show what lives and what is broken."
        )
        status.set_defaults(run=self.status)

    def _add_provider(self, actions: Any) -> None:
        add = actions.add_parser(
            "add-provider",
            help="Add a provider; its client secret is asked for, or read from stdin.",
        )
        add.add_argument("slug")
        add.add_argument("--name")
        add.add_argument("--client-id", required=True)
        add.add_argument("--issuer", default="")
        add.add_argument("--authorization-endpoint", required=True)
        add.add_argument("--token-endpoint", required=True)
        add.add_argument("--revocation-endpoint", default="")
        add.add_argument("--userinfo-endpoint", required=True)
        add.add_argument("--api-base-url", default="")
        add.add_argument("--uid-path", default="sub")
        add.add_argument("--label-path", default="email")
        add.add_argument("--scope", action="append", default=[], dest="scopes")
        add.add_argument(
            "--token-endpoint-auth-method",
            # Signed assertions have a place in the model, and no sender yet.
            choices=[
                method
                for method in Provider.ClientAuth.values
                if method != Provider.ClientAuth.PRIVATE_KEY_JWT
            ],
            default=Provider.ClientAuth.BASIC.value,
        )
        add.add_argument(
            "--dry-run", action="store_true", help="Check the values; write nothing."
        )
        add.set_defaults(run=self.add_provider)

    def _add_sync(self, actions: Any) -> None:
        sync = actions.add_parser(
            "sync-providers", help="Write OAUTH_ACCOUNTS_PROVIDERS to the database."
        )
        sync.add_argument(
            "--dry-run", action="store_true", help="Say what would change."
        )
        sync.set_defaults(run=self.sync_providers)

    def handle(self, *args: Any, run: Callable[..., None], **options: Any) -> None:
        try:
            run(**options)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None

    def refresh(
        self,
        *,
        provider: str | None,
        workers: int,
        limit: int | None,
        dry_run: bool,
        **options: Any,
    ) -> None:
        if provider and not Provider.objects.filter(slug=provider).exists():
            raise CommandError(_unknown_provider(provider))
        due = sweep.count_due(provider)
        if dry_run:
            self.stdout.write(
                f"{due} accounts are due, {outbox.count_due()} revocations wait."
            )
            return
        with Progress(self.stderr, "Refreshing", total=min(due, limit or due)) as bar:
            result = sweep.run(
                limit=limit, provider=provider, concurrency=workers, progress=bar.show
            )
        with Progress(self.stderr, "Revoking", total=outbox.count_due()) as bar:
            delivered = outbox.deliver_due(progress=bar.show)
        connect.purge_attempts()
        purge_unread_answers()
        self.stdout.write(
            f"{result.refreshed} refreshed, {result.failed} failed, "
            f"{result.skipped} skipped, {delivered} revocations tried."
        )

    def status(self, **options: Any) -> None:
        counted = (
            ConnectedAccount.objects.order_by()
            .values_list("provider_id", "status", "status_reason")
            .annotate(count=Count("pk"))
        )
        providers = list(Provider.objects.all())
        if not providers:
            self.stdout.write(
                "No providers yet. Add one in the admin, with add-provider, or in "
                "OAUTH_ACCOUNTS_PROVIDERS."
            )
        for provider in providers:
            self.stdout.write(f"{provider.slug}: {_state_of(provider)}")
            rows = sorted(row[1:] for row in counted if row[0] == provider.pk)
            for status, reason, count in rows:
                words = f"{status} ({reason})" if reason else status
                self.stdout.write(f"  {count:>8} {words}")
        waiting = PendingRevocation.objects.filter(status="pending").count()
        self.stdout.write(
            f"{sweep.count_due()} accounts are due, {waiting} revocations wait."
        )

    def add_provider(self, *, dry_run: bool, slug: str, **options: Any) -> None:
        names = {field.name for field in Provider._meta.concrete_fields}
        values = {name: value for name, value in options.items() if name in names}
        values["name"] = values["name"] or slug.replace("-", " ").title()
        if values["token_endpoint_auth_method"] != Provider.ClientAuth.NONE:
            values["client_secret"] = Secret(_read_secret())
        provider = Provider(slug=slug, **values)
        try:
            provider.full_clean()
        except ValidationError as error:
            raise CommandError(
                "\n".join(
                    f"{name}: {' '.join(messages)}"
                    for name, messages in error.message_dict.items()
                )
            ) from None
        if dry_run:
            self.stdout.write(f"Provider {slug} would be added.")
            return
        provider.save()
        self.stdout.write(f"Provider {slug} is added.")
        try:
            uri = connect.redirect_uri(None, provider)
        except ProviderMisconfigured:
            uri = "set OAUTH_ACCOUNTS_BASE_URL to learn it"
        except NoReverseMatch:
            uri = "include oauth_accounts.urls in the project's URLs to learn it"
        self.stdout.write(f"Redirect URI to register there: {uri}")

    def sync_providers(self, *, dry_run: bool, **options: Any) -> None:
        changes = sync_providers(dry_run=dry_run)
        for change in changes:
            fields = f": {', '.join(change.fields)}" if change.fields else ""
            prefix = "would be " if dry_run and change.action != "unchanged" else ""
            self.stdout.write(f"{change.slug} {prefix}{change.action}{fields}")
        if not changes:
            self.stdout.write("OAUTH_ACCOUNTS_PROVIDERS is empty.")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _read_secret() -> str:
    """Ask without echo, or take a line of a pipe: never an argument, which `ps` shows."""
    if sys.stdin.isatty():
        secret = getpass.getpass("Client secret: ")
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise CommandError(
            "No client secret was given. Type it when asked, or pipe it in; for a client "
            "without one say --token-endpoint-auth-method none."
        )
    return secret


def _unknown_provider(slug: str) -> str:
    known = ", ".join(Provider.objects.values_list("slug", flat=True)) or "none"
    return f"There is no provider {slug!r}. Known are: {known}."


def _state_of(provider: Provider) -> str:
    if not provider.enabled:
        return "disabled"
    if missing := missing_configuration(provider):
        return f"incomplete, lacks {', '.join(missing)}"
    if provider.is_paused():
        return (
            f"paused ({provider.pause_reason}) until {provider.paused_until:%H:%M} UTC"
        )
    return "enabled"
