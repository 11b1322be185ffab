"""A look behind the pages, past the ORM too."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection

SEALED_COLUMNS = ("access_token", "refresh_token", "id_token")


def account() -> Any:
    """Return the connected account as it is stored now; there is one in the demo."""
    model = apps.get_model("oauth_accounts", "ConnectedAccount")
    return model.objects.select_related("provider").latest("created_at")


def revocations(key: Any) -> Any:
    """Return the outbox rows of an account that has this primary key."""
    model = apps.get_model("oauth_accounts", "PendingRevocation")
    return model.objects.filter(account_key=key).order_by("created_at")


def raw_columns(key: Any) -> dict[str, bytes]:
    """Return the sealed columns of an account as the database holds them."""
    model = apps.get_model("oauth_accounts", "ConnectedAccount")
    stored = model._meta.pk.get_db_prep_value(key, connection)
    where = f"{connection.ops.quote_name(model._meta.db_table)} WHERE id = %s"
    with connection.cursor() as cursor:
        # The table is this project's own, quoted; the value is a parameter.
        cursor.execute(f"SELECT * FROM {where}", [stored])  # noqa: S608  # nosec B608
        names = [column[0] for column in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True))
    return {name: as_bytes(row[name]) for name in SEALED_COLUMNS}


def cells() -> Iterator[bytes]:
    """Yield every value of every table of the client site's database."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table in tables:
            quoted = connection.ops.quote_name(table)
            # Names that the database itself told, quoted.
            cursor.execute(f"SELECT * FROM {quoted}")  # noqa: S608  # nosec B608
            for row in cursor.fetchall():
                yield from map(as_bytes, row)


def as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return str(value).encode()


def provider_knows(folder: Path, token: str) -> bool:
    """
    Say whether the authorization server has issued this access token.

    It keeps SHA-256 of its tokens: enough to know one when it sees one.
    """
    checksum = hashlib.sha256(token.encode()).hexdigest()
    query = "SELECT count(*) FROM oauth2_provider_accesstoken WHERE token_checksum = ?"
    path = folder / "provider.sqlite3"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        return bool(database.execute(query, [checksum]).fetchone()[0])
