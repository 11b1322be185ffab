"""Owners who leave, accounts that are ended: no token outlives what it stood for."""

from __future__ import annotations

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction

from oauth_accounts import outbox, sweep
from oauth_accounts.exceptions import ProviderMisconfigured, ReauthRequired
from oauth_accounts.models import ConnectedAccount, PendingRevocation
from oauth_accounts.testing.wire import Answer
from tests.faults.meanwhile import PATHS, during, renew

OTHER_KEYS = ["a-key-that-has-sealed-nothing-in-this-suite-41c7"]


def live_tokens(server) -> list[str]:
    """Return every token ever issued that the provider would still take."""
    return [
        token
        for grant in server.book.grants
        for token in (*grant.access_tokens, *grant.refresh_tokens)
        if server.is_live(token)
    ]


def latest(server, uid="alice") -> str:
    """Return the newest refresh token of a subject."""
    [grant] = [one for one in server.book.grants if one.subject == uid]
    return grant.refresh_tokens[-1]


@pytest.mark.parametrize("path", PATHS)
def test_e29_a_user_deleted_during_the_refresh(path, make_account, server, owner):
    """
    Tokens that come for an account that is gone are stored nowhere but in the outbox,
    sealed, and are revoked from there; the account beside it is refreshed.
    """
    gone = make_account()
    stays = make_account("bob", owner=User.objects.create_user("bob"))
    during(server, gone, owner.delete)
    renew(path, gone)
    renew(path, stays)
    fresh = latest(server)
    assert gone.reveal("refresh_token").get_value() != fresh
    late = PendingRevocation.objects.get(reason="superseded")
    assert (late.account, late.account_key) == (None, gone.pk)
    assert late.reveal("refresh_token").get_value() == fresh
    assert fresh.encode() not in bytes(late.refresh_token.ciphertext)

    outbox.deliver_due()

    assert fresh in server.revoked
    assert set(live_tokens(server)) == _tokens(stays, server)
    assert not ConnectedAccount.objects.filter(pk=gone.pk).exists()


def test_e29_a_deletion_that_is_rolled_back_loses_nothing(make_account, server, owner):
    """A user who stays after all keeps the tokens, and none of them is revoked."""
    account = make_account()

    def think_better():
        with transaction.atomic():
            owner.delete()
            transaction.set_rollback(True)

    owner_key = owner.pk
    during(server, account, think_better)
    renew("caller", account)
    outbox.deliver_due()
    account.refresh_from_db()
    assert account.owner_id == owner_key
    assert account.generation == 1
    assert server.revoked == []
    assert server.is_live(account.get_access_token())


@pytest.mark.parametrize("obstacle", ["provider is down", "key is missing"])
def test_e30_a_user_deleted_while_nothing_can_be_revoked(
    obstacle, account, server, owner, settings
):
    """
    Neither a provider that is down nor a missing key holds up the deletion; the tokens
    wait in the outbox, written in the same transaction, and are revoked when it can be.
    """
    refresh_token = account.reveal("refresh_token").get_value()
    if obstacle == "provider is down":
        server.script(Answer(status=503, body="down"), endpoint="revocation")
    else:
        keys, settings.FERNET_KEYS = settings.FERNET_KEYS, OTHER_KEYS
    owner.delete()
    assert ConnectedAccount.objects.count() == 0
    assert PendingRevocation.objects.get().reason == "deleted"
    outbox.deliver_due()
    assert PendingRevocation.objects.get().status == "pending"
    assert server.revoked == []
    if obstacle == "key is missing":
        settings.FERNET_KEYS = keys
    PendingRevocation.objects.update(due_at=account.created_at)
    outbox.deliver_due()
    assert refresh_token in server.revoked
    done = PendingRevocation.objects.get()
    assert done.status == "confirmed"
    assert done.refresh_token is done.access_token is None


def test_e30_a_deletion_that_is_rolled_back_leaves_no_order(account, owner):
    """What never happened is not carried out."""
    with transaction.atomic():
        owner.delete()
        transaction.set_rollback(True)
    assert PendingRevocation.objects.count() == 0
    assert ConnectedAccount.objects.get().refresh_token is not None


@pytest.mark.parametrize("how", ["saved", "updated"])
def test_e31_b34_the_accounts_of_an_inactive_user(
    how, make_account, server, owner, settings
):
    """
    No token of a deactivated user is refreshed or handed out, not even a valid one, also
    when no signal told of the deactivation; coming back heals all.
    """
    due, valid = make_account(), make_account("valid", expires_in=3000)
    _set_active(owner, False, how)
    result = sweep.run()
    assert result.refreshed == 0
    for stale in (due, valid):
        account = ConnectedAccount.objects.select_related("owner").get(pk=stale.pk)
        with pytest.raises(ProviderMisconfigured) as caught:
            account.get_access_token()
        assert caught.value.code == "owner_inactive"
    assert server.token_requests == []
    _set_active(owner, True, "saved")
    assert sweep.run().refreshed >= 1
    for stale in (due, valid):
        account = ConnectedAccount.objects.get(pk=stale.pk)
        assert server.is_live(account.get_access_token())


def test_e31_a_user_deactivated_during_the_refresh(account, server, owner):
    """The rotated token is stored, for the return; it is not handed out."""
    during(server, account, lambda: _set_active(owner, False, "saved"))
    with pytest.raises(ProviderMisconfigured):
        account.get_access_token()
    stored = ConnectedAccount.objects.get()
    assert (stored.status, stored.status_reason) == ("disabled", "owner_inactive")
    assert server.is_live(stored.reveal("refresh_token").get_value())
    assert stored.refresh_due_at is None


@pytest.mark.parametrize("path", PATHS)
def test_e32_a_revocation_while_refreshing(path, make_account, server):
    """The account is revoked in the end, and the provider holds no live token of it."""
    ended, stays = make_account(), make_account("bob")
    twin = ConnectedAccount.objects.get(pk=ended.pk)
    during(server, ended, twin.revoke)
    renew(path, ended)
    renew(path, stays)
    ended.refresh_from_db()
    assert (ended.status, ended.status_reason) == ("revoked", "by_owner")
    assert ended.access_token is ended.refresh_token is None
    assert ended.lease is ended.refresh_due_at is None
    with pytest.raises(ReauthRequired):
        ended.get_access_token()
    outbox.deliver_due()
    assert latest(server) in server.revoked
    assert set(live_tokens(server)) == _tokens(stays, server)


def test_e32_a_revocation_at_the_moment_of_the_write(make_account, server, monkeypatch):
    """As many as like may revoke at once while an answer is written: one outcome."""
    account = make_account()
    barrier = threading.Barrier(4)

    def revoke():
        try:
            twin = ConnectedAccount.objects.get(pk=account.pk)
            barrier.wait(10)
            twin.revoke()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=revoke) for _ in range(3)]
    for thread in threads:
        thread.start()
    server.on_token_request = lambda request: barrier.wait(10)
    renew("caller", account)
    for thread in threads:
        thread.join()
    account.refresh_from_db()
    assert account.status == "revoked"
    outbox.deliver_due()
    assert live_tokens(server) == []
    assert account.events.filter(kind="revoked").count() == 1


def _set_active(owner, active, how) -> None:
    if how == "updated":
        User.objects.filter(pk=owner.pk).update(is_active=active)
    else:
        owner.is_active = active
        owner.save()


def _tokens(account, server) -> set[str]:
    """Return the tokens that are stored for an account and live at the provider."""
    account.refresh_from_db()
    names = ("access_token", "refresh_token")
    values = {account.reveal(name).get_value() for name in names}
    # An access token lives on at the provider until its time is over.
    [grant] = [one for one in server.book.grants if one.subject == account.uid]
    return values | {token for token in grant.access_tokens if server.is_live(token)}
