"""Every table with sealed columns: its rows, and a write that overwrites nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.apps import apps
from django.db import connections, router, transaction
from django.db.models import BinaryField, ExpressionWrapper, F, Model, Q, QuerySet

from oauth_accounts.fields import SealedTextField

# What a table has whose rows say which key they are under. Whoever writes tokens there
# raises the generation.
FENCES = ("generation", "key_id")
# Equal, or both NULL.
SAME = {"sqlite": "IS", "mysql": "<=>", "postgresql": "IS NOT DISTINCT FROM"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedTable:
    """A table that holds sealed values, found by its fields: none can be forgotten."""

    model: type[Model]
    columns: tuple[str, ...]
    """Fields that are sealed."""
    fences: tuple[str, ...]
    """Fields that tell of a write by others; () where only the sealed values do."""

    @property
    def alias(self) -> str:
        """Database that it is written to."""
        return router.db_for_write(self.model)

    @property
    def label(self) -> str:
        return str(self.model._meta.verbose_name_plural)

    def rows(self) -> QuerySet[Any]:
        """Return the query for the rows that hold something sealed."""
        held = reduce(or_, (Q((f"{name}__isnull", False)) for name in self.columns))
        return self.model._base_manager.using(self.alias).filter(held)

    def without(self, key_id: str) -> QuerySet[Any]:
        """Return the query for the rows that are not known to be under this key."""
        return self.rows().exclude(key_id=key_id) if self.fences else self.rows()

    def read(self, rows: QuerySet[Any], after: Any, limit: int) -> list[Row]:
        """Return the next rows by key. after: the last one that was read, None at first."""
        if after is not None:
            rows = rows.filter(pk__gt=after)
        raw = (
            ExpressionWrapper(F(n), output_field=BinaryField()) for n in self.columns
        )
        read = rows.order_by("pk").values_list("pk", *self.fences, *raw)
        first = 1 + len(self.fences)
        return [
            Row(
                key=values[0],
                fences=values[1:first],
                values=tuple(None if v is None else bytes(v) for v in values[first:]),
            )
            for values in read[:limit]
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row as it was read."""

    key: Any
    fences: tuple[Any, ...]
    values: tuple[bytes | None, ...]
    """Ciphertexts, in the order of the table's columns."""

    @property
    def key_id(self) -> str:
        """Which key it says it is under; "" when it does not."""
        return str(self.fences[-1]) if self.fences else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """New ciphertexts for a row."""

    row: Row
    values: tuple[bytes | None, ...]
    key_id: str
    """Of the row from now on, where there is such a column."""

    def is_needed(self) -> bool:
        """Say whether anything would be different."""
        is_named = bool(self.row.fences) and self.key_id != self.row.key_id
        return is_named or self.values != self.row.values


def tables() -> list[SealedTable]:
    """Return the tables of this app; those first whose values are moved to the others."""
    found = [
        _table(model, columns)
        for model in apps.get_app_config("oauth_accounts").get_models()
        if (columns := _sealed_columns(model))
    ]
    return sorted(found, key=lambda table: not table.fences)


def _sealed_columns(model: type[Model]) -> tuple[str, ...]:
    columns = model._meta.concrete_fields
    return tuple(field.name for field in columns if isinstance(field, SealedTextField))


def _table(model: type[Model], columns: tuple[str, ...]) -> SealedTable:
    names = {field.name for field in model._meta.concrete_fields}
    fences = FENCES if names.issuperset(FENCES) else ()
    return SealedTable(model=model, columns=columns, fences=fences)


def swap(table: SealedTable, changes: Sequence[Change]) -> int:
    """
    Write the changes whose rows are still as they were read; return how many that were.

    Waits for nobody's locks, where the database can do that.
    """
    if not changes:
        return 0
    if table.fences and connections[table.alias].vendor == "postgresql":
        return _swap_at_once(table, changes)
    # One transaction, because what costs is the commit.
    with transaction.atomic(using=table.alias):
        free = _not_locked(table, changes)
        return _swap_each(table, [c for c in changes if c.row.key in free])


# One statement for all rows. A column is one text, its values divided by commas: Fernet
# tokens and keys have none, and arrays of bytes take the driver longer than sealing does.
# NULL keeps what the row has.
_SWAP = """
UPDATE {table} AS a SET {assignments}, key_id = v.new_key_id
FROM unnest(
  string_to_array(%s, ',')::uuid[], string_to_array(%s, ',')::bigint[],
  string_to_array(%s, ','), string_to_array(%s, ','), {arrays}
) AS v (id, generation, key_id, new_key_id, {names})
WHERE a.id = v.id AND a.generation = v.generation AND a.key_id = v.key_id
  AND a.id IN (
    SELECT id FROM {table} WHERE id = ANY(string_to_array(%s, ',')::uuid[])
    FOR NO KEY UPDATE SKIP LOCKED
  )
"""


def _swap_at_once(table: SealedTable, changes: Sequence[Change]) -> int:
    connection = connections[table.alias]
    statement = _SWAP.format(
        table=connection.ops.quote_name(table.model._meta.db_table),
        assignments=", ".join(
            f"{name} = COALESCE(convert_to(v.{name}, 'UTF8'), a.{name})"
            for name in table.columns
        ),
        arrays=", ".join(["string_to_array(%s, ',', '')"] * len(table.columns)),
        names=", ".join(table.columns),
    )
    rows = [change.row for change in changes]
    keys = ",".join(str(row.key) for row in rows)
    fences = zip(*(row.fences for row in rows), strict=True)
    values = zip(*(_changed(change) for change in changes), strict=True)
    parameters = [
        keys,
        *(",".join(map(str, column)) for column in fences),
        ",".join(change.key_id for change in changes),
        *(b",".join(column).decode("ascii") for column in values),
        keys,
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)


def _changed(change: Change) -> list[bytes]:
    pairs = zip(change.row.values, change.values, strict=True)
    return [new if new and new is not old else b"" for old, new in pairs]


def _not_locked(table: SealedTable, changes: Sequence[Change]) -> set[Any]:
    keys = [change.row.key for change in changes]
    if not connections[table.alias].features.has_select_for_update_skip_locked:
        return set(keys)
    rows = table.model._base_manager.using(table.alias).filter(pk__in=keys)
    return set(rows.select_for_update(skip_locked=True).values_list("pk", flat=True))


def _swap_each(table: SealedTable, changes: Sequence[Change]) -> int:
    if not changes:
        return 0
    connection: Any = connections[table.alias]
    meta, same = table.model._meta, SAME[connection.vendor]
    key: Any = meta.pk
    assigned = (*table.columns, "key_id") if table.fences else table.columns
    compared = table.fences or table.columns
    statement = (
        f"UPDATE {connection.ops.quote_name(meta.db_table)} "  # our names  # noqa: S608  # nosec B608
        f"SET {', '.join(f'{name} = %s' for name in assigned)} "
        f"WHERE {key.column} = %s"
        f"{''.join(f' AND {name} {same} %s' for name in compared)}"
    )
    rows = [
        (
            *change.values,
            *((change.key_id,) if table.fences else ()),
            key.get_db_prep_value(change.row.key, connection),
            *(change.row.fences or change.row.values),
        )
        for change in changes
    ]
    binary = connection.Database.Binary
    with connection.cursor() as cursor:
        cursor.executemany(
            statement,
            [[binary(v) if isinstance(v, bytes) else v for v in row] for row in rows],
        )
        return int(cursor.rowcount)
