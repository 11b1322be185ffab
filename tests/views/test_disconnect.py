"""Disconnecting: POST, owners only, stopped at once, and what the provider said."""

from __future__ import annotations

import time
from typing import Any

import pytest

from oauth_accounts.models import ConnectedAccount, PendingRevocation
from oauth_accounts.testing.server import FakeProvider
from tests.views.browser import (
    Browser,
    actions,
    assert_protected,
    connect_url,
    disconnect_url,
    list_url,
    page_of,
    reconnect_url,
)


class TestDisconnect:
    def test_a6_1_post_only(self, browser: Browser, account: ConnectedAccount) -> None:
        for method in ("get", "head", "options"):
            response = getattr(browser.client, method)(disconnect_url(account))
            assert response.status_code == 405
            assert_protected(response)
        assert browser.client.post(disconnect_url(account)).status_code == 403
        account.refresh_from_db()
        assert account.status == "active"

    def test_a6_1_owners_only(
        self,
        account: ConnectedAccount,
        other_user: Any,
        server: FakeProvider,
        stranger: Browser,
    ) -> None:
        response = Browser(other_user, server).post(disconnect_url(account))
        assert response.status_code == 404
        assert stranger.post(disconnect_url(account))["Location"].startswith("/admin/")
        account.refresh_from_db()
        assert account.status == "active"

    def test_the_token_is_unusable_at_once(
        self, browser: Browser, account: ConnectedAccount, user: Any
    ) -> None:
        response = browser.post(disconnect_url(account))
        assert response.status_code == 302
        assert response["Location"] == list_url()
        account.refresh_from_db()
        assert (account.status, account.status_reason) == ("revoked", "by_owner")
        assert account.access_token is None
        assert account.events.get(kind="revoked").actor == user
        page = page_of(browser)
        text = "alice@provider.example at Fake provider is disconnected."
        assert text in page.get_text()

    def test_a6_2_the_provider_is_not_waited_for(
        self, browser: Browser, account: ConnectedAccount, server: FakeProvider
    ) -> None:
        started = time.monotonic()
        assert browser.post(disconnect_url(account)).status_code == 302
        assert time.monotonic() - started < 2
        assert server.requests == []
        assert PendingRevocation.objects.get().status == "pending"

    @pytest.mark.parametrize(
        ("outcome", "words"),
        [
            ("pending", "is being told"),
            ("confirmed", "has confirmed"),
            ("unsupported", "cannot be told"),
            ("failed", "could not be told"),
        ],
    )
    def test_a6_4_the_page_says_what_became_of_it(
        self, browser: Browser, account: ConnectedAccount, outcome: str, words: str
    ) -> None:
        account.revoke()
        PendingRevocation.objects.update(status=outcome)
        page = page_of(browser)
        card = page.find(class_="oa-revoked").find("article")
        assert words in card.get_text()
        assert actions(page) == {connect_url(), reconnect_url(account)}

    def test_an_earlier_disconnection_is_not_told(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        account.revoke()
        PendingRevocation.objects.update(status="superseded")
        card = page_of(browser).find(class_="oa-revoked").find("article")
        assert "service" not in card.get_text().lower()

    def test_ended_at_the_provider(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        account.revoke(reason="at_provider")
        card = page_of(browser).find(class_="oa-revoked").find("article")
        assert "Access was ended at Fake provider." in card.get_text()
