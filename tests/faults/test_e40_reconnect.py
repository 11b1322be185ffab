"""E40: the owner connects again while a refresh of the old grant is under way."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.test import RequestFactory

from oauth_accounts import connect, outbox
from oauth_accounts.models import ConnectedAccount, PendingRevocation
from tests.faults.meanwhile import PATHS, during, renew


def reconnect(server, provider, owner, subject="alice"):
    """Play the whole authorisation, as the owner's browser does."""
    request = RequestFactory().get("/")
    request.user = owner
    started = connect.start(request, provider)
    back = RequestFactory().get(server.authorize(started.url, subject=subject))
    back.user = owner
    return connect.finish(back, provider.slug, started.browser)


@pytest.mark.parametrize("path", PATHS)
def test_e40_the_new_grant_wins(path, make_account, server, provider, owner):
    """
    The tokens of the new grant stay, whatever the old one's refresh brings; and that is
    not revoked, because some providers would end the new grant along with it.
    """
    account, beside = make_account(), make_account("bob")
    seen = SimpleNamespace()

    def again():
        # The exchange of the code is a token request too.
        server.on_token_request = None
        reconnect(server, provider, owner)
        seen.row = ConnectedAccount.objects.get(pk=account.pk)

    during(server, account, again)
    renew(path, account)
    account.refresh_from_db()
    for name in ("access_token", "refresh_token"):
        assert account.reveal(name) == seen.row.reveal(name)
        assert server.is_live(account.reveal(name).get_value())
    assert account.generation == seen.row.generation == 1
    assert account.refresh_due_at == seen.row.refresh_due_at
    assert (account.status, account.lease) == ("active", None)
    assert PendingRevocation.objects.count() == 0
    outbox.deliver_due()
    assert server.revoked == []
    renew(path, beside)
    beside.refresh_from_db()
    assert beside.generation == 1
    old, new = [one for one in server.book.grants if one.subject == "alice"]
    assert old.refresh_tokens[-1] != new.refresh_tokens[-1]
    assert account.reveal("refresh_token").get_value() == new.refresh_tokens[-1]


def test_e40_an_error_for_the_old_grant_harms_not_the_new_one(
    account, server, provider, owner
):
    """A provider that ends the old grant when a new one is made answers invalid_grant."""
    [old] = server.book.grants

    def again():
        server.on_token_request = None
        reconnect(server, provider, owner)
        old.alive = False

    during(server, account, again)
    token = account.get_access_token()
    stored = ConnectedAccount.objects.get()
    assert (stored.status, stored.status_reason) == ("active", "")
    assert stored.events.filter(kind="reauth_required").count() == 0
    assert server.is_live(token)
    assert stored.reveal("access_token").get_value() == token


def test_e40_a_revocation_that_waits_is_forgotten(account, server, provider, owner):
    """Revoking the old grant after the owner came back could end the new one."""
    account.revoke()
    assert PendingRevocation.objects.get().status == "pending"
    reconnect(server, provider, owner)
    outbox.deliver_due()
    assert server.revoked == []
    stored = ConnectedAccount.objects.get()
    assert server.is_live(stored.reveal("refresh_token").get_value())
