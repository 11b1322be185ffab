"""manage.py oauth_accounts, as people and cron call it."""

from __future__ import annotations

import io
import subprocess
import sys
import uuid
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oauth_accounts import clock, keyring
from oauth_accounts.fields import Secret
from oauth_accounts.health import census, outbox
from oauth_accounts.models import (
    ConnectedAccount,
    Provider,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from oauth_accounts.testing.server import Answer
from tests.command import Terminal, run

SECRET = "client-secret-typed-in-3e0b"
# A site that has not included the app's URLs.
urlpatterns = []


class TestStatus:
    def test_nothing_yet(self, db):
        said = run("status")

        assert "No providers yet." in said
        assert said.splitlines()[1:] == [
            "0 accounts are due, 0 of them for more than 5 minutes.",
            "No sweep has begun yet.",
            "0 revocations wait.",
            "Paused providers: none.",
        ]

    def test_providers_and_what_lives_there(self, db):
        one = ProviderFactory(slug="one", name="A")
        ConnectedAccountFactory(provider=one)
        late = ConnectedAccountFactory(provider=one, expired=True)
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
        past = clock.utcnow() - timedelta(hours=1)
        ProviderFactory(
            slug="five", name="E", paused_until=past, pause_reason="server_error"
        )
        ConnectedAccountFactory(provider=one).revoke()

        since = f"the oldest since {late.refresh_due_at:%Y-%m-%d %H:%M} UTC"
        assert run("status").splitlines() == [
            f"1 accounts are due, 1 of them for more than 5 minutes, {since}.",
            "No sweep has begun yet.",
            "1 revocations wait.",
            "Paused providers: four.",
            "one: enabled",
            "         1 due",
            "         2 active",
            "         1 needs_reauth (rotation_lost)",
            "         1 revoked (by_owner)",
            "two: disabled",
            "three: incomplete, lacks client_id, token_endpoint",
            f"four: paused (rate_limited) until {until:%H:%M} UTC",
            "five: tried again after a pause (server_error)",
            "Keys of what accounts hold:",
            f"         3 under {keyring.current_key_id()} (newest)",
        ]

    def test_what_is_due_and_what_is_late(self, db):
        now = clock.utcnow()
        one = ProviderFactory(slug="one", name="A")
        for minutes in (-60, 1, 4, 6, 90):
            due_at(one, now - timedelta(minutes=minutes))
        held = due_at(one, now - timedelta(minutes=30))
        ConnectedAccount.objects.filter(pk=held.pk).update(
            lease=uuid.uuid4(), lease_until=now + timedelta(minutes=1)
        )
        due_at(ProviderFactory(slug="two", name="B"), now - timedelta(minutes=10))

        said = run("status").splitlines()

        assert said[0] == (
            "5 accounts are due, 3 of them for more than 5 minutes, "
            f"the oldest since {now - timedelta(minutes=90):%Y-%m-%d %H:%M} UTC."
        )
        assert said[4:6] == ["one: enabled", "         4 due"]
        assert said[7:9] == ["two: enabled", "         1 due"]

    @pytest.mark.postgres
    def test_the_queue_is_read_from_the_index(self, db):
        provider = ProviderFactory()
        fresh = ConnectedAccountFactory.build_batch(1000, provider=provider)
        ConnectedAccount.objects.bulk_create(fresh)
        with CaptureQueriesContext(connection) as queries:
            census.queues([provider.pk], clock.utcnow())
            outbox.count_waiting()
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
            cursor.execute("SET LOCAL enable_seqscan = off")
            plans = []
            for query in queries:
                cursor.execute(f"EXPLAIN {query['sql']}")
                plans.append("\n".join(row[0] for row in cursor.fetchall()))

        assert "oauth_accounts_account_due" in plans[0]
        assert "oauth_accounts_revocation_due" in plans[1]


def due_at(provider, moment):
    account = ConnectedAccountFactory(provider=provider)
    ConnectedAccount.objects.filter(pk=account.pk).update(refresh_due_at=moment)
    return account


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
            (ADD[:4], "required: --token-endpoint, --userinfo-endpoint; --discover"),
            ([*ADD, "--issuer=a", "--discover=b"], "not allowed with argument"),
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


class TestDiscover:
    @pytest.fixture(autouse=True)
    def _secret_by_a_pipe(self, monkeypatch):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRET}\n"))

    def add(self, server, *more):
        discovered = f"--discover={server.issuer}"
        return run("add-provider", "fake", "--client-id=id-1", discovered, *more)

    def metadata(self, server, **changes):
        """Let the server say something else about itself, in both places."""
        document = {**server.metadata, **changes}
        kept = {name: value for name, value in document.items() if value is not None}
        server.script(*[Answer(json=kept)] * 2, endpoint="metadata")

    def test_a5_3_what_was_found_is_shown_and_pinned(self, db, server):
        said = self.add(server, "--scope=read")

        provider = Provider.objects.get()
        for name in ("authorization", "token", "revocation", "userinfo"):
            address = getattr(server, f"{name}_endpoint")
            assert getattr(provider, f"{name}_endpoint") == address
            assert f"  {name}_endpoint: {address}\n" in said
        assert provider.issuer == server.issuer
        assert provider.authorization_response_iss_parameter_supported is True
        assert provider.code_challenge_methods_supported == ["S256"]
        assert provider.token_endpoint_auth_method == "client_secret_basic"
        assert said.startswith(f"{server.issuer} says:\n  issuer: {server.issuer}\n")
        assert provider.reveal("client_secret") == Secret(SECRET)
        assert SECRET not in said

    def test_what_is_given_counts(self, db, server):
        self.add(
            server,
            "--userinfo-endpoint=https://api.example/me",
            "--token-endpoint-auth-method=client_secret_post",
            "--name=Mine",
            "--label-path=",
        )

        provider = Provider.objects.get()
        assert provider.userinfo_endpoint == "https://api.example/me"
        assert provider.token_endpoint == server.token_endpoint
        assert provider.token_endpoint_auth_method == "client_secret_post"
        assert (provider.name, provider.label_path) == ("Mine", "")

    def test_a_dry_run(self, db, server):
        assert "Provider fake would be added." in self.add(server, "--dry-run")
        assert not Provider.objects.exists()

    @pytest.mark.parametrize(
        ("methods", "chosen"),
        [
            (None, "client_secret_basic"),
            (["none", "client_secret_post"], "client_secret_post"),
            (["private_key_jwt", "none"], "none"),
        ],
    )
    def test_the_way_of_client_authentication(self, db, server, methods, chosen):
        self.metadata(server, token_endpoint_auth_methods_supported=methods)

        self.add(server)

        assert Provider.objects.get().token_endpoint_auth_method == chosen

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"issuer": "https://evil.example"}, "There is no metadata"),
            ({"token_endpoint": "javascript:1"}, "is not one that may be called"),
            ({"userinfo_endpoint": None}, "required: --userinfo-endpoint"),
            (
                {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
                "None of the issuer's ways of client authentication",
            ),
            (
                {"code_challenge_methods_supported": ["plain"]},
                "code_challenge_methods_supported: The provider does not support PKCE",
            ),
        ],
    )
    def test_a1_4_a5_1_nothing_is_saved(self, db, server, changes, problem):
        self.metadata(server, **changes)

        with pytest.raises(CommandError) as caught:
            self.add(server)

        assert problem in str(caught.value)
        assert SECRET not in str(caught.value)
        assert not Provider.objects.exists()

    def test_d14_no_answer(self, db, server):
        server.script(Answer(drop=True), endpoint="metadata")

        with pytest.raises(CommandError, match="No complete metadata came"):
            self.add(server)

    def test_an_address_that_must_not_be_called(self, db):
        with pytest.raises(CommandError, match="is not one that may be called"):
            run(*ADD[:3], "--discover=https://169.254.169.254")


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


class TestDjangosOptions:
    """They are understood before the name of an action and after it."""

    def test_after_it(self, db):
        said = run("refresh", "-v", "0", "--no-color", "--skip-checks")

        assert said == ""

    @pytest.mark.parametrize("before", [("--verbosity=0",), ("-v", "0")])
    def test_before_it(self, db, before):
        assert run(*before, "refresh") == ""

    def test_as_a_word_of_call_command(self, db):
        assert run("refresh", verbosity=0) == ""
        assert "0 refreshed" in run("refresh")

    def test_both(self, db):
        assert run("-v", "2", "refresh", "-v", "0") == ""

    @pytest.mark.parametrize("action", ["refresh", "status", "sync-providers"])
    def test_settings(self, child_environment, action):
        result = subprocess.run(
            [
                *(sys.executable, "-m", "django", "oauth_accounts", action),
                *("-v", "2", "--settings", "tests.settings", "--traceback"),
            ],
            env={**child_environment, "DJANGO_SETTINGS_MODULE": "tests.nowhere"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert result.returncode == 0, result.stderr
        assert result.stdout

    def test_a_traceback_when_asked_for(self, child_environment):
        words = [sys.executable, "-m", "django", "oauth_accounts", "refresh"]
        results = [
            subprocess.run(
                [*words, "--provider=nope", *more],
                env=child_environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            for more in ([], ["--traceback"])
        ]

        assert ["Traceback" in result.stderr for result in results] == [False, True]
        assert results[0].stderr.startswith("CommandError: There is no provider")

    def test_help_names_ours_first(self, capsys):
        with pytest.raises(SystemExit):
            run("refresh", "--help")

        said = capsys.readouterr().out
        assert said.index("--workers") < said.index("--settings")
