"""Workers as processes of their own, and what can be done to them at a chosen moment."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import connection, connections

from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.wire import RecordedRequest
from tests.command import wait_until

SECONDS = 30

# One order a line on stdin, one answer a line on stdout; the log goes to stderr.
CHILD = r"""
import logging, os, sys
import django
django.setup()
from django.db import DatabaseError, connection
from oauth_accounts import batch, lease, sweep, tasks
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import ConnectedAccount

for module in (batch, lease):
    seconds = os.environ.get("FAULTS_LEASE_SECONDS", module.LEASE_SECONDS)
    module.LEASE_SECONDS = float(seconds)
logging.basicConfig(level="INFO", format="%(levelname)s %(name)s %(message)s")
FUNCTIONS = {"postgresql": "pg_backend_pid()", "mysql": "CONNECTION_ID()"}

def session():
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + FUNCTIONS.get(connection.vendor, "0"))
        return cursor.fetchone()[0]

def do(order, key=None):
    if order == "session":
        return session()
    if order == "sweep":
        result = sweep.run()
        return f"{result.refreshed} {result.failed} {result.skipped}"
    if order == "task":
        return tasks.refresh_account(key)
    return getattr(ConnectedAccount.objects.get(pk=key), order)()

print(session(), flush=True)
for line in sys.stdin:
    try:
        answer = do(*line.split())
    except OAuthAccountsError as error:
        answer = error.code
    except DatabaseError as error:
        answer = type(error).__name__
    print(answer, flush=True)
"""


class Worker:
    """
    A process that refreshes when it is told to, with a connection of its own.

    environment: of the process; see the fixture `child_environment`. log: file for what
    it logs. lease_seconds: how long its claims last, where a minute is too long.

    session: the number that the database server knows its connection by.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        *,
        lease_seconds: float | None = None,
    ) -> None:
        self.log = log
        # What is killed leaves half a file of measurements.
        variables = {k: v for k, v in environment.items() if "COVERAGE" not in k}
        if lease_seconds is not None:
            variables["FAULTS_LEASE_SECONDS"] = str(lease_seconds)
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CHILD],
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self._session: int | None = None
        self._is_up = False
        self._orders = 0

    def end(self) -> None:
        """Kill the process, if it lives, and close its pipes."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def session(self) -> int:
        """Known when the process is up: the first use waits for that."""
        if self._session is None:
            if self._is_up:
                self._order("session")
            self._session = int(self.answer())
            self._is_up = True
        return self._session

    @property
    def is_idle(self) -> bool:
        """Say whether it lives and has nothing to do, so that others may use it."""
        return self.process.poll() is None and self._is_up and not self._orders

    @property
    def logged(self) -> str:
        return self.log.read_text()

    def begin(self, order: str, account: ConnectedAccount | None = None) -> None:
        """
        Give an order and do not wait.

        order: "sweep", "task" or a method of the account ("refresh", "get_access_token").
        """
        assert self.session is not None
        self._orders += 1
        self._order(order, "" if account is None else str(account.pk))

    def _order(self, *words: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{' '.join(words)}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """Return what came of an order: its value, or the code of its error."""
        stdout = self.process.stdout
        assert stdout is not None
        assert select.select([stdout], [], [], SECONDS)[0], self.logged
        line = stdout.readline()
        assert line, self.logged
        self._orders = max(0, self._orders - 1)
        return line.strip()

    def do(self, order: str, account: ConnectedAccount | None = None) -> str:
        """Give an order and return what came of it."""
        self.begin(order, account)
        return self.answer()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def freeze(self, request: RecordedRequest | None = None) -> None:
        """Stop the process where it is; as a hook: while it waits for the answer."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.send(signal.SIGCONT)

    def kill(self, request: RecordedRequest | None = None) -> None:
        """End the process as the kernel does when memory runs out."""
        self.process.kill()
        self.process.wait()

    def cut(self, request: RecordedRequest | None = None) -> None:
        """Let the database server end the connection of this worker."""
        end_session(self.session)
        # It will have another one when it needs it.
        self._session = None

    def is_blocked(self) -> bool:
        """Say whether it waits for a lock in the database; unknown to SQLite."""
        return is_blocked(self.session)


class Lock:
    """
    A lock that somebody else holds: on one row, or on everything on SQLite.

    Taken and released from any thread; it may outlast the hook that takes it.
    """

    def __init__(self, row: ConnectedAccount | Provider) -> None:
        self._rows = type(row)._base_manager.filter(pk=row.pk)
        self._connection = connections.create_connection("default")
        self._connection.inc_thread_sharing()
        self.is_taken = False

    def take(self, request: RecordedRequest | None = None) -> None:
        """Lock the row."""
        self._connection.set_autocommit(False)
        # As SQL, because a queryset uses the connection of its thread.
        query = self._rows.order_by().query
        sql, parameters = query.get_compiler(connection=self._connection).as_sql()
        with self._connection.cursor() as cursor:
            if self._connection.vendor == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            else:
                cursor.execute(f"{sql} FOR UPDATE", parameters)
                cursor.fetchall()
        self.is_taken = True

    def release(self) -> None:
        """Let others have the row."""
        if self._connection.connection is not None:
            self._connection.rollback()
            self._connection.close()


def end_session(session: int) -> None:
    """Let the database server end a connection; it is gone on return."""
    if not _sessions("= %s", session):
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [session])
        else:
            cursor.execute(f"KILL CONNECTION {session:d}")
    wait_until(lambda: not _sessions("= %s", session))


def is_blocked(session: int) -> bool:
    """Say whether a connection waits for a lock."""
    return any(_sessions("= %s", session))


def somebody_waits() -> bool:
    """Say whether any connection to this test's database waits for a lock."""
    return any(_sessions("<> %s", 0))


def _sessions(condition: str, session: int) -> list[Any]:
    queries = {
        "postgresql": "SELECT wait_event_type = 'Lock' FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid ",
        # INNODB_TRX would say it better, but stays as it is while somebody polls it.
        "mysql": "SELECT command = 'Query' AND time_ms > 50 "
        "FROM information_schema.processlist "
        "WHERE db = DATABASE() AND id <> CONNECTION_ID() AND id ",
    }
    with connection.cursor() as cursor:
        cursor.execute(queries[connection.vendor] + condition, [session])
        return [value for (value,) in cursor.fetchall()]
