"""manage.py oauth_accounts refresh --loop: passes without end."""

from __future__ import annotations

import io
from contextlib import contextmanager

import pytest
from django.core.management import BaseCommand, CommandError
from django.db import IntegrityError, InterfaceError, OperationalError, connection

from oauth_accounts import outbox
from oauth_accounts.management import loop, passes
from oauth_accounts.management.stopping import StopSignals
from oauth_accounts.models import ConnectedAccount, PendingRevocation, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from oauth_accounts.testing.server import Answer
from tests.command import Child, run, wait_until
from tests.links import Link
from tests.rows import again

pytestmark = pytest.mark.faces


@pytest.fixture
def connect(provider, server):
    """Connect an account whose token has expired."""

    def connect(subject="alice"):
        access_token, refresh_token = server.issue(subject)
        return ConnectedAccountFactory(
            provider=provider,
            uid=subject,
            access_token=access_token,
            refresh_token=refresh_token,
            expired=True,
        )

    return connect


@pytest.fixture
def start(child_environment, tmp_path):
    """Start the loop in a process of its own."""

    def start(*arguments, name="loop", environment=None):
        folder = tmp_path / name
        folder.mkdir()
        return Child(
            environment or child_environment, folder, "refresh", "--loop", *arguments
        )

    return start


class TestPasses:
    def test_a_line_for_each_pass_in_which_something_happened(
        self, connect, start, server
    ):
        connect("alice")
        with start("--interval=1") as child:
            child.says("1 refreshed, 0 failed, 0 skipped, 0 revocations tried.\n")
            account = connect("bob")
            wait_until(lambda: child.out.read_text().count("1 refreshed") == 2)
            again(account).revoke()
            child.says("0 refreshed, 0 failed, 0 skipped, 1 revocations tried.\n")

            assert child.end() == 0

        assert len(child.out.read_text().splitlines()) == 3
        assert child.err.read_text() == "Stopped by SIGTERM.\n"
        assert len(server.token_requests) == 2

    def test_with_more_words_for_each_pass(self, provider, start):
        with start("--interval=1", "-v", "2") as child:
            wait_until(lambda: child.out.read_text().count("0 refreshed") > 1)

            assert child.end() == 0

    def test_with_none_for_none(self, connect, start):
        account = connect()
        with start("--verbosity=0") as child:
            wait_until(lambda: again(account).generation == 1)

            assert child.end() == 0

        assert child.out.read_text() == ""

    def test_two_at_once_share_the_work(self, connect, start, server):
        accounts = [connect(f"user-{number}") for number in range(30)]
        one, two = (
            start("--interval=1", "--verbosity=2", name=name) for name in ("one", "two")
        )
        with one, two:
            # Both, not only one of them: who is stopped while it starts dies of it.
            for child in (one, two):
                child.says("refreshed, ")
            wait_until(lambda: all(again(account).generation for account in accounts))

            assert [one.end(), two.end()] == [0, 0]

        assert len(server.token_requests) == 30
        assert server.replays == 0

    def test_a_dry_run_does_not_go_on(self):
        with pytest.raises(CommandError, match="not allowed with argument"):
            run("refresh", "--loop", "--dry-run")

    def test_an_unknown_provider_ends_it(self, db):
        with pytest.raises(CommandError, match="no provider 'nope'"):
            run("refresh", "--loop", "--provider=nope")


class TestTrouble:
    def test_a_provider_that_is_down_is_named(self, connect, start, server):
        account = connect()
        server.script(Answer(status=503, body="down"))
        with start("--interval=1") as child:
            child.says("1 refreshes failed.", on="err")
            child.says("0 refreshed, 1 failed")

            assert child.end() == 0

        assert (
            f"In this hour: fake {again(account).last_error} 1." in child.complaints()
        )
        assert len(server.token_requests) == 1

    def test_a_paused_provider_is_named(self, connect, start, server):
        connect()
        server.script(Answer(status=401, json={"error": "invalid_client"}))
        with start("--interval=1") as child:
            child.says("Paused: fake (invalid_client, until ", on="err")

            assert child.end() == 0

    def test_a_database_that_fails_is_tried_again(self, connect, start):
        account = connect()
        with renamed(Provider._meta.db_table), start("--interval=1") as child:
            child.says("The database failed: ", on="err")
            child.says("Next try in ", on="err")
            bring_back(Provider._meta.db_table)
            child.says("The database answers again.\n", on="err")
            child.says("1 refreshed")

            assert child.end() == 0

        assert again(account).generation == 1
        assert "Traceback" not in child.complaints()


def bring_back(table):
    rename(f"{table}_away", table)


def rename(old, new):
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}")


@contextmanager
def renamed(table):
    """Take a table away; the test itself, or the end of it, brings it back."""
    rename(table, f"{table}_away")
    try:
        yield
    finally:
        if table not in connection.introspection.table_names():
            bring_back(table)


@pytest.mark.parametrize(
    "server_name",
    [
        pytest.param("POSTGRES", marks=pytest.mark.postgres),
        pytest.param("MARIADB", marks=pytest.mark.mariadb),
    ],
)
class TestConnection:
    @pytest.fixture
    def link(self):
        values = connection.settings_dict
        link = Link(values["HOST"], int(values["PORT"]))
        yield link
        link.stop()

    def test_a_server_that_goes_away_and_comes_back(
        self, server_name, connect, start, link, child_environment
    ):
        port = {f"TEST_{server_name}_PORT": str(link.port)}
        first = connect("alice")
        with start("--interval=1", environment=child_environment | port) as child:
            wait_until(lambda: again(first).generation == 1, child.complaints)
            link.cut()
            child.says("The database failed: OperationalError", on="err")
            second = connect("bob")
            link.mend()
            child.says("The database answers again.", on="err")
            wait_until(lambda: again(second).generation == 1, child.complaints)

            assert child.end() == 0

        assert "Traceback" not in child.complaints()


class TestInterval:
    @pytest.mark.parametrize(
        ("project", "margins", "seconds"),
        [
            (300, [], 60),
            (300, [None], 60),
            (300, [400, 120], 60),
            (300, [None, 20], 10),
            (40, [None], 20),
            (300, [1], 1),
            (300, [0], 60),
            (0, [None], 60),
        ],
    )
    def test_a_margin_is_met_twice(self, db, settings, project, margins, seconds):
        settings.OAUTH_ACCOUNTS_REFRESH_MARGIN = project
        for margin in margins:
            ProviderFactory(refresh_margin=margin)
        ProviderFactory(refresh_margin=2, enabled=False)

        assert loop._interval() == seconds

    @pytest.mark.parametrize("number", ["0", "-1", "x", "1.5"])
    def test_numbers_that_are_none(self, number):
        with pytest.raises(CommandError, match="is not a number from 1 on"):
            run("refresh", "--loop", f"--interval={number}")


class TestWords:
    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (OperationalError("no route\nsecond line"), "OperationalError, no route"),
            (InterfaceError("closed"), "InterfaceError, closed"),
            (IntegrityError("Key (uid)=(alice)"), "IntegrityError"),
        ],
    )
    def test_values_of_rows_are_left_out(self, error, words):
        assert loop._words(error) == words


class TestOnePass:
    def test_time_that_is_up_is_said(self, connect, server):
        connect()
        server.script(Answer(status=503, delay=0.2))

        done = passes.run_pass(
            passes.Work(max_seconds=0.1), io.StringIO(), StopSignals()
        )

        assert done.more
        assert done.swept.failed == 1

    def test_revocations_end_in_time(self, connect, server, monkeypatch):
        monkeypatch.setattr(passes, "OTHERS_SECONDS", 0.3)
        for number in range(3):
            connect(f"user-{number}").revoke()
        server.script(*[Answer(delay=0.2)] * 6, endpoint="revocation")

        done = passes.run_pass(
            passes.Work(max_seconds=50), io.StringIO(), StopSignals()
        )

        assert done.more
        assert 0 < done.revoked < 3
        assert outbox.count_due() == 3 - done.revoked
        assert not PendingRevocation.objects.exclude(lease=None).exists()
        assert not ConnectedAccount.objects.filter(status="active").exists()

    def test_what_is_left_is_done_at_once(self, connect, server):
        connect()
        server.script(Answer(status=503, delay=0.2))
        work = passes.Work(max_seconds=0.1)
        out = BaseCommand(stdout=io.StringIO(), stderr=io.StringIO())
        going = loop.Loop(out, work, interval=60, verbosity=0, stop=StopSignals())

        assert going._pass() == 0
        assert going._pass() == 60

    def test_refreshes_have_a_limit_by_themselves(self):
        going = loop.Loop(
            BaseCommand(),
            passes.Work(limit=5),
            interval=None,
            verbosity=0,
            stop=StopSignals(),
        )

        assert going.work == passes.Work(limit=5, max_seconds=loop.MAX_SECONDS)
