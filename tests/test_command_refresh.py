"""manage.py oauth_accounts refresh, with Celery and without."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError

from oauth_accounts import clock
from oauth_accounts.management.progress import Progress
from oauth_accounts.models import (
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.command import Terminal, run, wait_until
from tests.rows import again


@pytest.fixture
def server():
    with FakeProvider() as running:
        yield running


@pytest.fixture
def provider(transactional_db, server):
    return Provider.objects.create(slug="fake", **server.as_provider_fields())


@pytest.fixture
def due(provider, server):
    """Two accounts whose tokens have expired."""
    accounts = []
    for subject in ("alice", "bob"):
        access_token, refresh_token = server.issue(subject)
        accounts.append(
            ConnectedAccountFactory(
                provider=provider,
                uid=subject,
                access_token=access_token,
                refresh_token=refresh_token,
                expired=True,
            )
        )
    return accounts


class TestRefresh:
    def test_what_is_due_is_refreshed(self, due, server):
        fresh = ConnectedAccountFactory(provider=due[0].provider)

        said = run("refresh")

        assert "2 refreshed, 0 failed, 0 skipped, 0 revocations tried." in said
        for account in due:
            assert server.is_live(again(account).reveal("access_token").get_value())
        assert again(fresh).generation == 0

    def test_a_dry_run_calls_nobody(self, due, server):
        due[0].revoke()

        said = run("refresh", "--dry-run")

        assert said == "1 accounts are due, 1 revocations wait.\n"
        assert server.requests == []
        assert PendingRevocation.objects.get().attempts == 0

    def test_one_provider_only(self, due, server):
        other = ConnectedAccountFactory(expired=True)

        assert "2 refreshed" in run("refresh", "--provider", "fake")

        assert again(other).last_error == ""
        assert "0 accounts are due" in run("refresh", "--provider=fake", "--dry-run")
        assert "1 accounts are due" in run("refresh", "--dry-run")

    def test_a_limit_and_one_worker(self, due, server):
        said = run("refresh", "--limit", "1", "--workers", "1")

        assert "1 refreshed" in said
        assert len(server.token_requests) == 1

    def test_failures_are_counted(self, due, server):
        server.script(*[Answer(status=400, json={"error": "invalid_grant"})] * 2)

        said = run("refresh")

        assert "0 refreshed, 2 failed" in said
        assert ConnectedAccount.objects.filter(status="needs_reauth").count() == 2

    def test_revocations_are_delivered_and_attempts_purged(
        self, due, server, django_user_model
    ):
        token = due[0].reveal("refresh_token").get_value()
        due[0].revoke()
        AuthorizationAttempt.objects.create(
            state_hash="over",
            browser_hash="over",
            user=django_user_model.objects.create(username="user"),
            provider=due[0].provider,
            expires_at=clock.utcnow() - timedelta(hours=1),
        )

        said = run("refresh")

        assert "1 refreshed, 0 failed, 0 skipped, 1 revocations tried." in said
        assert token in server.revoked
        assert not AuthorizationAttempt.objects.exists()

    def test_an_unknown_provider(self, provider):
        with pytest.raises(
            CommandError, match=r"no provider 'nope'. Known are: fake\."
        ):
            run("refresh", "--provider", "nope")

    def test_an_unknown_provider_where_there_is_none(self, db):
        with pytest.raises(CommandError, match="Known are: none"):
            run("refresh", "--provider", "nope")

    @pytest.mark.parametrize("option", ["--limit", "--workers"])
    @pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "", "１"])
    def test_numbers_that_are_none(self, option, number):
        with pytest.raises(CommandError, match="is not a number from 1 on"):
            run("refresh", f"{option}={number}")

    def test_a_bar_on_a_terminal(self, due, server):
        terminal = Terminal()
        half = "\rRefreshing [###############...............] 1/2"
        # Otherwise both answers may be written, and shown, as one.
        hooks = iter(
            [lambda: None, lambda: wait_until(lambda: half in terminal.getvalue())]
        )
        server.on_token_request = lambda _request: next(hooks)()

        run("refresh", stderr=terminal, force_color=True)

        drawn = terminal.getvalue()
        assert "\rRefreshing [##############################] 2/2\n" in drawn
        assert half in drawn
        assert "\x1b" not in drawn
        assert "Revoking" not in drawn

    def test_no_bar_in_a_pipe(self, due):
        pipe = io.StringIO()

        run("refresh", stderr=pipe)

        assert pipe.getvalue() == ""


class TestProgress:
    def test_more_than_was_expected(self):
        terminal = Terminal()
        with Progress(Styled(terminal), "Working", count=lambda: 1) as bar:
            bar.show(3)

        assert "3/3" in terminal.getvalue()

    def test_it_is_not_drawn_for_every_unit(self):
        terminal = Terminal()
        with Progress(Styled(terminal), "Working", count=lambda: 2000) as bar:
            for done in range(2000):
                bar.show(done + 1)

        drawn = terminal.getvalue().split("\r")[1:]
        assert drawn[0] == f"Working [{'.' * 30}] 1/2000"
        assert drawn[-1] == f"Working [{'#' * 30}] 2000/2000\n"
        assert len(drawn) < 100

    def test_nothing_is_counted_for_a_pipe(self):
        with Progress(io.StringIO(), "Working", count=lambda: 1 / 0) as bar:
            bar.show(1)


class Styled:
    """A stream as commands have it."""

    def __init__(self, stream):
        self.stream = stream
        self.isatty, self.flush = stream.isatty, stream.flush

    def write(self, text="", style_func=None, ending="\n"):
        self.stream.write(text + ending)


BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"celery", "kombu", "factory"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


class TestWithoutCelery:
    """The app imports, migrates and refreshes by command where Celery is not installed."""

    def manage(self, environment, *arguments):
        result = subprocess.run(
            [sys.executable, "-c", BLOCKED, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def test_it_lives(self, due, server, child_environment):
        assert "no issues" in self.manage(child_environment, "check")
        self.manage(child_environment, "migrate", "-v0")

        said = self.manage(child_environment, "oauth_accounts", "refresh")

        assert "2 refreshed" in said
        assert len(server.token_requests) == 2

    def test_it_migrates_an_empty_database(self, tmp_path):
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "TEST_DATABASE": "sqlite",
            "TEST_DATABASE_NAME": str(tmp_path / "empty.sqlite3"),
        }

        self.manage(environment, "migrate", "-v0")

        said = self.manage(environment, "oauth_accounts", "status")
        assert "No providers yet." in said
