"""System checks. Ids are stable; a retired one is never used again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, get_resolver

from oauth_accounts import keyring
from oauth_accounts.conf import LEASE_SECONDS, conf

FORBIDDEN_ENVIRONMENT = (
    "OAUTHLIB_INSECURE_TRANSPORT",
    "OAUTHLIB_RELAX_TOKEN_SCOPE",
)


def check_keys(**kwargs: Any) -> list[CheckMessage]:
    """Check FERNET_KEYS: E001 unset, E002 malformed, W001 unset while developing."""
    keys = getattr(settings, "FERNET_KEYS", None)
    hint = (
        "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))' "
        "and keep it out of the code: FERNET_KEYS = [os.environ['FERNET_KEY']]"
    )
    if keys is None and settings.DEBUG:
        return [
            Warning(
                "FERNET_KEYS is not set: SECRET_KEY encrypts the tokens while DEBUG is on.",
                hint=hint,
                id="oauth_accounts.W001",
            )
        ]
    if keys is None:
        return [Error("FERNET_KEYS is not set.", hint=hint, id="oauth_accounts.E001")]
    return [
        Error(problem, hint=hint, id="oauth_accounts.E002")
        for problem in keyring.key_problems(keys)
    ]


def check_hkdf(**kwargs: Any) -> list[CheckMessage]:
    """Warn that switching key derivation off or on makes stored rows unreadable (W002)."""
    if getattr(settings, "FERNET_USE_HKDF", True):
        return []
    return [
        Warning(
            "FERNET_USE_HKDF is False: rows written with it on cannot be read.",
            hint="Leave it out, unless the rows were written without it from the start.",
            id="oauth_accounts.W002",
        )
    ]


def check_environment(**kwargs: Any) -> list[CheckMessage]:
    """Refuse variables that switch checks of oauthlib off for the whole process (E003)."""
    if settings.DEBUG:
        return []
    return [
        Error(
            f"The environment variable {name} is set.",
            hint="Unset it: it weakens OAuth for everything in this process.",
            id="oauth_accounts.E003",
        )
        for name in FORBIDDEN_ENVIRONMENT
        if os.environ.get(name)
    ]


def check_base_url(**kwargs: Any) -> list[CheckMessage]:
    """Check OAUTH_ACCOUNTS_BASE_URL: E004 malformed, W003 missing."""
    base = getattr(settings, "OAUTH_ACCOUNTS_BASE_URL", None)
    if base is None:
        if settings.DEBUG:
            return []
        return [
            Warning(
                "OAUTH_ACCOUNTS_BASE_URL is not set: accounts cannot be connected.",
                hint="Set it to the site's address, as 'https://www.example.com'.",
                id="oauth_accounts.W003",
            )
        ]
    if isinstance(base, str) and _is_base_url(base):
        return []
    return [
        Error(
            "OAUTH_ACCOUNTS_BASE_URL is not an https address.",
            hint="Set it to the site's address, as 'https://www.example.com'.",
            id="oauth_accounts.E004",
        )
    ]


def _is_base_url(base: str) -> bool:
    try:
        parts = urlsplit(base)
        _port = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    right = parts.scheme == "https" or (settings.DEBUG and parts.scheme == "http")
    return bool(parts.hostname) and plain and right


def check_private_hosts(**kwargs: Any) -> list[CheckMessage]:
    """Check that OAUTH_ACCOUNTS_PRIVATE_HOSTS is a list of text (E013)."""
    hosts: Any = conf.OAUTH_ACCOUNTS_PRIVATE_HOSTS
    collection = isinstance(hosts, list | tuple | set | frozenset)
    if collection and all(isinstance(host, str) for host in hosts):
        return []
    return [
        Error(
            "OAUTH_ACCOUNTS_PRIVATE_HOSTS is not a list of host names and networks.",
            hint="Also for a single one write a list, as ['sso.internal'].",
            id="oauth_accounts.E013",
        )
    ]


def check_providers(**kwargs: Any) -> list[CheckMessage]:
    """Check the shape of OAUTH_ACCOUNTS_PROVIDERS; syncing looks at the values (E014)."""
    providers: Any = conf.OAUTH_ACCOUNTS_PROVIDERS
    if isinstance(providers, Mapping) and all(
        isinstance(slug, str) and isinstance(values, Mapping)
        for slug, values in providers.items()
    ):
        return []
    return [
        Error(
            "OAUTH_ACCOUNTS_PROVIDERS is not a dict of slugs to dicts of field values.",
            hint="Write it as {'slug': {'client_id': ..., ...}}.",
            id="oauth_accounts.E014",
        )
    ]


def check_success_url(**kwargs: Any) -> list[CheckMessage]:
    """Check that OAUTH_ACCOUNTS_SUCCESS_URL leads somewhere, where it is set (E012)."""
    if not hasattr(settings, "OAUTH_ACCOUNTS_SUCCESS_URL") or not _urls_load():
        return []
    try:
        resolve_url(conf.OAUTH_ACCOUNTS_SUCCESS_URL)
    except (NoReverseMatch, TypeError):
        return [
            Error(
                "OAUTH_ACCOUNTS_SUCCESS_URL is neither the name of a URL nor a path.",
                hint="Write it as '/welcome/' or 'app:name'.",
                id="oauth_accounts.E012",
            )
        ]
    return []


def _urls_load() -> bool:
    try:
        return bool(get_resolver(settings.ROOT_URLCONF).url_patterns)
    except (AttributeError, ImportError, ImproperlyConfigured):
        # Django says so itself, and a process without pages needs no URLs.
        return False


def check_numbers(**kwargs: Any) -> list[CheckMessage]:
    """Check that times are positive and a call ends within its lease (E005)."""
    limits = {
        "OAUTH_ACCOUNTS_REFRESH_MARGIN": (0, 86_400),
        "OAUTH_ACCOUNTS_ATTEMPT_TTL": (30, 600),
        "OAUTH_ACCOUNTS_HTTP_TIMEOUT": (1, LEASE_SECONDS / 2),
    }
    problems: list[CheckMessage] = []
    for name, (low, high) in limits.items():
        try:
            right = low <= getattr(conf, name) <= high
        except (TypeError, ValueError, OverflowError):
            right = False
        if not right:
            problems.append(
                Error(
                    f"{name} must be a number of seconds from {low} to {high:g}.",
                    id="oauth_accounts.E005",
                )
            )
    return problems


def check_owner(**kwargs: Any) -> list[CheckMessage]:
    """Check owner model and owner callable: E006 no such model, E007 no callable."""
    if _owner_model() is None:
        return [
            Error(
                "OAUTH_ACCOUNTS_OWNER_MODEL names no installed model.",
                hint="Write it as 'app_label.Model'.",
                id="oauth_accounts.E006",
            )
        ]
    try:
        right = callable(conf.OAUTH_ACCOUNTS_GET_OWNER)
        message = "OAUTH_ACCOUNTS_GET_OWNER is not callable."
    except (ImproperlyConfigured, ImportError) as error:
        right, message = False, f"OAUTH_ACCOUNTS_GET_OWNER cannot be used: {error}"
    return [] if right else [Error(message, id="oauth_accounts.E007")]


def _owner_model() -> Any:
    try:
        return apps.get_model(conf.OAUTH_ACCOUNTS_OWNER_MODEL)
    except (LookupError, ValueError):
        return None


def check_celery(**kwargs: Any) -> list[CheckMessage]:
    """Refuse pickle in Celery's settings: a message could run code (E008)."""
    names = ("CELERY_ACCEPT_CONTENT", "CELERY_RESULT_ACCEPT_CONTENT")
    accepted = {c for name in names for c in getattr(settings, name, None) or ()}
    if accepted.isdisjoint({"pickle", "application/x-python-serialize"}):
        return []
    return [
        Error(
            "Celery accepts pickled messages.",
            hint="Set CELERY_ACCEPT_CONTENT = ['json'].",
            id="oauth_accounts.E008",
        )
    ]


def check_time_zone(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """
    Check that times are stored in UTC: E010 USE_TZ is off, E011 a database's TIME_ZONE.

    Whether a refresh is due and a lease has ended is decided by the database's clock.
    """
    if not settings.USE_TZ:
        return [
            Error(
                "USE_TZ is False: leases and due dates cannot be compared in UTC.",
                hint="Set USE_TZ = True.",
                id="oauth_accounts.E010",
            )
        ]
    return [
        Error(
            f"The database {alias!r} stores times in the zone {zone!r}, not in UTC.",
            hint=f"Remove TIME_ZONE from DATABASES[{alias!r}].",
            id="oauth_accounts.E011",
        )
        for alias in databases or ()
        if not connections[alias].features.supports_timezones
        and (zone := connections[alias].timezone_name) != "UTC"
    ]


def check_owner_table(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Refuse an owner model that is not the one the tables were made for (E009)."""
    return [
        Error(
            "OAUTH_ACCOUNTS_OWNER_MODEL was changed after migrating: the table of "
            f"connected accounts on {alias!r} refers to {found!r}.",
            hint="Set it back, or move the accounts and migrate oauth_accounts from zero.",
            id="oauth_accounts.E009",
        )
        for alias in databases or ()
        if (found := _foreign_owner_table(alias)) is not None
    ]


def _foreign_owner_table(alias: str) -> str | None:
    """Return the table that the owner column refers to when it is the wrong one."""
    connection = connections[alias]
    account = apps.get_model("oauth_accounts", "ConnectedAccount")
    owner = _owner_model()
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        if owner is None or account._meta.db_table not in tables:
            return None
        relations = connection.introspection.get_relations(
            cursor, account._meta.db_table
        )
    found = relations.get("owner_id")
    if found is None or found[1] == owner._meta.db_table:
        return None
    return str(found[1])
