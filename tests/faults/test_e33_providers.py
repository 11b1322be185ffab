"""Providers that are switched off, deleted or moved under a refresh."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.db.models import ProtectedError

from oauth_accounts import sweep, turns
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.server import FakeProvider
from tests.admin.desk import Desk, messages
from tests.faults.meanwhile import PATHS, during, renew


@pytest.fixture
def elsewhere():
    """Another server, that must never see a secret of the first one's."""
    with FakeProvider() as fake:
        yield fake


@pytest.mark.parametrize("path", PATHS)
def test_e33_a_provider_disabled_while_a_refresh_is_in_flight(
    path, make_account, server, provider
):
    """
    The rotated token is stored, because there is no other; from then on nothing is
    sent. Switched on again, the account goes on with the stored token.
    """
    account = make_account()

    def switch_off():
        Provider.objects.filter(pk=provider.pk).update(enabled=False)

    during(server, account, switch_off)
    renew(path, account)
    account.refresh_from_db()
    assert (account.status, account.generation) == ("active", 1)
    assert account.lease is None
    stored = account.reveal("refresh_token").get_value()
    assert server.is_live(stored)

    ConnectedAccount.objects.update(
        expires_at=account.created_at, refresh_due_at=account.created_at
    )
    assert sweep.run().done == 0
    with pytest.raises(ProviderMisconfigured) as caught:
        ConnectedAccount.objects.get().get_access_token()
    assert caught.value.code == "provider_disabled"
    assert len(server.token_requests) == 1

    Provider.objects.update(enabled=True)
    assert sweep.run().refreshed == 1
    assert server.token_requests[1].form["refresh_token"] == stored


def test_e33_a_sweep_claims_nothing_more(make_account, server, provider, monkeypatch):
    """What was leased when the provider was disabled is the last that is sent."""
    monkeypatch.setattr(turns, "FIRST_BATCH", 2)
    accounts = [make_account(f"user-{n}") for n in range(8)]

    def switch_off(request):
        Provider.objects.filter(pk=provider.pk).update(enabled=False)
        connections.close_all()

    server.on_token_request = switch_off
    assert sweep.run() == sweep.Result(refreshed=2)
    assert sweep.run().done == 0
    assert len(server.token_requests) == 2
    assert ConnectedAccount.objects.filter(generation=1).count() == 2
    assert ConnectedAccount.objects.filter(lease__isnull=False).count() == 0
    assert ConnectedAccount.objects.filter(status="active").count() == len(accounts)


def test_e34_a_provider_with_accounts_is_not_deleted(account, provider):
    """The database refuses, so that no grant is left behind that nobody can revoke."""
    with pytest.raises(ProtectedError):
        provider.delete()
    assert ConnectedAccount.objects.get().refresh_token is not None


def test_e34_the_admin_says_why(account, provider):
    """Whoever tries is told what stands in the way; nothing is deleted, nothing breaks."""
    desk = Desk(User.objects.create_superuser("root"))
    response = desk.post("provider_delete", provider.pk, post="yes")
    assert response.status_code == 200
    [said] = messages(response)
    assert "cannot be deleted: 1 account belongs to it" in said
    assert "Disable" in said
    assert Provider.objects.filter(pk=provider.pk).exists()
    assert ConnectedAccount.objects.get().status == "active"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("changed", ["token_endpoint", "issuer"])
def test_e35_a_provider_that_was_moved_by_sql(
    path, changed, account, server, provider, elsewhere
):
    """
    Tokens are sealed for the issuer and the token endpoint they came from: neither they
    nor the client secret are sent anywhere else.
    """
    Provider.objects.update(**{changed: getattr(elsewhere, changed)})
    renew(path, account)
    assert elsewhere.requests == []
    assert server.requests == []
    stored = ConnectedAccount.objects.get()
    assert (stored.status, stored.status_reason) == ("disabled", "provider_changed")
    assert stored.lease is None
    with pytest.raises(ProviderMisconfigured) as caught:
        stored.get_access_token()
    assert caught.value.code == "provider_changed"


@pytest.mark.parametrize("path", PATHS)
def test_e35_a_provider_that_moves_during_the_refresh(
    path, account, server, provider, elsewhere
):
    """What the old place answers is not sent to the new one later."""
    during(
        server,
        account,
        lambda: Provider.objects.update(token_endpoint=elsewhere.token_endpoint),
    )
    renew(path, account)
    ConnectedAccount.objects.update(
        expires_at=account.created_at, refresh_due_at=account.created_at
    )
    renew("sweep", account)
    renew("caller", account)
    assert elsewhere.requests == []
    assert len(server.token_requests) == 1
