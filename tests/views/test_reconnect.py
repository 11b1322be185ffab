"""Reconnecting: new tokens for an account that is known."""

from __future__ import annotations

from typing import Any

from django.test import Client

from oauth_accounts import moving
from oauth_accounts.models import AuthorizationAttempt, ConnectedAccount, Provider
from oauth_accounts.testing.server import FakeProvider
from tests.views.browser import (
    Browser,
    actions,
    list_url,
    page_of,
    reconnect_url,
)


class TestReconnect:
    def test_the_account_gets_new_tokens(
        self, browser: Browser, provider: Provider
    ) -> None:
        account = browser.connect()
        ConnectedAccount.objects.update(
            status="needs_reauth", status_reason="invalid_grant", refresh_due_at=None
        )
        started = browser.post(reconnect_url(account), next="/on/")
        response = browser.get(browser.consent(started["Location"]))
        assert response["Location"] == "/on/"
        account.refresh_from_db()
        assert account.status == "active"
        assert b"connected again" in browser.get(list_url()).content

    def test_e35_it_brings_back_what_a_move_has_stopped(
        self, browser: Browser, provider: Provider, server: FakeProvider
    ) -> None:
        account = browser.connect()
        # As seen from here it moves; the server answers under both names.
        moved = server.token_endpoint.replace("127.0.0.1", "localhost")
        provider.token_endpoint = moved
        provider.client_secret = server.client_secret
        provider.save()
        assert moving.pause_accounts(provider) == 1
        assert reconnect_url(account) in actions(page_of(browser))
        started = browser.post(reconnect_url(account))
        response = browser.get(browser.consent(started["Location"]))
        assert response.status_code == 302
        account = ConnectedAccount.objects.get()
        assert (account.status, account.status_reason) == ("active", "")
        assert account.refresh_due_at is not None
        account.refresh()
        assert server.replays == 0

    def test_b13_somebody_elses_account_is_not_there(
        self,
        browser: Browser,
        provider: Provider,
        other_user: Any,
        server: FakeProvider,
    ) -> None:
        account = browser.connect()
        mine = AuthorizationAttempt.objects.count()
        response = Browser(other_user, server).post(reconnect_url(account))
        assert response.status_code == 404
        assert b"no such connected account" in response.content
        assert AuthorizationAttempt.objects.count() == mine

    def test_post_only(self, browser: Browser, provider: Provider) -> None:
        account = browser.connect()
        assert browser.get(reconnect_url(account)).status_code == 405
        bare = browser.client.post(reconnect_url(account))
        assert bare.status_code == 403

    def test_login_needed(self, browser: Browser, provider: Provider) -> None:
        account = browser.connect()
        response = Client().post(reconnect_url(account))
        assert response["Location"].startswith("/admin/login/")
