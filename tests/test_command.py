"""manage.py oauth_accounts, as people and cron call it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from oauth_accounts import clock
from oauth_accounts.fields import Secret
from oauth_accounts.management.progress import Progress
from oauth_accounts.models import (
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.test_models_sealing import again

SECRET = "client-secret-typed-in-3e0b"
# A site that has not included the app's URLs.
urlpatterns = []


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(*arguments, **options) -> str:
    """Call the command and return what it writes to stdout."""
    out = io.StringIO()
    call_command("oauth_accounts", *arguments, stdout=out, **options)
    return out.getvalue()


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

    def test_a_bar_on_a_terminal(self, due):
        terminal = Terminal()

        run("refresh", stderr=terminal, force_color=True)

        drawn = terminal.getvalue()
        assert "\rRefreshing [##############################] 2/2\n" in drawn
        assert "[###############...............] 1/2" in drawn
        assert "\x1b" not in drawn
        assert "Revoking" not in drawn

    def test_no_bar_in_a_pipe(self, due):
        pipe = io.StringIO()

        run("refresh", stderr=pipe)

        assert pipe.getvalue() == ""


class TestProgress:
    def test_more_than_was_expected(self):
        terminal = Terminal()
        with Progress(Styled(terminal), "Working", total=1) as bar:
            bar.show(3)

        assert "3/3" in terminal.getvalue()


class Styled:
    """A stream as commands have it."""

    def __init__(self, stream):
        self.stream = stream
        self.isatty, self.flush = stream.isatty, stream.flush

    def write(self, text="", style_func=None, ending="\n"):
        self.stream.write(text + ending)


class TestStatus:
    def test_nothing_yet(self, db):
        said = run("status")

        assert "No providers yet." in said
        assert "0 accounts are due, 0 revocations wait." in said

    def test_providers_and_what_lives_there(self, db):
        one = ProviderFactory(slug="one", name="A")
        ConnectedAccountFactory(provider=one)
        ConnectedAccountFactory(provider=one, expired=True)
        lost = ConnectedAccountFactory(provider=one)
        ConnectedAccount.objects.filter(pk=lost.pk).update(
            status="needs_reauth", status_reason="rotation_lost", refresh_due_at=None
        )
        ProviderFactory(slug="two", name="B", enabled=False)
        ProviderFactory(slug="three", name="C", client_id="", token_endpoint="")
        until = clock.utcnow() + timedelta(hours=1)
        ProviderFactory(
            slug="four", name="D", paused_until=until, pause_reason="rate_limited"
        )
        ConnectedAccountFactory(provider=one).revoke()

        assert run("status").splitlines() == [
            "one: enabled",
            "         2 active",
            "         1 needs_reauth (rotation_lost)",
            "         1 revoked (by_owner)",
            "two: disabled",
            "three: incomplete, lacks client_id, token_endpoint",
            f"four: paused (rate_limited) until {until:%H:%M} UTC",
            "1 accounts are due, 1 revocations wait.",
        ]


ADD = [
    "add-provider",
    "my-git",
    "--client-id=id-1",
    "--authorization-endpoint=https://as.example/authorize",
    "--token-endpoint=https://as.example/token",
    "--userinfo-endpoint=https://as.example/userinfo",
]


class TestAddProvider:
    @pytest.fixture
    def pipe(self, monkeypatch):
        def send(text):
            monkeypatch.setattr(sys, "stdin", io.StringIO(text))

        send(f"{SECRET}\n")
        return send

    def test_a_secret_by_a_pipe(self, db, pipe):
        said = run(*ADD, "--scope=read", "--scope=write", "--label-path=login")

        provider = Provider.objects.get()
        assert (provider.slug, provider.name, provider.source) == (
            "my-git",
            "My Git",
            "admin",
        )
        assert provider.reveal("client_secret") == Secret(SECRET)
        assert (provider.scopes, provider.label_path) == (["read", "write"], "login")
        assert "Provider my-git is added." in said
        assert "http://localhost:8000/accounts/connected/" in said
        assert "my-git" in said.splitlines()[-1]
        assert SECRET not in said

    @pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
    def test_the_end_of_the_line_is_no_part_of_it(self, db, pipe, ending):
        pipe(f" {SECRET} {ending}")

        run(*ADD)

        assert Provider.objects.get().reveal("client_secret") == Secret(f" {SECRET} ")

    def test_a_secret_by_a_prompt(self, db, monkeypatch):
        asked = []
        monkeypatch.setattr(sys, "stdin", Terminal())
        monkeypatch.setattr(
            "getpass.getpass", lambda prompt: asked.append(prompt) or SECRET
        )

        run(*ADD, "--name=Git of mine")

        assert asked == ["Client secret: "]
        assert Provider.objects.get().reveal("client_secret") == Secret(SECRET)
        assert Provider.objects.get().name == "Git of mine"

    def test_a_secret_is_no_argument(self, db, pipe):
        with pytest.raises(CommandError, match="unrecognized arguments"):
            run(*ADD, f"--client-secret={SECRET}")
        assert not Provider.objects.exists()

    def test_no_secret(self, db, pipe):
        pipe("")

        with pytest.raises(CommandError, match="No client secret was given"):
            run(*ADD)

    def test_a_public_client_is_not_asked(self, db, pipe):
        pipe("")

        run(*ADD, "--token-endpoint-auth-method=none")

        assert Provider.objects.get().client_secret is None

    def test_a_dry_run_adds_nothing(self, db, pipe):
        assert run(*ADD, "--dry-run") == "Provider my-git would be added.\n"
        assert not Provider.objects.exists()

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ([*ADD, "--token-endpoint=http://as.example"], "token_endpoint: Enter an"),
            ([*ADD, "--scope=two words"], "scopes: Enter a list"),
            (["add-provider", "two words", *ADD[2:]], "slug: "),
            (ADD[:2], "the following arguments are required: --client-id"),
            ([*ADD, "--token-endpoint-auth-method=magic"], "invalid choice"),
        ],
    )
    def test_bad_values_are_named(self, db, pipe, arguments, problem):
        with pytest.raises(CommandError) as caught:
            run(*arguments)

        assert problem in str(caught.value)
        assert SECRET not in str(caught.value)
        assert not Provider.objects.exists()

    def test_a_slug_that_is_taken(self, db, pipe):
        ProviderFactory(slug="my-git")

        with pytest.raises(CommandError, match=r"slug: .*already exists"):
            run(*ADD)

    def test_missing_keys(self, transactional_db, pipe, settings):
        settings.DEBUG = False
        del settings.FERNET_KEYS

        with pytest.raises(CommandError, match="FERNET_KEYS is not set"):
            run(*ADD)
        assert not Provider.objects.exists()

    def test_the_redirect_uri_is_not_known_without_a_base_url(self, db, pipe, settings):
        settings.OAUTH_ACCOUNTS_BASE_URL = None

        assert "set OAUTH_ACCOUNTS_BASE_URL to learn it" in run(*ADD)

    def test_nor_without_the_urls(self, db, pipe, settings):
        settings.ROOT_URLCONF = "tests.test_command"

        assert "include oauth_accounts.urls" in run(*ADD)


class TestSyncProviders:
    @pytest.fixture
    def configured(self, settings):
        settings.OAUTH_ACCOUNTS_PROVIDERS = {"git": {"client_id": "1"}}

    def test_changes_are_listed(self, db, configured, settings):
        assert run("sync-providers", "--dry-run") == (
            "git would be created: name, client_id, source\n"
        )
        assert not Provider.objects.exists()
        assert run("sync-providers") == "git created: name, client_id, source\n"
        assert run("sync-providers") == "git unchanged\n"
        assert run("sync-providers", "--dry-run") == "git unchanged\n"
        settings.OAUTH_ACCOUNTS_PROVIDERS = {}
        assert run("sync-providers", "--dry-run") == "git would be disabled\n"
        assert run("sync-providers") == "git disabled\n"

    def test_nothing_to_do(self, db, settings):
        settings.OAUTH_ACCOUNTS_PROVIDERS = {}

        assert run("sync-providers") == "OAUTH_ACCOUNTS_PROVIDERS is empty.\n"

    def test_a_mistake_is_a_message(self, db, settings):
        settings.OAUTH_ACCOUNTS_PROVIDERS = {"git": {"client": "1"}}

        with pytest.raises(CommandError, match="unknown keys: client"):
            run("sync-providers")


class TestHelp:
    def test_an_action_is_needed(self):
        with pytest.raises(CommandError, match="required: action"):
            run()

    def test_an_unknown_action(self):
        with pytest.raises(CommandError, match="invalid choice: 'rotate'"):
            run("rotate")


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
