"""What the provider answers to the code, as the user sees it."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.test import override_settings

from oauth_accounts.models import (
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.settings import MAILED
from tests.views.browser import (
    Browser,
    assert_protected,
    reconnect_url,
)


class TestAfterTheExchange:
    def test_a2_16_an_account_of_somebody_else_is_a_conflict(
        self,
        browser: Browser,
        provider: Provider,
        server: FakeProvider,
        other_user: Any,
    ) -> None:
        Provider.objects.update(exclusive_subjects=True)
        browser.connect()
        other = Browser(other_user, server)
        response = other.get(other.consent(other.start()))
        assert response.status_code == 409
        assert_protected(response)
        assert b"already connected here by somebody else" in response.content
        assert ConnectedAccount.objects.count() == 1
        assert PendingRevocation.objects.get().reason == "account_in_use"

    def test_a2_17_reconnecting_somebody_else_is_a_conflict(
        self, browser: Browser, provider: Provider, server: FakeProvider
    ) -> None:
        account = browser.connect()
        before = account.access_token
        server.subject = "mallory"
        started = browser.post(reconnect_url(account))
        response = browser.get(browser.consent(started["Location"]))
        assert response.status_code == 409
        assert b"answered for a different account" in response.content
        account.refresh_from_db()
        assert account.access_token == before

    @pytest.mark.parametrize(
        ("answer", "status", "words"),
        [
            (Answer(status=503, headers={"Retry-After": "7"}), 503, b"try again later"),
            (Answer(status=401, json={"error": "invalid_client"}), 502, b"tell an"),
            (Answer(status=400, json={"error": "invalid_grant"}), 400, b"try again"),
        ],
    )
    def test_the_provider_fails(
        self,
        browser: Browser,
        provider: Provider,
        server: FakeProvider,
        answer: Answer,
        status: int,
        words: bytes,
    ) -> None:
        server.script(answer)
        response = browser.get(browser.consent(browser.start()))
        assert response.status_code == status
        assert_protected(response)
        assert words in response.content.lower()
        if status == 503:
            assert response["Retry-After"] == "8"

    @override_settings(DEBUG=False, ADMINS=MAILED)
    def test_a8_9_nobody_is_mailed_and_nothing_secret_is_logged(
        self, browser: Browser, provider: Provider, server: FakeProvider, caplog: Any
    ) -> None:
        # Loopback over http works in DEBUG only, so the token endpoint is refused.
        handler = logging.getLogger("django").handlers
        assert any(type(h).__name__ == "AdminEmailHandler" for h in handler)
        caplog.set_level(logging.DEBUG)
        with override_settings(DEBUG=True):
            path = browser.consent(browser.start())
        response = browser.get(path)
        assert response.status_code == 502
        assert mail.outbox == []
        query = parse_qs(urlsplit(path).query)
        for name in ("code", "state"):
            assert query[name][0] not in caplog.text
            assert query[name][0] not in response.content.decode()
