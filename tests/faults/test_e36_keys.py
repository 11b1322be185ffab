"""E36 and E41: keys that are missing, wrong, back again, and replaced."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError
from django.db import connections

from oauth_accounts import clock, fields, keyring, outbox, rebind, sweep
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.fields import SEALED_FIELDS, Secret
from oauth_accounts.models import ConnectedAccount, PendingRevocation, Provider
from oauth_accounts.protocol.tokens import TokenSet
from tests.admin.desk import Desk
from tests.command import run
from tests.faults.meanwhile import PATHS, during, renew
from tests.rows import stored

LOST = "a-key-that-was-lost-and-is-found-again-b81f60"
NEXT = "the-key-that-comes-after-the-present-one-4e2d97"


@pytest.fixture
def half(make_account, provider, settings):
    """Three accounts that open and two whose key is missing; all are due."""
    keys = settings.FERNET_KEYS
    settings.FERNET_KEYS = [LOST, *keys]
    bad = [make_account(f"bad-{n}") for n in range(2)]
    settings.FERNET_KEYS = keys
    good = [make_account(f"good-{n}") for n in range(3)]
    return good, bad


def columns(account) -> list[bytes | None]:
    return [stored(account, name) for name in SEALED_FIELDS]


def test_e36_half_of_the_rows_are_undecryptable(half, server, settings):
    """
    The good ones are refreshed as ever. Of the others nothing is sent, changed or
    marked, the admin shows them, and all are refreshed when the key is back.
    """
    good, bad = half
    before = [columns(account) for account in bad]
    result = sweep.run()
    assert (result.refreshed, result.failed) == (3, 2)
    assert len(server.token_requests) == 3
    assert [columns(account) for account in bad] == before
    for account in bad:
        account.refresh_from_db()
        assert account.is_undecryptable()
        assert (account.status, account.generation) == ("active", 0)
        assert account.lease is account.attempt_started_at is None
        with pytest.raises(TokenUndecryptable):
            account.get_access_token()
    provider = good[0].provider
    failures = provider.refresh_statistics.filter(result="failure")
    assert failures.get().reason == "undecryptable"
    # Looked at again later, or a sweep would never end.
    assert sweep.run().done == 0

    settings.FERNET_KEYS = [*settings.FERNET_KEYS, LOST]
    ConnectedAccount.objects.filter(uid__startswith="bad").update(
        refresh_due_at=good[0].created_at
    )
    assert sweep.run().refreshed == 2
    for account in (*good, *bad):
        account.refresh_from_db()
        assert not account.is_undecryptable()
        assert server.is_live(account.get_access_token())
    assert len(server.token_requests) == 5


def test_e36_the_admin_shows_rows_that_do_not_open(half):
    """Lists and pages answer, and saving a page overwrites no token."""
    _good, bad = half
    before = columns(bad[0])
    desk = Desk(User.objects.create_superuser("root"))
    assert (
        "undecryptable" in desk.page("connectedaccount_changelist").get_text().lower()
    )
    desk.page("connectedaccount_change", bad[0].pk)
    desk.submit("connectedaccount_change", bad[0].pk)
    assert columns(bad[0]) == before


def test_e36_what_does_not_open_can_be_ended_here(half, server, settings):
    """Disconnecting and deleting work; the provider hears of it when the key is back."""
    _good, [revoked, deleted] = half
    tokens = {server.book.grants[n].refresh_tokens[0] for n in range(2)}
    revoked.revoke()
    assert revoked.status == "revoked"
    deleted.delete()
    outbox.deliver_due()
    assert server.revoked == []
    settings.FERNET_KEYS = [*settings.FERNET_KEYS, LOST]
    PendingRevocation.objects.update(due_at=revoked.created_at)
    outbox.deliver_due()
    assert tokens <= set(server.revoked)


def test_e36_a_provider_whose_secret_does_not_open(make_account, server, settings):
    """Nothing is sent, no account is marked, and the key's return heals it."""
    accounts = [make_account(f"user-{n}") for n in range(3)]
    keys, settings.FERNET_KEYS = settings.FERNET_KEYS, [LOST]
    assert sweep.run().refreshed == 0
    assert server.token_requests == []
    rows = ConnectedAccount.objects.filter(status="active", lease=None, generation=0)
    assert rows.count() == 3
    settings.FERNET_KEYS = keys
    ConnectedAccount.objects.update(refresh_due_at=accounts[0].created_at)
    assert sweep.run().refreshed == 3


def test_e36_a_key_that_is_lost_for_good(account, server, settings, monkeypatch):
    """Accounts are ended here, the provider gets its secret again, and owners come back."""
    secret = account.provider.reveal("client_secret")
    settings.FERNET_KEYS = [NEXT]
    run("revoke", "--provider=fake", "--no-input", "--per-minute=60000")
    account.refresh_from_db()
    assert account.status == "revoked"

    monkeypatch.setattr(rebind, "GRACE_SECONDS", 0)
    monkeypatch.setattr("builtins.input", lambda question: "fake")
    monkeypatch.setattr("getpass.getpass", lambda prompt: secret.get_value())
    with pytest.raises(CommandError, match="1 rows cannot be read and are left"):
        # What waits in the outbox is given up after its tries.
        run("rebind", "fake")

    provider = Provider.objects.get()
    assert provider.reveal("client_secret") == secret
    access_token, refresh_token = server.issue(subject="alice")
    values = account.token_values(tokens_of(access_token, refresh_token))
    account.stored_row().update(**values, status="active")
    again = ConnectedAccount.objects.get()
    again.refresh()
    assert server.is_live(again.get_access_token())


def tokens_of(access_token, refresh_token):
    return TokenSet(
        issued_at=clock.utcnow(),
        access_token=Secret(access_token),
        refresh_token=Secret(refresh_token),
        token_type="Bearer",
        expires_in=3600,
    )


@pytest.mark.parametrize("path", PATHS)
def test_e36_a_key_that_goes_missing_during_the_refresh(
    path, account, server, settings
):
    """What the provider answers is sealed with the key in force; no token is lost."""
    keys = settings.FERNET_KEYS

    def replace_keys():
        settings.FERNET_KEYS = [NEXT]

    during(server, account, replace_keys)
    renew(path, account)
    settings.FERNET_KEYS = [NEXT, *keys]
    account.refresh_from_db()
    assert account.generation == 1
    assert server.is_live(account.reveal("refresh_token").get_value())
    assert server.is_live(account.reveal("access_token").get_value())


@pytest.mark.parametrize("path", PATHS)
def test_e41_a_refresh_after_the_keys_were_rotated(path, account, server, settings):
    """All of a row comes under the new key at once: the old one can be dropped."""
    id_token = fields.seal("idt", account.sealing_context("id_token"))
    account.stored_row().update(id_token=id_token)
    secret = account.provider.reveal("client_secret")
    settings.FERNET_KEYS = [NEXT, *settings.FERNET_KEYS]
    renew(path, account)
    account.provider.client_secret = secret
    account.provider.save()
    settings.FERNET_KEYS = [NEXT]
    account = ConnectedAccount.objects.get()
    assert account.key_id == keyring.current_key_id()
    assert account.reveal("id_token").get_value() == "idt"
    assert server.is_live(account.reveal("access_token").get_value())
    assert server.is_live(account.reveal("refresh_token").get_value())


@pytest.mark.parametrize("path", PATHS)
def test_e41_a_row_that_is_resealed_during_the_refresh(path, account, server, settings):
    """
    The newer tokens win over what a rotation of keys has read before, and the row says
    the truth about its key: no token lies under one that nobody counts any more.
    """
    before = keyring.current_key_id()

    def reseal():
        twin = ConnectedAccount.objects.get(pk=account.pk)
        opened = {
            name: twin.reveal(name) for name in SEALED_FIELDS if getattr(twin, name)
        }
        old, settings.FERNET_KEYS = settings.FERNET_KEYS, [NEXT, *settings.FERNET_KEYS]
        sealed = {
            name: fields.seal(secret.get_value(), twin.sealing_context(name))
            for name, secret in opened.items()
        }
        rows = twin.stored_row().filter(generation=0, key_id=before)
        assert rows.update(**sealed, key_id=keyring.current_key_id()) == 1
        connections.close_all()
        # The worker that refreshes was started before the new key came.
        settings.FERNET_KEYS = [*old, NEXT]

    during(server, account, reseal)
    renew(path, account)
    account.refresh_from_db()
    assert account.generation == 1
    for name in ("access_token", "refresh_token"):
        assert server.is_live(account.reveal(name).get_value())
        assert keyring.key_id_of(getattr(account, name).ciphertext) == account.key_id
    rows = ConnectedAccount.objects.filter(generation=0, key_id=before)
    assert rows.update(access_token=None) == 0
    assert Provider.objects.get().pk == account.provider_id
