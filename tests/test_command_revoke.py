"""manage.py oauth_accounts revoke, as it is called in an emergency."""

from __future__ import annotations

import io
import uuid

import pytest
from django.core.management import CommandError

from oauth_accounts import clock, recall
from oauth_accounts.management import revoke
from oauth_accounts.models import ConnectedAccount, PendingRevocation, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from oauth_accounts.testing.wire import Answer
from tests.command import Terminal, run
from tests.engine.conftest import account, make_account, owner

__all__ = ["account", "make_account", "owner"]

QUICK = ("--no-input", "--per-minute=60000")
PLAN = (
    "{accounts} accounts to be revoked, {waiting} revocations that wait already; at {pace} "
    "in a minute that takes 1 minutes."
)
AGAIN = (
    "What is pending is tried again by Celery beat and by "
    "'manage.py oauth_accounts refresh'."
)


@pytest.fixture
def answer(monkeypatch):
    """Answer the question, `answer("yes")`, or not at all, `answer(None)`."""

    def give(text):
        monkeypatch.setattr("sys.stdin", io.StringIO("" if text is None else text))

    return give


class TestRevoke:
    def test_b40_accounts_are_stopped_and_the_provider_told(self, make_account, server):
        accounts = [make_account(f"user-{number}") for number in range(3)]
        tokens = {a.reveal("refresh_token").get_value() for a in accounts}

        said = run("revoke", "--provider=fake", *QUICK).splitlines()

        assert said == [
            PLAN.format(accounts=3, waiting=0, pace=60000),
            "3 accounts are revoked here.",
            "At the provider: 0 pending, 3 confirmed, 0 unsupported.",
        ]
        assert tokens <= set(server.revoked)
        assert not ConnectedAccount.objects.exclude(status="revoked").exists()

    def test_b40_what_the_provider_does_not_take_is_told(self, make_account, server):
        make_account("first")
        server.script(Answer(status=503), endpoint="revocation")

        said = run("revoke", "--provider=fake", *QUICK).splitlines()

        assert said[-2:] == [
            "At the provider: 1 pending, 0 confirmed, 0 unsupported.",
            AGAIN,
        ]

    def test_a_provider_that_cannot_revoke(self, account):
        account.provider.revocation_endpoint = ""
        account.provider.save()

        said = run("revoke", f"--account={account.pk}", *QUICK)

        assert "0 pending, 0 confirmed, 1 unsupported." in said

    def test_a_provider_that_moved_is_not_waited_for(self, account, server):
        """Nothing is sent until somebody says that it is the same one."""
        Provider.objects.update(token_endpoint="https://elsewhere.example/token")

        said = run("revoke", "--provider=fake", *QUICK)

        assert "1 pending, 0 confirmed" in said
        assert not server.revoked

    def test_a_revocation_that_is_overtaken_by_its_owner(self, account, monkeypatch):
        """Connecting again closes it: revoking could end the new grant too."""
        stop = recall.stop

        def reconnect(scope, **options):
            done = stop(scope, **options)
            PendingRevocation.objects.get().finish("superseded")
            return done

        monkeypatch.setattr(recall, "stop", reconnect)

        said = run("revoke", "--provider=fake", *QUICK)

        assert "0 pending, 0 confirmed, 0 unsupported, 1 superseded." in said

    def test_what_an_earlier_run_left_is_delivered(self, account, server):
        recall.stop(recall.Scope(provider="fake"), per_minute=600)

        said = run("revoke", "--provider=fake", *QUICK)

        assert "0 accounts to be revoked, 1 revocations that wait already" in said
        assert "1 confirmed" in said
        assert len(server.revoked) == 2

    def test_older_ones_are_not_counted(self, make_account):
        make_account("first").revoke(wait=True)
        make_account("second")

        assert "0 pending, 1 confirmed" in run("revoke", "--provider=fake", *QUICK)

    def test_at_a_pace(self, make_account, server, monkeypatch):
        for number in range(3):
            make_account(f"user-{number}")
        monkeypatch.setattr(revoke, "POLL_SECONDS", 0.05)
        begun = clock.utcnow()

        run("revoke", "--provider=fake", "--no-input", "--per-minute=120")

        # Two gaps of half a second each.
        assert (clock.utcnow() - begun).total_seconds() >= 1

    def test_by_owner(self, make_account, owner):
        make_account("mine")
        make_account("nobodys", owner=None)

        assert "1 accounts are revoked" in run("revoke", f"--owner={owner.pk}", *QUICK)

    def test_a_dry_run(self, account):
        said = run("revoke", "--provider=fake", "--dry-run", "--per-minute=1")

        assert said == f"{PLAN.format(accounts=1, waiting=0, pace=1)}\n"
        account.refresh_from_db()
        assert account.status == "active"

    def test_progress_bars_on_a_terminal(self, account):
        terminal = Terminal()

        run("revoke", "--provider=fake", *QUICK, stderr=terminal)

        for label in ("Revoking here", "Telling providers"):
            assert f"{label} [##############################] 1/1" in (
                terminal.getvalue()
            )


class TestQuestion:
    def test_yes(self, account, answer):
        answer("yes\n")

        run("revoke", "--provider=fake", "--per-minute=60000")

        account.refresh_from_db()
        assert account.status == "revoked"

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [("y\n", "Nothing was revoked."), (None, "Nobody answers: say --no-input.")],
    )
    def test_anything_else(self, account, answer, text, complaint):
        answer(text)

        with pytest.raises(CommandError, match=complaint):
            run("revoke", "--provider=fake")

        account.refresh_from_db()
        assert account.status == "active"


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            ([], "Say whose: --provider, --owner or --account."),
            (["--provider=nope"], "There is no provider 'nope'. Known are: one."),
            (["--owner=nobody"], "'nobody' is no key of an owner."),
            (["--account=x"], "invalid UUID value: 'x'"),
            (["--per-minute=0"], "'0' is not a number from 1 on"),
        ],
    )
    def test_they_are_named(self, db, arguments, complaint):
        ConnectedAccountFactory(provider=ProviderFactory(slug="one"))

        with pytest.raises(CommandError, match=complaint):
            run("revoke", *arguments, *QUICK[:1])

        assert ConnectedAccount.objects.get().status == "active"

    def test_an_account_that_does_not_exist(self, db):
        said = run("revoke", f"--account={uuid.uuid4()}", *QUICK)

        assert "0 accounts are revoked here." in said
