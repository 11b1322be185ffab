"""A few stored rows are opened, to notice wrong keys before somebody needs a token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from fernet_fields import EncryptedTextField

from oauth_accounts import keyring
from oauth_accounts.keyring import Keyring

# Rows from either end of the primary key, which is random: a sample that an index gives,
# whatever the size of the table.
SAMPLE = 50
MODELS = ("Provider", "ConnectedAccount")


def check_canary(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Warn when stored rows do not open with FERNET_KEYS (W007)."""
    try:
        ring = keyring.current()
    except ImproperlyConfigured:
        return []  # E001 and E002 say so
    return [
        _warning(alias, label, closed, len(rows))
        for alias in databases or ()
        for label, rows in _samples(alias)
        if (closed := sum(not _opens(ring, row) for row in rows))
    ]


def _samples(alias: str) -> Iterator[tuple[Any, list[list[bytes]]]]:
    """Give the sealed values of some rows of each table that has been made already."""
    for name in MODELS:
        model = apps.get_model("oauth_accounts", name)
        if columns := _sealed_columns(alias, model):
            rows = model._base_manager.using(alias).values_list("pk", *columns)
            ends = [*rows.order_by("pk")[:SAMPLE], *rows.order_by("-pk")[:SAMPLE]]
            sample = {row[0]: _ciphertexts(row[1:]) for row in ends}
            yield model._meta.verbose_name_plural, list(sample.values())


def _sealed_columns(alias: str, model: Any) -> list[str]:
    connection = connections[alias]
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            return []  # `migrate` runs the checks before it makes tables and columns
        described = connection.introspection.get_table_description(cursor, table)
    present = {column.name for column in described}
    return [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedTextField) and field.column in present
    ]


def _ciphertexts(values: Sequence[Any]) -> list[bytes]:
    return [value.ciphertext for value in values if value is not None]


def _opens(ring: Keyring, values: list[bytes]) -> bool:
    return all(ring.id_of(value) is not None for value in values)


def _warning(alias: str, label: Any, closed: int, looked_at: int) -> Warning:
    return Warning(
        f"{closed} of {looked_at} {label} that were looked at on {alias!r} do not open with "
        "FERNET_KEYS.",
        hint="Add the key they were sealed with to the end of the list. "
        "'manage.py oauth_accounts status' counts all accounts by key.",
        id="oauth_accounts.W007",
    )
