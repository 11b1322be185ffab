"""oauth_accounts add-provider and sync-providers: rows that say where accounts live."""

from __future__ import annotations

import dataclasses
import getpass
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import NoReverseMatch

from oauth_accounts import reasons
from oauth_accounts.exceptions import ProviderMisconfigured, TokenError
from oauth_accounts.fields import Secret
from oauth_accounts.models import Provider
from oauth_accounts.models.sync import sync_providers
from oauth_accounts.protocol.discovery import AUTH_METHODS, Metadata, discover
from oauth_accounts.registration import redirect_uri

# What nobody can connect without, as options; the secret is asked for.
NEEDED = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")


def add_arguments(parser: CommandParser) -> None:
    """Declare the options of add-provider."""
    parser.add_argument("slug")
    parser.add_argument("--name")
    parser.add_argument("--client-id", required=True)
    issuer = parser.add_mutually_exclusive_group()
    issuer.add_argument("--issuer")
    issuer.add_argument(
        "--discover",
        metavar="ISSUER",
        help="Ask this issuer for its addresses; options that are given count.",
    )
    parser.add_argument("--authorization-endpoint")
    parser.add_argument("--token-endpoint")
    parser.add_argument("--revocation-endpoint")
    parser.add_argument("--userinfo-endpoint")
    parser.add_argument("--jwks-uri")
    parser.add_argument("--api-base-url")
    parser.add_argument("--uid-path")
    parser.add_argument("--label-path")
    parser.add_argument("--scope", action="append", default=[], dest="scopes")
    parser.add_argument("--token-endpoint-auth-method", choices=AUTH_METHODS)
    parser.add_argument(
        "--dry-run", action="store_true", help="Check the values; write nothing."
    )


def add_provider(
    command: BaseCommand, *, dry_run: bool, slug: str, **options: Any
) -> None:
    """Write one provider, whose secret is asked for, and say its redirect URI."""
    values = _values(command, slug, options)
    provider = Provider(slug=slug, **values)
    if provider.token_endpoint_auth_method != Provider.ClientAuth.NONE:
        provider.client_secret = Secret(_read_secret())
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
        uri = redirect_uri(None, provider)
    except ProviderMisconfigured:
        uri = "set OAUTH_ACCOUNTS_BASE_URL to learn it"
    except NoReverseMatch:
        uri = "include oauth_accounts.urls in the project's URLs to learn it"
    command.stdout.write(f"Redirect URI to register there: {uri}")


def _values(command: BaseCommand, slug: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the new provider: what was given, before what was found."""
    names = {field.name for field in Provider._meta.concrete_fields}
    values = {
        name: value
        for name, value in options.items()
        if name in names and value is not None
    }
    values["name"] = values.get("name") or slug.replace("-", " ").title()
    if options["discover"]:
        metadata = _discover(command, options["discover"])
        if "token_endpoint_auth_method" not in values:
            values["token_endpoint_auth_method"] = _best_auth_method(metadata)
        values = {**metadata.as_provider_fields(), **values}
    if missing := [name for name in NEEDED if not values.get(name)]:
        options_missing = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise CommandError(
            f"the following arguments are required: {options_missing}; --discover asks "
            "the issuer for them"
        )
    return values


def _discover(command: BaseCommand, issuer: str) -> Metadata:
    """Ask an issuer for its metadata and show what it says."""
    try:
        metadata = discover(issuer)
    except TokenError as error:
        raise CommandError(reasons.describe_account(error.code)) from None
    command.stdout.write(f"{issuer} says:")
    for member in dataclasses.fields(metadata):
        value = getattr(metadata, member.name)
        text = " ".join(value) if isinstance(value, tuple) else value
        if text:
            command.stdout.write(f"  {member.name}: {text}")
    return metadata


def _best_auth_method(metadata: Metadata) -> str:
    if (method := metadata.best_auth_method()) is not None:
        return method
    supported = metadata.token_endpoint_auth_methods_supported or ()
    raise CommandError(
        "None of the issuer's ways of client authentication is supported: "
        f"{', '.join(supported)}"
    )


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
