"""
Run a piece of work so that the caller's transaction cannot take it back.

A refresh token is spent the moment the provider answers. Were the new one written inside
the caller's transaction, a rollback would lose it for good.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from django.db import DatabaseError, connections, transaction
from django.db.models import QuerySet

from oauth_accounts.exceptions import RefreshInTransaction

T = TypeVar("T")

# How long a short lock of another process may stand in the way (seconds).
PROBE_SECONDS = 1.0
# How long one statement of the work may wait for a lock (seconds).
LOCK_SECONDS = 5

_inline: ContextVar[bool] = ContextVar("oauth_accounts_inline", default=False)


def run(alias: str, work: Callable[[], T], locks: Sequence[QuerySet[Any]] = ()) -> T:
    """
    Call `work` outside any transaction of the caller and return what it returns.

    alias: database that the work writes to.
    work: called here, or in a thread with a connection of its own when the caller is
        inside a transaction.
    locks: the rows the work is going to write or refer to; they have to exist and to be
        free, because the caller waits for the work with all its locks in its hands.

    Raises RefreshInTransaction, before anything is done, when the work cannot be kept
    apart from the transaction: its rows are not committed yet or locked by it, or the
    database is SQLite and the transaction stands in the way of any other writer.
    """
    connection = connections[alias]
    # Without autocommit the caller is inside a transaction even where no block is open.
    outside = connection.get_autocommit() and not connection.in_atomic_block
    if outside or _inline.get():
        return work()
    if is_in_memory(alias):
        raise RefreshInTransaction
    return _in_thread(alias, work, locks)


@contextmanager
def inline() -> Iterator[None]:
    """Let work run inside the transaction that wraps a test; for `testing` only."""
    token = _inline.set(True)
    try:
        yield
    finally:
        _inline.reset(token)


def is_inline() -> bool:
    """Say whether work runs inside the transaction of a test."""
    return _inline.get()


def is_in_memory(alias: str) -> bool:
    """Say whether another thread would open another, empty database."""
    connection: Any = connections[alias]
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())


def _in_thread(alias: str, work: Callable[[], T], locks: Sequence[QuerySet[Any]]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            connections[alias].set_autocommit(True)
            _bound_waiting(alias)
            _probe(alias, locks)
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again in the caller
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=target, name="oauth_accounts.durable")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _bound_waiting(alias: str) -> None:
    """
    Let no statement of this connection wait long for a lock.

    The caller may hold it, and is joined to this thread: a deadlock that no server sees.
    """
    vendor = connections[alias].vendor
    bound = {
        "postgresql": f"SET lock_timeout = '{LOCK_SECONDS}s'",
        "mysql": f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}",
    }
    if vendor in bound:
        with connections[alias].cursor() as cursor:
            cursor.execute(bound[vendor])


def _probe(alias: str, locks: Sequence[QuerySet[Any]]) -> None:
    """Make sure that this connection can see and write the rows, without waiting long."""
    if connections[alias].vendor == "sqlite":
        _probe_sqlite(alias)
    for rows in locks:
        _probe_rows(alias, rows)


def _probe_sqlite(alias: str) -> None:
    # EXCLUSIVE, because a reader inside a transaction blocks the commit of every writer
    # when the journal is not a WAL, which IMMEDIATE would not notice.
    with connections[alias].cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (usual,) = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {int(PROBE_SECONDS * 1000)}")
        try:
            cursor.execute("BEGIN EXCLUSIVE")
            cursor.execute("ROLLBACK")
        except DatabaseError:
            raise RefreshInTransaction from None
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual)}")


def _probe_rows(alias: str, locks: QuerySet[Any]) -> None:
    features = connections[alias].features
    options: dict[str, Any] = {
        "nowait": features.has_select_for_update_nowait,
        # Rows that others merely refer to are free enough.
        "no_key": features.has_select_for_no_key_update,
    }
    deadline = time.monotonic() + PROBE_SECONDS
    while True:
        try:
            with transaction.atomic(using=alias):
                rows = locks.using(alias).select_for_update(**options)
                found = list(rows.values_list("pk", flat=True))
            break
        except DatabaseError:
            if time.monotonic() > deadline:
                raise RefreshInTransaction from None
            time.sleep(0.05)
    if not found:
        raise RefreshInTransaction("row_not_committed")
