"""Rows as they lie in the database, past the models."""

from __future__ import annotations

from django.db import connection


def stored(row, name="access_token") -> bytes | None:
    """Return the bytes of a column as they lie in the database."""
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(row._meta.db_table)
        cursor.execute(
            f"SELECT {name} FROM {table} WHERE id = %s",  # noqa: S608
            [type(row)._meta.pk.get_db_prep_value(row.pk, connection)],
        )
        [value] = cursor.fetchone()
    return None if value is None else bytes(value)


def store(row, name, value: bytes | None) -> None:
    """Write bytes to a column as somebody with access to the database would."""
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(row._meta.db_table)
        cursor.execute(
            f"UPDATE {table} SET {name} = %s WHERE id = %s",  # noqa: S608
            [
                None if value is None else connection.Database.Binary(value),
                type(row)._meta.pk.get_db_prep_value(row.pk, connection),
            ],
        )


def again(row):
    return type(row).objects.get(pk=row.pk)


def alter(row, **values: str) -> None:
    """Write columns of text as somebody with access to the database would."""
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(row._meta.db_table)
        columns = ", ".join(f"{connection.ops.quote_name(n)} = %s" for n in values)
        key = type(row)._meta.pk.get_db_prep_value(row.pk, connection)
        cursor.execute(
            f"UPDATE {table} SET {columns} WHERE id = %s",  # noqa: S608
            [*values.values(), key],
        )
