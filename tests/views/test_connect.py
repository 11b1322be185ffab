"""Starting: POST and CSRF, who may, what is sent to the provider, the browser's cookie."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.test import override_settings

from oauth_accounts.models import AuthorizationAttempt, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.server import FakeProvider
from tests.views.browser import (
    Browser,
    assert_protected,
    callback_url,
    connect_url,
    list_url,
    reconnect_url,
)

ALL_USERS = "django.contrib.auth.backends.AllowAllUsersModelBackend"
EVIL_PATHS = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "https:evil.example",
    "https://good@evil.example/",
    "http://testserver/path",
    "javascript:alert(1)",
    "/path\r\nX: y",
    "/\t/evil.example",
    "/nul\0",
    "relative",
    "/" + "a" * 2001,
]


def owner_of_nobody(request: Any) -> None:
    """As a project's callable for somebody who belongs to no organisation."""


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete"])
def test_a1_1_connect_starts_by_post_only(
    browser: Browser, provider: Provider, method: str
) -> None:
    browser.client.cookies["csrftoken"] = "a" * 32
    headers = {"x-csrftoken": "a" * 32}
    response = getattr(browser.client, method)(connect_url(), headers=headers)
    assert response.status_code == 405
    assert_protected(response)
    assert not AuthorizationAttempt.objects.exists()


def test_a1_1_connect_needs_the_csrf_token(
    browser: Browser, provider: Provider
) -> None:
    assert browser.client.post(connect_url()).status_code == 403
    assert not AuthorizationAttempt.objects.exists()


def test_a1_2_connect_needs_login(stranger: Browser, provider: Provider) -> None:
    response = stranger.post(connect_url())
    assert response.status_code == 302
    # Back to the list: the connect view itself does not answer to GET.
    assert response["Location"] == f"/admin/login/?next={list_url()}"
    assert not AuthorizationAttempt.objects.exists()


@override_settings(AUTHENTICATION_BACKENDS=[ALL_USERS])
def test_a1_2_connect_needs_an_active_user(
    user: Any, server: FakeProvider, provider: Provider
) -> None:
    get_user_model().objects.update(is_active=False)
    user.refresh_from_db()
    response = Browser(user, server).post(connect_url())
    assert response.status_code == 403
    assert b"not active" in response.content
    assert not AuthorizationAttempt.objects.exists()


def test_a1_6_a8_7_the_form_sets_no_parameter_of_the_protocol(
    browser: Browser, provider: Provider, other_user: Any
) -> None:
    names = ("client_id", "redirect_uri", "scope", "response_type", "state", "nonce")
    evil = dict.fromkeys((*names, "code_challenge", "request", "request_uri"), "evil")
    address = browser.start(**evil, user=other_user.pk, status="active", scopes="admin")
    sent = parse_qsl(urlsplit(address).query)
    assert len(sent) == len(dict(sent))
    assert "evil" not in address
    assert dict(sent)["client_id"] == provider.client_id
    attempt = AuthorizationAttempt.objects.get()
    assert attempt.user.username == "anna"
    assert attempt.scopes == ["read", "write"]


@override_settings(ALLOWED_HOSTS=["*"])
def test_a1_7_the_redirect_uri_is_not_from_the_host_header(
    browser: Browser, provider: Provider
) -> None:
    browser.client.cookies["csrftoken"] = "a" * 32
    response = browser.client.post(
        connect_url(),
        headers={
            "x-csrftoken": "a" * 32,
            "host": "evil.example",
            "x-forwarded-host": "evil.example",
        },
    )
    sent = dict(parse_qsl(urlsplit(response["Location"]).query))
    assert sent["redirect_uri"] == f"http://localhost:8000{callback_url()}"


@pytest.mark.parametrize("path", EVIL_PATHS)
def test_a1_10_an_unsafe_next_is_dropped(
    browser: Browser, provider: Provider, path: str
) -> None:
    response = browser.get(browser.consent(browser.start(next=path)))
    assert response["Location"] == list_url()


def test_a1_10_a_local_next_is_followed(browser: Browser, provider: Provider) -> None:
    address = browser.start(next="/path?x=1&y=ü")
    assert "path" not in urlsplit(address).query.replace(callback_url(), "")
    response = browser.get(browser.consent(address))
    assert response["Location"] == "/path?x=1&y=%C3%BC"


@override_settings(OAUTH_ACCOUNTS_SUCCESS_URL="/welcome/")
def test_without_next_the_setting_decides(browser: Browser, provider: Provider) -> None:
    response = browser.get(browser.consent(browser.start()))
    assert response["Location"] == "/welcome/"


@pytest.mark.parametrize("value", ["no-such-name", "shop:home", "", None])
def test_a_setting_that_leads_nowhere_is_logged_and_passed_by(
    browser: Browser, provider: Provider, value: Any, settings: Any, caplog: Any
) -> None:
    settings.OAUTH_ACCOUNTS_SUCCESS_URL = value
    response = browser.get(browser.consent(browser.start()))
    assert response["Location"] == list_url()
    assert "OAUTH_ACCOUNTS_SUCCESS_URL leads nowhere" in caplog.text


def test_a1_11_the_provider_gets_no_form(browser: Browser, provider: Provider) -> None:
    response = browser.post(connect_url())
    assert response.status_code == 302
    assert response["Location"].startswith(provider.authorization_endpoint)
    assert_protected(response)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "http://evil.example/a"])
def test_a1_12_an_address_forced_into_the_row_is_refused(
    browser: Browser, provider: Provider, address: str
) -> None:
    Provider.objects.update(authorization_endpoint=address)
    response = browser.post(connect_url())
    assert response.status_code == 502
    assert "Location" not in response
    assert_protected(response)


def test_a1_13_open_attempts_are_capped_and_the_session_stays_as_it_is(
    browser: Browser, provider: Provider
) -> None:
    before = dict(browser.client.session)
    for _again in range(12):
        browser.start()
    assert AuthorizationAttempt.objects.count() == 10
    assert dict(browser.client.session) == before


def test_the_cookie_is_for_this_browser_alone(
    browser: Browser, provider: Provider
) -> None:
    browser.start()
    cookie = browser.client.cookies["oauth_accounts"]
    first = cookie.value
    assert len(first) == 43
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert cookie["max-age"] == 600
    assert not cookie["secure"]
    assert not cookie["domain"]
    browser.start()
    assert browser.client.cookies["oauth_accounts"].value == first


def test_over_https_the_cookie_cannot_be_planted(
    user: Any, server: FakeProvider, provider: Provider
) -> None:
    browser = Browser(user, server, secure=True)
    browser.client.cookies["oauth_accounts"] = "p" * 43
    browser.start()
    cookie = browser.client.cookies["__Host-oauth_accounts"]
    assert cookie["secure"]
    assert cookie.value != "p" * 43
    assert browser.get(browser.consent(browser.start())).status_code == 302


@pytest.mark.parametrize("value", ["", "short", "a" * 44, "ä" * 43])
def test_a_cookie_of_another_shape_is_replaced(
    browser: Browser, provider: Provider, value: str
) -> None:
    browser.client.cookies["oauth_accounts"] = value
    browser.start()
    assert browser.client.cookies["oauth_accounts"].value != value


class TestWhatIsMissing:
    """A page that says what to do; the reason for the administrator is in the log."""

    def test_unknown_slug(self, browser: Browser, provider: Provider) -> None:
        response = browser.post(connect_url("nowhere"))
        assert response.status_code == 404
        assert b"no such service" in response.content

    def test_disabled_provider(self, browser: Browser, provider: Provider) -> None:
        Provider.objects.update(enabled=False)
        response = browser.post(connect_url())
        assert response.status_code == 503
        assert b"switched off" in response.content

    @pytest.mark.parametrize("column", ["token_endpoint", "client_id"])
    def test_incomplete_provider(
        self, browser: Browser, provider: Provider, column: str, caplog: Any
    ) -> None:
        Provider.objects.update(**{column: ""})
        caplog.set_level("INFO", logger="oauth_accounts")
        response = browser.post(connect_url())
        assert response.status_code == 503
        assert b"tell an administrator" in response.content
        assert "provider_incomplete" in caplog.text

    @override_settings(OAUTH_ACCOUNTS_BASE_URL=None, DEBUG=False)
    def test_missing_base_url(self, browser: Browser, provider: Provider) -> None:
        response = browser.post(connect_url())
        assert response.status_code == 503
        assert b"base_url_missing" in response.content

    @override_settings(FERNET_KEYS=[])
    def test_missing_keys(
        self, browser: Browser, provider: Provider, caplog: Any
    ) -> None:
        response = browser.post(connect_url())
        assert response.status_code == 503
        assert b"tell an administrator" in response.content
        assert b"FERNET" not in response.content
        assert "FERNET_KEYS is empty" in caplog.text

    @override_settings(OAUTH_ACCOUNTS_GET_OWNER=owner_of_nobody)
    def test_no_owner_is_not_the_application(
        self, browser: Browser, provider: Provider
    ) -> None:
        mine = ConnectedAccountFactory(provider=provider, owner=None)
        for path in (connect_url(), reconnect_url(mine)):
            assert browser.post(path).status_code == 403
        assert not AuthorizationAttempt.objects.exists()
        assert browser.get(list_url()).status_code == 403

    def test_get_attempts_end_after_ten_minutes(
        self, browser: Browser, provider: Provider
    ) -> None:
        browser.start()
        attempt = AuthorizationAttempt.objects.get()
        assert attempt.expires_at - attempt.created_at == timedelta(seconds=600)
