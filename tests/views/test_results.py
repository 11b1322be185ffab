"""How connecting ended: a heading, a next step, and the way back after a log-out."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import override_settings

from oauth_accounts import connect, pages
from oauth_accounts.exceptions import AuthorizationError
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.server import FakeProvider
from tests.views.browser import (
    Browser,
    assert_protected,
    callback_url,
    connect_url,
    disconnect_url,
    list_url,
    reconnect_url,
)

SESSION_MESSAGES = "django.contrib.messages.storage.session.SessionStorage"
ANOTHER_TRY = f"{list_url()}?connect=fake"


def page_of(response: HttpResponse) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


def links(page: BeautifulSoup) -> dict[str, str]:
    """Return where the page's links lead, by what they say."""
    return {a.get_text(): a["href"] for a in page.find(class_="oa-actions")("a")}


def ends_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Have every callback end with an error."""

    def finish(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(connect, "finish", finish)


@pytest.mark.faces
class TestNextStep:
    @pytest.mark.parametrize(
        ("code", "heading", "link"),
        [
            ("access_denied", "Access was not granted", "Try again"),
            ("account_in_use", "This account cannot be connected", "Choose another"),
            ("identity_mismatch", "This account cannot be connected", "Choose another"),
            ("code_refused", "That did not work", "Try again"),
            ("server_error", "Not at the moment", "Try again"),
            ("disabled_by_admin", "This needs an administrator", None),
            ("invalid_scope", "This needs an administrator", None),
        ],
    )
    def test_each_end_has_one(
        self,
        browser: Browser,
        provider: Provider,
        monkeypatch: pytest.MonkeyPatch,
        code: str,
        heading: str,
        link: str | None,
    ) -> None:
        ends_with(monkeypatch, AuthorizationError(code))
        page = page_of(browser.get(callback_url()))
        assert page.h1.get_text() == heading
        assert page.title.get_text(strip=True) == heading
        led = links(page)
        assert led.pop("Your connected accounts") == list_url()
        assert list(led.values()) == ([ANOTHER_TRY] if link else [])
        assert all(link and text.startswith(link) for text in led)
        assert page.find("code").get_text() == code

    def test_who_refused_is_told_that_nothing_happened(
        self, browser: Browser, provider: Provider, server: FakeProvider
    ) -> None:
        server.deny = True
        response = browser.get(browser.consent(browser.start()))
        assert response.status_code == 400
        assert "nothing was connected" in page_of(response).get_text()

    def test_another_try_leads_to_where_the_first_one_would_have(
        self, browser: Browser, provider: Provider, server: FakeProvider
    ) -> None:
        server.deny = True
        way_back = browser.consent(browser.start(next="/report/?a=1&b=2"))
        another_try = links(page_of(browser.get(way_back)))["Try again"]
        assert another_try == f"{ANOTHER_TRY}&next=%2Freport%2F%3Fa%3D1%26b%3D2"
        wanted = page_of(browser.get(another_try)).find(class_="oa-wanted")
        assert wanted.find("input", {"name": "next"})["value"] == "/report/?a=1&b=2"
        # Of an attempt that was used nobody learns anything.
        assert ANOTHER_TRY in links(page_of(browser.get(way_back))).values()

    def test_so_does_one_after_a_click_that_came_too_early(
        self, browser: Browser, provider: Provider
    ) -> None:
        provider.pause(600, "unavailable")
        page = page_of(browser.post(connect_url(), next="/report/"))
        assert links(page)["Try again"] == f"{ANOTHER_TRY}&next=%2Freport%2F"
        page = page_of(browser.post(connect_url(), next="//evil.example/"))
        assert links(page)["Try again"] == ANOTHER_TRY

    def test_a_callback_that_waits_is_loaded_again(
        self, browser: Browser, provider: Provider
    ) -> None:
        path = browser.consent(browser.start())
        provider.pause(600, "unavailable")
        page = page_of(browser.get(path))
        # The address itself holds the code: it stays out of the page.
        assert links(page)["Load this page again"] == ""

    def test_a_click_that_came_too_early_is_repeated_on_the_list(
        self, browser: Browser, provider: Provider, account: ConnectedAccount
    ) -> None:
        provider.pause(600, "unavailable")
        page = page_of(browser.post(connect_url()))
        assert links(page)["Try again"] == ANOTHER_TRY
        # Which provider it is does not stand in the path.
        page = page_of(browser.post(reconnect_url(account)))
        assert list(links(page)) == ["Your connected accounts"]

    def test_what_is_not_there_leads_to_the_list(
        self, browser: Browser, provider: Provider, account: ConnectedAccount
    ) -> None:
        address = disconnect_url(account)
        account.delete()
        response = browser.post(address)
        assert response.status_code == 404
        page = page_of(response)
        assert page.h1.get_text() == "That is not here"
        assert list(links(page)) == ["Your connected accounts"]


SAVED_ALWAYS = {"SESSION_SAVE_EVERY_REQUEST": True}
IN_SESSION = {"MESSAGE_STORAGE": SESSION_MESSAGES}


class TestLoggedOutMeanwhile:
    """Django's middleware writes the session after the view, and it may be gone by then."""

    @pytest.fixture(params=[SAVED_ALWAYS, IN_SESSION], ids=["always", "messages"])
    def written(self, request: Any) -> Any:
        """A project whose sessions are written after a callback."""
        with override_settings(**request.param):
            yield

    @pytest.fixture
    def gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A log-out in another tab while the provider answers."""
        finish = connect.finish

        def meanwhile(*args: Any, **kwargs: Any) -> Any:
            try:
                return finish(*args, **kwargs)
            finally:
                Session.objects.all().delete()

        monkeypatch.setattr(connect, "finish", meanwhile)

    def test_the_account_is_connected_and_the_page_says_so(
        self, browser: Browser, provider: Provider, written: None, gone: None
    ) -> None:
        response = browser.get(browser.consent(browser.start()))
        assert response.status_code == 200
        assert_protected(response)
        assert "default-src 'none'" in response["Content-Security-Policy"]
        page = page_of(response)
        assert page.h1.get_text() == "Connected"
        assert "You were logged out meanwhile" in page.get_text()
        assert links(page) == {"Log in": list_url()}
        assert page.find("code") is None
        account = ConnectedAccount.objects.get()
        # Nobody is logged in to be told whose it is.
        assert account.label not in response.content.decode()
        assert response.cookies["sessionid"].value == ""
        assert not Session.objects.exists()

    def test_a_failure_is_still_told(
        self,
        browser: Browser,
        provider: Provider,
        server: FakeProvider,
        written: None,
        gone: None,
    ) -> None:
        server.deny = True
        with override_settings(**SAVED_ALWAYS):
            response = browser.get(browser.consent(browser.start()))
        assert response.status_code == 400
        page = page_of(response)
        assert page.h1.get_text() == "Access was not granted"
        assert links(page) == {"Log in": list_url()}

    def test_who_stayed_comes_to_the_list(
        self, browser: Browser, provider: Provider, written: None
    ) -> None:
        response = browser.get(browser.consent(browser.start()))
        assert response["Location"] == list_url()
        assert b"is connected." in browser.get(list_url()).content

    def test_sessions_in_cookies_cannot_end(
        self, user: Any, provider: Provider, server: FakeProvider
    ) -> None:
        engine = "django.contrib.sessions.backends.signed_cookies"
        with override_settings(SESSION_ENGINE=engine, **SAVED_ALWAYS):
            browser = Browser(user, server)
            response = browser.get(browser.consent(browser.start()))
        assert response["Location"] == list_url()

    def test_sessions_that_are_not_written_are_not_looked_at(
        self, browser: Browser, provider: Provider, gone: None
    ) -> None:
        response = browser.get(browser.consent(browser.start()))
        assert response["Location"] == list_url()
        assert browser.get(list_url()).status_code == 302

    def test_projects_without_sessions(self, rf: Any) -> None:
        assert not pages.leave_ended_session(rf.get("/"))
