"""Checks of the owner model, and of what the database says about it and about time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from oauth_accounts.conf import conf


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
