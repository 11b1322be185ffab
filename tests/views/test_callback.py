"""The way back: who may finish, what is shown when it fails, and what is never shown."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import connection
from django.test import Client, override_settings

from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    Provider,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.settings import MAILED
from tests.views.browser import (
    Browser,
    assert_protected,
    callback_url,
    list_url,
)

ALL_USERS = "django.contrib.auth.backends.AllowAllUsersModelBackend"


def state_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["state"][0]


def assert_rejected(response: Any, status: int, server: FakeProvider) -> None:
    assert response.status_code == status
    assert_protected(response)
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert b"<form" not in response.content
    assert not server.token_requests
    assert not ConnectedAccount.objects.exists()


def test_success_leads_to_an_address_without_code_and_state(
    browser: Browser, provider: Provider, user: Any
) -> None:
    response = browser.get(browser.consent(browser.start()))
    assert response.status_code == 302
    assert response["Location"] == list_url()
    assert_protected(response)
    account = ConnectedAccount.objects.get()
    assert account.owner == user
    page = browser.get(list_url()).content.decode()
    assert f"{account} at Fake provider is connected." in page


def test_a2_2_b4_b12_another_browser_cannot_finish(
    browser: Browser,
    stranger: Browser,
    provider: Provider,
    server: FakeProvider,
    other_user: Any,
    user: Any,
) -> None:
    for attacker in (stranger, Browser(other_user, server), Browser(user, server)):
        path = browser.consent(browser.start())
        assert_rejected(attacker.get(path), 400, server)
        # Burned: nor can the right one, any more.
        assert_rejected(browser.get(path), 400, server)


def switch_user(browser: Browser, user: Any) -> None:
    """Log out and in again as a browser does: other cookies stay."""
    kept = browser.client.cookies["oauth_accounts"].value
    browser.client.logout()
    if user is not None:
        browser.client.force_login(user)
    browser.client.cookies["oauth_accounts"] = kept


@pytest.mark.parametrize("who", ["bert", "nobody"])
def test_a2_3_who_did_not_start_gets_403(
    browser: Browser,
    provider: Provider,
    server: FakeProvider,
    other_user: Any,
    who: str,
) -> None:
    path = browser.consent(browser.start())
    switch_user(browser, other_user if who == "bert" else None)
    response = browser.get(path)
    assert_rejected(response, 403, server)
    assert b"begun by another user" in response.content
    assert AuthorizationAttempt.objects.get().consumed_at is not None
    wanted = b"Your connected accounts" if who == "bert" else b"Log in"
    assert wanted in response.content
    assert (b"Try again" in response.content) == (who == "bert")


def test_a2_3_the_same_user_may_log_in_again_meanwhile(
    browser: Browser, provider: Provider, user: Any
) -> None:
    path = browser.consent(browser.start())
    switch_user(browser, user)
    assert browser.get(path).status_code == 302


@override_settings(AUTHENTICATION_BACKENDS=[ALL_USERS])
def test_b34_a_user_deactivated_meanwhile_cannot_finish(
    user: Any, provider: Provider, server: FakeProvider
) -> None:
    browser = Browser(user, server)
    path = browser.consent(browser.start())
    get_user_model().objects.update(is_active=False)
    response = browser.get(path)
    assert_rejected(response, 403, server)
    assert b"not active" in response.content


@pytest.mark.parametrize("row", [False, True])
def test_a2_5_the_attempt_stays_burned_when_the_request_fails(
    browser: Browser,
    provider: Provider,
    server: FakeProvider,
    row: bool,
    monkeypatch: Any,
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", row)
    server.script(Answer(status=500))
    path = browser.consent(browser.start())
    assert browser.get(path).status_code == 503
    assert browser.get(path).status_code == 400
    assert len(server.token_requests) == 1
    assert browser.connect().status == "active"


@pytest.mark.parametrize(
    "query",
    [
        {"error": "<script>alert(1)</script>"},
        {"error": "access_denied", "error_description": "hostile\r\nwords" * 700},
        {"error": "unheard_of", "error_uri": "javascript:alert(1)"},
        {"error": "access_denied", "code": "abc"},
    ],
)
def test_a2_9_errors_are_not_reflected(
    browser: Browser, provider: Provider, server: FakeProvider, query: dict[str, str]
) -> None:
    state = state_of(browser.start())
    response = browser.get(callback_url(), state=state, iss=server.issuer, **query)
    assert_rejected(response, 400, server)
    for word in (b"script>alert", b"hostile", b"unheard_of", b"javascript"):
        assert word not in response.content


def test_a2_9_saying_no_has_its_own_words(
    browser: Browser, provider: Provider, server: FakeProvider
) -> None:
    server.deny = True
    response = browser.get(browser.consent(browser.start()))
    assert_rejected(response, 400, server)
    assert b"Access was not granted" in response.content
    assert b"?connect=fake" in response.content


@pytest.mark.parametrize("method", ["head", "post", "options", "put"])
def test_a2_12_only_get_consumes(
    browser: Browser, provider: Provider, method: str
) -> None:
    path = browser.consent(browser.start())
    response = getattr(browser.client, method)(path)
    assert response.status_code == 405
    assert_protected(response)
    assert AuthorizationAttempt.objects.get().consumed_at is None
    assert browser.get(path).status_code == 302


@pytest.mark.parametrize("lost", ["cookie", "state", "expired"])
def test_a2_18_a_lost_attempt_says_start_again_and_no_more(
    browser: Browser, provider: Provider, server: FakeProvider, lost: str
) -> None:
    path = browser.consent(browser.start())
    if lost == "cookie":
        del browser.client.cookies["oauth_accounts"]
    elif lost == "expired":
        attempt = AuthorizationAttempt.objects.get()
        attempt.expires_at = attempt.created_at
        attempt.save()
    else:
        path = callback_url()
    response = browser.get(path)
    assert_rejected(response, 400, server)
    assert b"<code>invalid_state</code>" in response.content
    assert b"begun in another browser" in response.content


def test_b10_an_accounts_id_is_no_state(
    browser: Browser, provider: Provider, user: Any, server: FakeProvider
) -> None:
    account = ConnectedAccountFactory(provider=provider, owner=user)
    response = browser.get(callback_url(), state=str(account.pk), code="x")
    assert response.status_code == 400
    assert not server.token_requests


def test_an_unknown_slug_is_rejected(
    browser: Browser, provider: Provider, server: FakeProvider
) -> None:
    query = urlsplit(browser.consent(browser.start())).query
    response = browser.get(f"{callback_url('nowhere')}?{query}")
    assert_rejected(response, 400, server)
    assert b"Try again" not in response.content


def test_the_page_works_without_the_messages_app(
    browser: Browser, provider: Provider, settings: Any
) -> None:
    settings.MIDDLEWARE = [m for m in settings.MIDDLEWARE if "messages" not in m]
    settings.INSTALLED_APPS = [
        a for a in settings.INSTALLED_APPS if "messages" not in a
    ]
    account = browser.connect()
    assert browser.get(list_url()).status_code == 200
    assert (
        browser.post(f"/accounts/connected/disconnect/{account.pk}/").status_code == 302
    )


def test_each_rejection_is_one_event(
    browser: Browser, provider: Provider, user: Any
) -> None:
    browser.get(callback_url(), state="x" * 43, code="y")
    event = AccountEvent.objects.get()
    assert (event.kind, event.reason) == ("rejected", "state_unknown_or_used")
    assert event.actor == user


def test_no_cookie_at_all_is_no_error(provider: Provider) -> None:
    assert Client().get(callback_url()).status_code == 400


def test_more_parameters_than_django_reads_are_a_refusal_and_no_error(
    browser: Browser, provider: Provider, server: FakeProvider
) -> None:
    path = browser.consent(browser.start())
    with override_settings(DEBUG=False, ADMINS=MAILED):
        response = browser.client.get(path + "&x=1" * 1500)
    assert_rejected(response, 400, server)
    assert mail.outbox == []
    # Nothing was burned by what nobody could read.
    assert browser.get(path).status_code == 302
