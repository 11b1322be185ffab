"""Before accounts stop, somebody is told how many, and says yes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.http import HttpResponse

from oauth_accounts import moving
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.server import FakeProvider
from tests.admin.desk import Desk, errors, form_data, messages
from tests.rows import again

MOVED = "https://api.moved.example/"


@pytest.fixture
def desk(staff: Callable[..., Desk]) -> Desk:
    return staff("change_provider", "view_provider")


def change(desk: Desk, provider: Provider, **changes: Any) -> HttpResponse:
    return desk.submit("provider_change", provider.pk, **changes)


def parsed(response: HttpResponse) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


class TestAsked:
    def test_nothing_is_saved_and_the_number_is_told(
        self, desk: Desk, account: ConnectedAccount, server: FakeProvider
    ) -> None:
        provider = account.provider
        page = desk.page("provider_change", provider.pk)
        assert page.find(attrs={"name": "confirm_move"}) is None
        secret = server.client_secret
        response = change(desk, provider, api_base_url=MOVED, new_client_secret=secret)
        assert errors(response) == {
            "confirm_move": ["Accounts are concerned. Nothing has been saved yet."]
        }
        page = parsed(response)
        part = page.select_one("fieldset.oauth-accounts-consent")
        words = " ".join(part.get_text().split())
        assert "Saving stops 1 active account" in words
        assert f"manage.py oauth_accounts rebind {provider.slug}" in words
        assert "add the other beside it" in words
        assert again(provider).api_base_url != MOVED
        assert again(account).status == "active"
        assert not AccountEvent.objects.exists()

    def test_a8_9_the_secret_is_entered_again_and_kept_nowhere(
        self, desk: Desk, account: ConnectedAccount, server: FakeProvider
    ) -> None:
        provider, secret = account.provider, server.client_secret
        response = change(desk, provider, api_base_url=MOVED, new_client_secret=secret)
        assert secret not in response.content.decode()
        assert secret not in str(dict(desk.client.session))
        page = parsed(response)
        assert page.select_one(".field-new_client_secret details").has_attr("open")
        data = form_data(page.find("form", id="provider_form"))
        response = desk.post("provider_change", provider.pk, **data, confirm_move="on")
        assert list(errors(response)) == ["new_client_secret"]
        # The tick and what it is for are there still.
        page = parsed(response)
        assert page.find(attrs={"name": "confirm_move"}).has_attr("checked")
        assert "Saving stops 1 active account" in page.get_text()
        data = form_data(page.find("form", id="provider_form"))
        data["new_client_secret"] = secret
        response = desk.post("provider_change", provider.pk, **data)
        assert "1 account was stopped" in messages(response)[0]
        assert again(provider).api_base_url == MOVED

    def test_who_does_not_know_the_secret_is_not_asked(
        self, desk: Desk, account: ConnectedAccount
    ) -> None:
        response = change(desk, account.provider, api_base_url=MOVED)
        assert list(errors(response)) == ["new_client_secret"]
        assert parsed(response).find(attrs={"name": "confirm_move"}) is None

    def test_the_tick_alone_opens_nothing(
        self, desk: Desk, account: ConnectedAccount
    ) -> None:
        response = change(
            desk,
            account.provider,
            api_base_url=MOVED,
            confirm_move="on",
            new_client_secret="guessed",
        )
        assert list(errors(response)) == ["new_client_secret"]
        assert again(account.provider).api_base_url != MOVED

    def test_another_client_id(self, desk: Desk, account: ConnectedAccount) -> None:
        provider = account.provider
        response = change(desk, provider, client_id="another")
        assert list(errors(response)) == ["confirm_move"]
        assert "1 active account was connected under the client ID" in (
            " ".join(parsed(response).get_text().split())
        )
        change(desk, provider, client_id="another", confirm_move="on")
        assert again(provider).client_id == "another"
        assert again(account).status == "active"

    def test_many_are_not_counted_to_the_end(
        self,
        desk: Desk,
        account: ConnectedAccount,
        monkeypatch: Any,
    ) -> None:
        monkeypatch.setattr(moving, "MOST_COUNTED", 1)
        ConnectedAccountFactory(provider=account.provider)
        response = change(desk, account.provider, client_id="another")
        assert "more than 1 active accounts were connected" in (
            " ".join(parsed(response).get_text().split())
        )


class TestNotAsked:
    def test_when_no_account_is_active(
        self, desk: Desk, account: ConnectedAccount, server: FakeProvider
    ) -> None:
        account.stored_row().update(status="needs_reauth", refresh_due_at=None)
        secret = server.client_secret
        change(desk, account.provider, api_base_url=MOVED, new_client_secret=secret)
        assert again(account.provider).api_base_url == MOVED

    def test_when_the_host_stays_the_same(
        self, desk: Desk, account: ConnectedAccount, server: FakeProvider
    ) -> None:
        address = f"{server.issuer}/api/v2/"
        secret = server.client_secret
        change(desk, account.provider, api_base_url=address, new_client_secret=secret)
        assert again(account.provider).api_base_url == address

    def test_when_something_else_is_changed(
        self, desk: Desk, account: ConnectedAccount
    ) -> None:
        change(desk, account.provider, name="Renamed", new_client_secret="newer")
        assert again(account.provider).name == "Renamed"
