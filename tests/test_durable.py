"""Work that the caller's transaction cannot take back, or that is not begun at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
from django.db import connection, connections, transaction
from django.db.models import F

from oauth_accounts import durable
from oauth_accounts.exceptions import RefreshInTransaction
from oauth_accounts.models import Provider
from oauth_accounts.testing.factories import ProviderFactory

pytestmark = pytest.mark.django_db(transaction=True)
NEVER = "this work must not be begun"


@pytest.fixture
def provider(transactional_db):
    return ProviderFactory(slug="a", name="before")


@pytest.fixture
def rows(provider):
    return Provider.objects.filter(pk=provider.pk)


def name_of(provider) -> str:
    return Provider.objects.values_list("name", flat=True).get(pk=provider.pk)


def refuse():
    pytest.fail(NEVER)


class TestWithoutTransaction:
    def test_work_is_done_here(self):
        assert durable.run("default", threading.get_ident) == threading.get_ident()

    def test_its_errors_come_through(self):
        with pytest.raises(ZeroDivisionError):
            durable.run("default", lambda: 1 / 0)


@pytest.mark.postgres
@pytest.mark.mariadb
class TestInsideTransaction:
    def test_a_rollback_does_not_take_it_back(self, provider, rows):
        with transaction.atomic():
            done = durable.run(
                "default", lambda: rows.update(name="kept"), locks=[rows]
            )
            transaction.set_rollback(True)

        assert done == 1
        assert name_of(provider) == "kept"

    def test_nor_does_an_exception_or_a_nested_block(self, provider, rows):
        def fails_later():
            with transaction.atomic():
                durable.run("default", lambda: rows.update(name="kept"), locks=[rows])
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), transaction.atomic():
            fails_later()

        assert name_of(provider) == "kept"

    def test_nor_does_a_caller_without_autocommit(self, provider, rows):
        transaction.set_autocommit(False)
        try:
            durable.run("default", lambda: rows.update(name="kept"), locks=[rows])
            transaction.rollback()
        finally:
            transaction.set_autocommit(True)

        assert name_of(provider) == "kept"

    def test_it_is_done_apart_and_its_connection_is_closed(self, rows):
        seen = []

        def work():
            seen.extend([threading.get_ident(), connection.in_atomic_block])
            seen.append(connections["default"])
            return "result"

        with transaction.atomic():
            assert durable.run("default", work) == "result"

        assert seen[0] != threading.get_ident()
        assert seen[1] is False
        assert seen[2].connection is None

    def test_its_errors_come_through_and_leave_the_transaction_usable(self, rows):
        with transaction.atomic():
            with pytest.raises(ZeroDivisionError):
                durable.run("default", lambda: 1 / 0, locks=[rows])
            assert rows.update(name="mine") == 1

        assert rows.get().name == "mine"

    def test_rows_the_caller_has_locked_are_refused_before_anything(self, rows):
        with transaction.atomic():
            rows.select_for_update().get()
            begun = time.monotonic()
            with pytest.raises(RefreshInTransaction):
                durable.run("default", refuse, locks=[rows])
            assert time.monotonic() - begun < 3

    def test_rows_the_caller_has_written_are_refused_before_anything(self, rows):
        with transaction.atomic():
            rows.update(name="mine")
            with pytest.raises(RefreshInTransaction):
                durable.run("default", refuse, locks=[rows])

    def test_other_rows_may_be_locked(self, provider, rows):
        other = ProviderFactory(slug="b")
        with transaction.atomic():
            Provider.objects.select_for_update().get(pk=other.pk)
            durable.run("default", lambda: rows.update(name="kept"), locks=[rows])

        assert name_of(provider) == "kept"

    def test_a_short_lock_of_somebody_else_is_waited_for(self, provider, rows):
        locked, release = threading.Event(), threading.Event()

        def hold():
            with transaction.atomic():
                rows.select_for_update().get()
                locked.set()
                release.wait(5)
            connection.close()

        holder = threading.Thread(target=hold)
        holder.start()
        locked.wait(5)
        threading.Timer(0.2, release.set).start()
        with transaction.atomic():
            durable.run("default", lambda: rows.update(name="kept"), locks=[rows])
        holder.join()

        assert name_of(provider) == "kept"


def test_rows_that_are_not_committed_are_refused_before_anything(db):
    """On every database; but for PostgreSQL the lock on them is what is noticed."""
    with transaction.atomic():
        new = ProviderFactory(slug="new")
        with pytest.raises(RefreshInTransaction) as caught:
            durable.run("default", refuse, locks=[Provider.objects.filter(pk=new.pk)])

    seen = "row_not_committed" if connection.vendor == "postgresql" else None
    assert caught.value.code == (seen or "refresh_in_transaction")


@pytest.mark.sqlite
class TestSqlite:
    @pytest.fixture
    def deferred(self, monkeypatch, provider):
        """Transactions as SQLite begins them by itself: locking at the first write."""
        monkeypatch.setattr(connections["default"], "transaction_mode", None)

    def test_a_write_pending_is_refused_quickly(self, rows, deferred):
        with transaction.atomic():
            rows.update(name="mine")
            begun = time.monotonic()
            with pytest.raises(RefreshInTransaction):
                durable.run("default", refuse, locks=[rows])
            assert time.monotonic() - begun < 2
            assert rows.update(name=F("name")) == 1

        assert rows.get().name == "mine"

    def test_an_immediate_transaction_is_refused_quickly(self, rows):
        with transaction.atomic():
            begun = time.monotonic()
            with pytest.raises(RefreshInTransaction):
                durable.run("default", refuse, locks=[rows])
            assert time.monotonic() - begun < 2

    def test_a_deferred_one_that_only_reads_is_no_hindrance(
        self, provider, rows, deferred
    ):
        with transaction.atomic():
            assert rows.get().name == "before"
            durable.run("default", lambda: rows.update(name="kept"), locks=[rows])
            transaction.set_rollback(True)

        assert name_of(provider) == "kept"

    def test_without_a_wal_a_reader_is_one(self, tmp_path):
        """In a database of its own: a log is kept while anybody else is connected."""
        said = in_a_child(WITHOUT_A_LOG, str(tmp_path / "unlogged.sqlite3"))
        assert said.stdout.split() == ["delete", "refused"], said.stderr

    def test_the_usual_patience_is_set_again_for_the_work(self, rows, deferred):
        def patience():
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout")
                return cursor.fetchone()[0]

        with transaction.atomic():
            assert durable.run("default", patience, locks=[rows]) == 20_000

    def test_work_without_rows_is_done(self, deferred):
        with transaction.atomic():
            assert durable.run("default", lambda: "done") == "done"

    def test_a_database_in_memory_is_another_one_for_another_thread(self):
        said = in_a_child(IN_MEMORY, ":memory:")
        assert said.stdout.split() == ["outside", "inline", "refused"], said.stderr


def in_a_child(program, database):
    """Run a program of its own process. database: name of a file of SQLite's."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "TEST_DATABASE": "sqlite",
            "TEST_DATABASE_NAME": database,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


WITHOUT_A_LOG = """
import django
django.setup()

from django.core.management import call_command
from django.db import connection, connections, transaction
from oauth_accounts import durable
from oauth_accounts.exceptions import RefreshInTransaction
from oauth_accounts.models import Provider

connections.settings["default"]["OPTIONS"]["init_command"] = ""
call_command("migrate", verbosity=0)
with connection.cursor() as cursor:
    cursor.execute("PRAGMA journal_mode=DELETE")
    print(cursor.fetchone()[0])
connection.transaction_mode = None
rows = Provider.objects.filter(slug="tracker")
Provider.objects.create(slug="tracker", name="Tracker", client_id="x")
with transaction.atomic():
    assert rows.get().name == "Tracker"
    try:
        durable.run("default", lambda: print("begun"), locks=[rows])
    except RefreshInTransaction:
        print("refused")
"""
IN_MEMORY = """
import django
from django.db import transaction
from oauth_accounts import durable
from oauth_accounts.exceptions import RefreshInTransaction

django.setup()
print(durable.run("default", lambda: "outside"))
with transaction.atomic():
    with durable.inline():
        print(durable.run("default", lambda: "inline"))
    try:
        durable.run("default", lambda: print("begun"))
    except RefreshInTransaction:
        print("refused")
"""


class TestInline:
    def test_work_is_done_inside_the_transaction(self, provider, rows):
        with transaction.atomic(), durable.inline():
            rows.update(name="mine")
            durable.run("default", lambda: rows.update(name="inline"), locks=[rows])
            assert rows.get().name == "inline"
            transaction.set_rollback(True)

        assert name_of(provider) == "before"

    def test_it_ends_with_its_block_also_by_an_error(self, rows):
        with pytest.raises(ZeroDivisionError), durable.inline():
            _ = 1 / 0

        with transaction.atomic():
            rows.update(name="mine")
            with pytest.raises(RefreshInTransaction):
                durable.run("default", refuse, locks=[rows])

    def test_it_decorates(self, rows):
        @durable.inline()
        def work():
            with transaction.atomic():
                rows.update(name="mine")
                return durable.run("default", lambda: "inline", locks=[rows])

        assert work() == "inline"
        assert work() == "inline"
