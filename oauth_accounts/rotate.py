"""
Re-encrypt what is sealed under older keys with the newest one, while everything runs.

Rows are read without a lock, and written only if nobody has written them since: a refresh
that runs beside this keeps its tokens, and is not kept from storing them. Each batch is a
transaction of its own, so a run that is killed has lost nothing, and the next one goes on
with what is left.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import router
from django.db.models import Count as CountOf
from django.db.models import QuerySet

from oauth_accounts import keyring, sealed_rows
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.keyring import Keyring
from oauth_accounts.models import AccountEvent
from oauth_accounts.sealed_rows import Change, Row, SealedTable

BATCH_SIZE = 1000
# Rows that others wrote or locked meanwhile are looked at again, so often and after a while.
PASSES = 5
PAUSE_SECONDS = 0.5
# Each answer of the database would wait 5 ms for the interpreter, as long as the other thread
# seals, and a batch has several.
SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a run did."""

    resealed: int
    """Rows that were written, or would have been."""
    undecryptable: int
    """Rows that hold a value which no key opens; it was left as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """Rows of one table under one key."""

    label: str
    """What the rows are, in words."""
    key_id: str | None
    """As the row says it, or the oldest that opens it; None when no key does."""
    age: str
    """"newest", "older" or "unknown", seen from FERNET_KEYS."""
    count: int


def run(
    *,
    batch_size: int = BATCH_SIZE,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """
    Bring every sealed value that opens under the newest key.

    batch_size: rows in one transaction. dry_run: open them, write nothing. progress: called
    with the number of rows looked at so far; may raise to end the run.

    Raises ImproperlyConfigured when FERNET_KEYS is not usable.
    """
    rotation = _Rotation(batch_size, dry_run, progress)
    with _tuned():
        for table in sealed_rows.tables():
            rotation.rotate(table)
    return Result(resealed=rotation.resealed, undecryptable=rotation.undecryptable)


@contextmanager
def _tuned() -> Iterator[None]:
    """Let the interpreter do this work with less effort."""
    usual, frozen = sys.getswitchinterval(), gc.get_freeze_count()
    sys.setswitchinterval(SWITCH_SECONDS)
    # Rows come and go by the thousand, and each time the collector would look through
    # everything that the process has loaded.
    gc.freeze()
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
        if not frozen:
            gc.unfreeze()


def count_rows() -> int:
    """Return how many rows a run has to look at."""
    key_id = keyring.current_key_id()
    return sum(table.without(key_id).count() for table in sealed_rows.tables())


def count_keys() -> list[Count]:
    """
    Return how many rows are under which key.

    Accounts are counted by the key that they name. The others, which are few, are opened.
    """
    ring = keyring.current()
    return [
        Count(label=table.label, key_id=key_id, age=age_of(key_id, ring), count=count)
        for table in sealed_rows.tables()
        for key_id, count in _count(table, ring)
    ]


def age_of(key_id: str | None, ring: Keyring) -> str:
    """Say whether a key is "newest", "older" or "unknown"."""
    if key_id == ring.current_id:
        return "newest"
    return "older" if key_id in ring.ids else "unknown"


class _Rotation:
    """One run over all tables, with the keys that were in force when it began."""

    def __init__(
        self, batch_size: int, dry_run: bool, progress: Callable[[int], None] | None
    ) -> None:
        self.resealed = self.undecryptable = 0
        self._ring = keyring.current()
        self._batch_size = batch_size
        self._dry_run = dry_run
        self._progress = progress
        self._seen = 0

    def rotate(self, table: SealedTable) -> None:
        """Rotate one table; what others are at work on, a little later."""
        for _pass in range(PASSES):
            undecryptable, missed = self._pass(table)
            if not missed:
                break
            time.sleep(PAUSE_SECONDS)
        self.undecryptable += undecryptable

    def _pass(self, table: SealedTable) -> tuple[int, int]:
        """Return how many rows do not open, and how many were not as they were read."""
        undecryptable = missed = 0
        for sealed in self._resealed(table):
            undecryptable += sealed.undecryptable
            changes = sealed.changes
            done = len(changes) if self._dry_run else self._write(table, changes)
            missed += len(changes) - done
            self.resealed += done
            self._seen += sealed.rows
            if self._progress:
                self._progress(self._seen)
        return undecryptable, missed

    def _resealed(self, table: SealedTable) -> Iterator[_Sealed]:
        """Seal one batch while the database reads the next and writes the last."""
        rows = table.without(self._ring.current_id)
        with ThreadPoolExecutor(1, "oauth_accounts.rotate") as sealer:
            under_way: Future[_Sealed] | None = None
            for batch in _batches(table, rows, self._batch_size):
                before, under_way = under_way, sealer.submit(_seal, self._ring, batch)
                if before:
                    yield before.result()
            if under_way:
                yield under_way.result()

    def _write(self, table: SealedTable, changes: list[Change]) -> int:
        done = sealed_rows.swap(table, changes)
        if done and not self.resealed:
            # With the first rows, because the run may not come to its end.
            self._record()
        return done

    def _record(self) -> None:
        alias = router.db_for_write(AccountEvent)
        AccountEvent.objects.using(alias).create(
            kind=AccountEvent.Kind.KEYS_ROTATED, reason=self._ring.current_id
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sealed:
    """What became of a batch when it was sealed anew."""

    rows: int
    changes: list[Change]
    """Of the rows that are not as they should be, or as they have to stay."""
    undecryptable: int
    """Rows of which something did not open."""


def _batches(table: SealedTable, rows: QuerySet[Any], size: int) -> Iterator[list[Row]]:
    after = None
    while batch := table.read(rows, after, size):
        yield batch
        if len(batch) < size:
            return
        after = batch[-1].key


def _seal(ring: Keyring, batch: list[Row]) -> _Sealed:
    changes, undecryptable = [], 0
    for row in batch:
        values, opened = _seal_values(ring, row)
        undecryptable += not opened
        change = Change(
            row=row, values=values, key_id=ring.current_id if opened else row.key_id
        )
        if change.is_needed():
            changes.append(change)
    return _Sealed(rows=len(batch), changes=changes, undecryptable=undecryptable)


def _seal_values(ring: Keyring, row: Row) -> tuple[tuple[bytes | None, ...], bool]:
    """Return the row's values under the newest key, and whether all of them opened."""
    values, opened = [], True
    for value in row.values:
        try:
            values.append(value and ring.reseal(value, row.key_id))
        except TokenUndecryptable:
            # The row's other values are brought along: their key may be dropped next.
            values.append(value)
            opened = False
    return tuple(values), opened


def _count(table: SealedTable, ring: Keyring) -> list[tuple[str | None, int]]:
    if table.fences:
        counted = table.rows().order_by().values_list("key_id")
        found = dict(counted.annotate(count=CountOf("pk")))
    else:
        batches = _batches(table, table.rows(), BATCH_SIZE)
        found = Counter(_oldest(ring, row) for batch in batches for row in batch)
    # In the order of FERNET_KEYS.
    order = {key_id: number for number, key_id in enumerate(ring.ids)}
    return sorted(found.items(), key=lambda item: order.get(item[0], len(order)))


def _oldest(ring: Keyring, row: Row) -> str | None:
    """Return the oldest key that the row needs; None when a value opens with none."""
    found = [ring.id_of(value) for value in row.values if value is not None]
    return None if None in found else max(found, key=ring.ids.index)
