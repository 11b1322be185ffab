"""manage.py oauth_accounts, as people and cron call it."""

from __future__ import annotations

import io
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError

from oauth_accounts import clock
from oauth_accounts.fields import Secret
from oauth_accounts.models import (
    ConnectedAccount,
    Provider,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.command import Terminal, run

SECRET = "client-secret-typed-in-3e0b"
# A site that has not included the app's URLs.
urlpatterns = []


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
