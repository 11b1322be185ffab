"""manage.py oauth_accounts rotate-keys, and what status says of keys."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from oauth_accounts import clock, keyring, rotate, sealed_rows
from oauth_accounts.fields import Secret
from oauth_accounts.management.stopping import STOPPED_EXIT_CODE
from oauth_accounts.models import (
    AuthorizationAttempt,
    ConnectedAccount,
    Provider,
    UnreadAnswer,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.command import Child, Terminal, run, wait_until

OLD = "the-key-that-everything-is-sealed-with-3e1c55"
NEXT = "the-key-that-comes-after-the-present-one-4e2d97"
LOST = "a-key-that-was-lost-and-is-found-again-b81f60"


def key_id(settings, key):
    settings.FERNET_KEYS = [key]
    return keyring.current_key_id()


@pytest.fixture
def ids(settings):
    """The id of each key; the keys in force are the next one and the old one."""
    found = {key: key_id(settings, key) for key in (OLD, NEXT, LOST)}
    settings.FERNET_KEYS = [NEXT, OLD]
    return found


@pytest.fixture
def sealed(ids, settings, transactional_db):
    """Two accounts under the old key, their provider too, and one account under none."""
    settings.FERNET_KEYS = [OLD]
    account = ConnectedAccountFactory()
    ConnectedAccountFactory(provider=account.provider)
    settings.FERNET_KEYS = [LOST]
    lost = ConnectedAccountFactory(provider=account.provider)
    settings.FERNET_KEYS = [NEXT, OLD]
    return lost


def rotate_keys(*arguments):
    """Return what the command wrote and what it complained of."""
    out = io.StringIO()
    try:
        call_command("oauth_accounts", "rotate-keys", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue().splitlines(), str(error)
    return out.getvalue().splitlines(), ""


class TestRotateKeys:
    def test_c5_counts_before_and_after_and_a_failure_while_rows_do_not_open(
        self, sealed, ids, settings
    ):
        said, complaint = rotate_keys()

        assert said == [
            "Before:",
            f"         2 connected accounts under {ids[OLD]} (older)",
            f"         1 connected accounts under {ids[LOST]} (unknown)",
            f"         1 providers under {ids[OLD]} (older)",
            "3 rows were re-encrypted.",
            "After:",
            f"         2 connected accounts under {ids[NEXT]} (newest)",
            f"         1 connected accounts under {ids[LOST]} (unknown)",
            f"         1 providers under {ids[NEXT]} (newest)",
        ]
        assert complaint.startswith("1 rows do not open with any key of FERNET_KEYS.")

        settings.FERNET_KEYS = [NEXT, OLD, LOST]
        said, complaint = rotate_keys("--batch-size", "1")
        assert said[-2:] == [
            f"         3 connected accounts under {ids[NEXT]} (newest)",
            f"         1 providers under {ids[NEXT]} (newest)",
        ]
        assert complaint == ""

    def test_a_dry_run(self, sealed, ids):
        UnreadAnswer.objects.create(
            account=ConnectedAccount.objects.first(),
            body=Secret("body"),
            created_at=clock.utcnow() - timedelta(days=30),
        )

        said, complaint = rotate_keys("--dry-run")

        assert said[-1] == "3 rows would be re-encrypted."
        assert "After:" not in said
        assert complaint.startswith("1 rows do not open")
        assert ConnectedAccount.objects.filter(key_id=ids[OLD]).count() == 2
        assert UnreadAnswer.objects.exists()

    def test_nothing_is_sealed(self, db):
        assert rotate_keys() == (
            [
                "Before:",
                "  nothing is sealed",
                "0 rows were re-encrypted.",
                "After:",
                "  nothing is sealed",
            ],
            "",
        )

    def test_what_is_over_does_not_stand_in_the_way(self, db, ids, settings):
        settings.FERNET_KEYS = [LOST]
        account = ConnectedAccountFactory()
        long_ago = clock.utcnow() - timedelta(days=30)
        AuthorizationAttempt.objects.create(
            state_hash="1",
            browser_hash="2",
            user=User.objects.create_user("ada"),
            provider=account.provider,
            code_verifier=Secret("verifier"),
            expires_at=long_ago,
        )
        UnreadAnswer.objects.create(
            account=account, body=Secret("body"), created_at=long_ago
        )
        account.revoke(reason="at_provider")
        Provider.objects.update(client_secret=None, pinned_addresses=None)
        settings.FERNET_KEYS = [NEXT]

        assert rotate_keys()[1] == ""

    def test_rows_that_name_no_key_and_do_not_open(self, db, ids, settings):
        settings.FERNET_KEYS = [LOST]
        ConnectedAccountFactory().delete()
        settings.FERNET_KEYS = [NEXT]

        said, complaint = rotate_keys()

        assert "         1 pending revocations do not open" in said
        assert complaint.startswith("2 rows do not open")

    def test_rows_that_others_write_all_the_time(self, sealed, monkeypatch):
        monkeypatch.setattr(sealed_rows, "swap", lambda table, changes: 0)
        monkeypatch.setattr(rotate, "PAUSE_SECONDS", 0)
        ConnectedAccount.objects.filter(pk=sealed.pk).delete()
        sealed_rows.tables()[3].model.objects.all().delete()

        _said, complaint = rotate_keys()

        assert complaint.startswith("3 rows are not under the newest key")

    def test_a_progress_bar_on_a_terminal(self, sealed):
        terminal = Terminal()

        with pytest.raises(CommandError):
            run("rotate-keys", stderr=terminal)

        assert "Re-encrypting [##############################] 4/4" in (
            terminal.getvalue()
        )

    def test_keys_that_are_not_usable(self, db, settings):
        settings.FERNET_KEYS = ["short"]

        with pytest.raises(CommandError, match="shorter than 32 characters"):
            call_command("oauth_accounts", "rotate-keys", skip_checks=True)

    def test_a_signal_ends_it_between_two_batches(
        self, ids, settings, transactional_db, child_environment, tmp_path
    ):
        settings.FERNET_KEYS = [OLD]
        account = ConnectedAccountFactory()
        many = [
            ConnectedAccount(
                provider=account.provider, uid=str(number), access_token="a"
            )
            for number in range(3000)
        ]
        ConnectedAccount.objects.bulk_create(many, batch_size=500)
        (tmp_path / "rotated_settings.py").write_text(
            f"from tests.settings import *\nFERNET_KEYS = {[NEXT, OLD]!r}\n"
        )
        path = f"{tmp_path}:{child_environment['PYTHONPATH']}"
        environment = {
            **child_environment,
            "DJANGO_SETTINGS_MODULE": "rotated_settings",
            "PYTHONPATH": path,
        }
        rows = ConnectedAccount.objects.filter(key_id=ids[NEXT])

        with Child(environment, tmp_path, "rotate-keys", "--batch-size=1") as child:
            wait_until(lambda: rows.count() > 5, child.complaints)
            assert child.end() == STOPPED_EXIT_CODE + 15
            assert "Stopped by SIGTERM." in child.complaints()
        assert 5 < rows.count() < 3000


class TestStatus:
    def test_e36_accounts_under_each_key(self, sealed, ids):
        said = run("status").splitlines()

        assert said[-4:] == [
            "Keys of what accounts hold:",
            f"         2 under {ids[OLD]} (older)",
            f"         1 under {ids[LOST]} (unknown)",
            "1 accounts are under keys that FERNET_KEYS does not have.",
        ]
        rotate.run()
        assert f"         2 under {ids[NEXT]} (newest)" in run("status").splitlines()

    def test_an_account_that_holds_nothing_is_under_no_key(self, sealed):
        ConnectedAccount.objects.get(pk=sealed.pk).revoke()

        assert "unknown" not in run("status")

    def test_a_row_that_names_no_key(self, sealed):
        ConnectedAccount.objects.update(key_id="")

        assert "         3 under - (unknown)" in run("status").splitlines()
