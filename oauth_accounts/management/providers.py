"""oauth_accounts add-provider and sync-providers: rows that say where accounts live."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import NoReverseMatch

from oauth_accounts import connect
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import Secret
from oauth_accounts.models import Provider
from oauth_accounts.models.sync import sync_providers


def add_arguments(parser: CommandParser) -> None:
    """Declare the options of add-provider."""
    parser.add_argument("slug")
    parser.add_argument("--name")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--issuer", default="")
    parser.add_argument("--authorization-endpoint", required=True)
    parser.add_argument("--token-endpoint", required=True)
    parser.add_argument("--revocation-endpoint", default="")
    parser.add_argument("--userinfo-endpoint", required=True)
    parser.add_argument("--api-base-url", default="")
    parser.add_argument("--uid-path", default="sub")
    parser.add_argument("--label-path", default="email")
    parser.add_argument("--scope", action="append", default=[], dest="scopes")
    parser.add_argument(
        "--token-endpoint-auth-method",
        # Signed assertions have a place in the model, and no sender yet.
        choices=[
            method
            for method in Provider.ClientAuth.values
            if method != Provider.ClientAuth.PRIVATE_KEY_JWT
        ],
        default=Provider.ClientAuth.BASIC.value,
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Check the values; write nothing."
    )


def add_provider(
    command: BaseCommand, *, dry_run: bool, slug: str, **options: Any
) -> None:
    """Write one provider, whose secret is asked for, and say its redirect URI."""
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
        command.stdout.write(f"Provider {slug} would be added.")
        return
    provider.save()
    command.stdout.write(f"Provider {slug} is added.")
    try:
        uri = connect.redirect_uri(None, provider)
    except ProviderMisconfigured:
        uri = "set OAUTH_ACCOUNTS_BASE_URL to learn it"
    except NoReverseMatch:
        uri = "include oauth_accounts.urls in the project's URLs to learn it"
    command.stdout.write(f"Redirect URI to register there: {uri}")


def add_sync_arguments(parser: CommandParser) -> None:
    """Declare the options of sync-providers."""
    parser.add_argument("--dry-run", action="store_true", help="Say what would change.")


def sync(command: BaseCommand, *, dry_run: bool, **options: Any) -> None:
    """Write OAUTH_ACCOUNTS_PROVIDERS to the database and list what changed."""
    changes = sync_providers(dry_run=dry_run)
    for change in changes:
        fields = f": {', '.join(change.fields)}" if change.fields else ""
        prefix = "would be " if dry_run and change.action != "unchanged" else ""
        command.stdout.write(f"{change.slug} {prefix}{change.action}{fields}")
    if not changes:
        command.stdout.write("OAUTH_ACCOUNTS_PROVIDERS is empty.")


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
