"""A5.4: who may change providers, but does not know the secret, gets no token sent."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from oauth_accounts import clock, outbox
from oauth_accounts.exceptions import TokenError
from oauth_accounts.models import (
    AccountEvent,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.testing.server import FakeProvider
from tests.admin.desk import Desk, errors, secret_of
from tests.rows import store

NEW_URL = "https://api.moved.example/"


@pytest.fixture
def evil() -> Iterator[FakeProvider]:
    with FakeProvider() as server:
        yield server


@pytest.fixture
def desk(staff: Callable[..., Desk]) -> Desk:
    return staff("change_provider", "view_provider")


def change(desk: Desk, provider: Provider, **changes: Any) -> dict[str, list[str]]:
    """Send the form with changes, without asking, and return its errors."""
    values = {"confirm_move": "on", **changes}
    response = desk.submit("provider_change", provider.pk, **values)
    return errors(response) if "adminform" in (response.context or {}) else {}


def use_and_revoke(account: ConnectedAccount) -> None:
    account = ConnectedAccount.objects.get(pk=account.pk)
    with contextlib.suppress(TokenError):
        account.session().get("things")
    account.revoke()
    outbox.deliver_due()


def make_public(provider: Provider) -> None:
    Provider.objects.update(client_secret=None, token_endpoint_auth_method="none")
    provider.refresh_from_db()


def moved(provider: Provider) -> bool:
    return Provider.objects.get(pk=provider.pk).api_base_url == NEW_URL


def endpoint_events(user: User) -> int:
    found = AccountEvent.objects.filter(kind="secret_changed", actor=user)
    return found.filter(reason="endpoints_changed").count()


class TestTakingTokensAway:
    """Several ways to what only the secret itself gives; each ends with no call."""

    @pytest.mark.parametrize(
        "steps",
        [
            [{"move": True}],
            [{"move": True, "new_client_secret": "guessed"}],
            [
                {
                    "move": True,
                    "remove_client_secret": "on",
                    "token_endpoint_auth_method": "none",
                }
            ],
            [
                {
                    "remove_client_secret": "on",
                    "token_endpoint_auth_method": "none",
                },
                {"move": True},
            ],
            [
                {"new_client_secret": "own"},
                {"move": True, "new_client_secret": "own"},
            ],
        ],
        ids=["nothing", "guessed", "removed", "removed before", "replaced before"],
    )
    def test_no_token_is_sent(
        self,
        desk: Desk,
        provider: Provider,
        account: ConnectedAccount,
        evil: FakeProvider,
        steps: list[dict[str, Any]],
    ) -> None:
        addresses = {
            "api_base_url": f"{evil.issuer}/api",
            "revocation_endpoint": f"{evil.issuer}/revoke",
            "userinfo_endpoint": f"{evil.issuer}/userinfo",
        }
        for step in steps:
            moving = addresses if step.get("move") else {}
            values = {name: text for name, text in step.items() if name != "move"}
            change(desk, provider, **moving, **values)
        use_and_revoke(account)
        assert evil.requests == []
        assert endpoint_events(desk.user) == 0

    def test_a_public_client_is_not_moved(
        self, desk: Desk, provider: Provider, account: ConnectedAccount
    ) -> None:
        make_public(provider)
        found = change(desk, provider, api_base_url=NEW_URL)
        assert "OAUTH_ACCOUNTS_PROVIDERS" in found["__all__"][0]
        found = change(desk, provider, api_base_url=NEW_URL, new_client_secret="own")
        assert set(found) >= {"__all__", "new_client_secret"}
        assert not moved(provider)

    def test_what_waits_to_be_revoked_counts_too(
        self, desk: Desk, provider: Provider, account: ConnectedAccount
    ) -> None:
        account.delete()
        assert PendingRevocation.objects.filter(status="pending").count() == 1
        found = change(desk, provider, api_base_url=NEW_URL, new_client_secret="x")
        assert set(found) == {"new_client_secret"}
        PendingRevocation.objects.get().finish("confirmed")
        assert not change(desk, provider, api_base_url=NEW_URL, new_client_secret="x")
        assert moved(provider)


class TestMoving:
    def test_with_the_stored_secret(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        account: ConnectedAccount,
    ) -> None:
        values = {"api_base_url": NEW_URL, "new_client_secret": server.client_secret}
        assert change(desk, provider, **values) == {}
        assert moved(provider)
        assert secret_of(provider) == server.client_secret
        assert AccountEvent.objects.filter(kind="secret_changed").count() == 1
        assert endpoint_events(desk.user) == 1

    def test_both_at_once_is_told_apart(
        self, desk: Desk, provider: Provider, account: ConnectedAccount
    ) -> None:
        found = change(desk, provider, api_base_url=NEW_URL, new_client_secret="other")
        assert "change the addresses first" in found["new_client_secret"][0]
        assert change(desk, provider, new_client_secret="other") == {}
        assert secret_of(provider) == "other"
        assert not moved(provider)

    def test_a_second_secret_does_not_slip_in(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        account: ConnectedAccount,
    ) -> None:
        found = change(
            desk,
            provider,
            api_base_url=NEW_URL,
            new_client_secret=server.client_secret,
            new_private_key="own",
        )
        assert set(found) == {"new_private_key"}

    def test_a_secret_that_does_not_open_is_no_proof(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        account: ConnectedAccount,
    ) -> None:
        store(provider, "client_secret", b"rubbish")
        values = {"api_base_url": NEW_URL, "new_client_secret": server.client_secret}
        found = change(desk, provider, **values)
        assert "cannot be read" in found["new_client_secret"][0]
        assert not moved(provider)

    def test_a_provider_without_tokens_takes_any_secret(
        self, desk: Desk, provider: Provider
    ) -> None:
        assert "new_client_secret" in change(desk, provider, api_base_url=NEW_URL)
        assert not moved(provider)
        values = {"api_base_url": NEW_URL, "new_client_secret": "other"}
        assert change(desk, provider, **values) == {}
        assert secret_of(provider) == "other"
        assert endpoint_events(desk.user) == 1


class TestAfterANewSecret:
    """The tokens have to be newer than the secret, or its knowledge proves nothing."""

    @pytest.fixture
    def replaced(
        self, desk: Desk, provider: Provider, account: ConnectedAccount
    ) -> ConnectedAccount:
        assert change(desk, provider, new_client_secret="newer") == {}
        return account

    @pytest.fixture
    def move(self, desk: Desk, provider: Provider) -> Callable[[], dict[str, Any]]:
        values = {"api_base_url": NEW_URL, "new_client_secret": "newer"}
        return lambda: change(desk, provider, **values)

    @pytest.mark.parametrize("issued_at", [timedelta(seconds=-60), None])
    def test_older_tokens_stay_where_they_are(
        self, replaced: ConnectedAccount, move: Any, issued_at: timedelta | None
    ) -> None:
        moment = issued_at and clock.utcnow() + issued_at
        replaced.stored_row().update(issued_at=moment)
        assert "before the client secret was changed" in move()["__all__"][0]

    def test_newer_ones_do_not_stand_in_the_way(
        self, replaced: ConnectedAccount, move: Any
    ) -> None:
        replaced.stored_row().update(issued_at=clock.utcnow())
        assert move() == {}

    def test_without_tokens_an_account_does_not_either(
        self, replaced: ConnectedAccount, move: Any
    ) -> None:
        replaced.stored_row().update(access_token=None, refresh_token=None)
        assert move() == {}

    @pytest.mark.parametrize("connected", ["before", "since"])
    def test_revocations_count_by_when_the_account_was_connected(
        self, replaced: ConnectedAccount, move: Any, connected: str
    ) -> None:
        replaced.record_event("connected")
        if connected == "before":
            long_ago = clock.utcnow() - timedelta(days=1)
            AccountEvent.objects.filter(kind="connected").update(created_at=long_ago)
        replaced.revoke()
        assert bool(move()) == (connected == "before")
