"""The check of providers that were altered by SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import connections


def check_pins(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """
    Check that the addresses of the providers are those that were pinned (W008).

    A pin that does not open is a matter of the keys, and of other checks.
    """
    return [
        Warning(
            f"Provider {slug!r} on {alias!r} was altered by other means than the admin, "
            f"the settings or code: {', '.join(names)}. Nothing is sent to it.",
            hint=f"Put it back, or run: manage.py oauth_accounts rebind {slug}",
            id="oauth_accounts.W008",
        )
        for alias in databases or ()
        for slug, names in _altered(alias)
    ]


def _altered(alias: str) -> Iterator[tuple[str, list[str]]]:
    provider = apps.get_model("oauth_accounts", "Provider")
    if not _is_migrated(alias, provider):
        return
    for row in provider._default_manager.using(alias).order_by("slug"):
        try:
            if row.is_altered():
                yield row.slug, row.altered_columns()
        except ImproperlyConfigured:
            # No keys, which E001 says.
            return


def _is_migrated(alias: str, provider: Any) -> bool:
    """Say whether the columns are there; `migrate` runs the checks before it makes them."""
    connection, table = connections[alias], provider._meta.db_table
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            return False
        found = connection.introspection.get_table_description(cursor, table)
    wanted = {field.column for field in provider._meta.concrete_fields}
    return wanted <= {column.name for column in found}
