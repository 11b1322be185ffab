"""A user's browser: cookies of its own, forms with their CSRF token, there and back."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from oauth_accounts.models import ConnectedAccount
from oauth_accounts.testing.server import FakeProvider

CSRF = "a" * 32
ACCESS, REFRESH = "secret-access-token-7f3a", "secret-refresh-token-9b1c"


class Browser:
    """
    A test client that obeys CSRF.

    user: logged in, or None. server: where it is sent to consent. secure: over https.
    """

    def __init__(self, user: Any, server: FakeProvider, secure: bool = False) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.server = server
        self.secure = secure
        if user is not None:
            self.client.force_login(user)

    def get(self, path: str, **data: Any) -> HttpResponse:
        return self.client.get(path, data, secure=self.secure)

    def post(self, path: str, **data: Any) -> HttpResponse:
        """Send a form as a page of the site would."""
        self.client.cookies["csrftoken"] = CSRF
        data["csrfmiddlewaretoken"] = CSRF
        origin = "https://testserver" if self.secure else "http://testserver"
        headers = {"origin": origin}
        return self.client.post(path, data, secure=self.secure, headers=headers)

    def start(self, slug: str = "fake", **data: Any) -> str:
        """Press "connect" and return the provider's address."""
        response = self.post(connect_url(slug), **data)
        assert response.status_code == 302, response.content.decode()
        return str(response["Location"])

    def consent(self, address: str) -> str:
        """Decide as the server is set to, and return the callback's path and query."""
        server = self.server
        back = server.authorize(address, subject=server.subject, deny=server.deny)
        parts = urlsplit(back)
        return f"{parts.path}?{parts.query}"

    def connect(self, **data: Any) -> ConnectedAccount:
        """Go all the way and return the newest account."""
        response = self.get(self.consent(self.start(**data)))
        assert response.status_code == 302, response.content.decode()
        return ConnectedAccount.objects.latest("created_at")


def list_url() -> str:
    return reverse("oauth_accounts:list")


def connect_url(slug: str = "fake") -> str:
    return reverse("oauth_accounts:connect", args=[slug])


def callback_url(slug: str = "fake") -> str:
    return reverse("oauth_accounts:callback", args=[slug])


def reconnect_url(account: ConnectedAccount) -> str:
    return reverse("oauth_accounts:reconnect", args=[account.pk])


def disconnect_url(account: ConnectedAccount) -> str:
    return reverse("oauth_accounts:disconnect", args=[account.pk])


def assert_protected(response: HttpResponse, referrer: str = "no-referrer") -> None:
    """Fail unless the answer may be neither stored nor framed, and leaks no address."""
    assert "no-store" in response["Cache-Control"]
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == referrer


def page_of(browser: Browser, **data: Any) -> BeautifulSoup:
    """Return the page of connected accounts."""
    response = browser.get(list_url(), **data)
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def actions(page: BeautifulSoup) -> set[str]:
    """Return where the page's forms go; each has to be a POST with a CSRF token."""
    forms = page.find_all("form")
    assert all(form["method"] == "post" for form in forms)
    assert all(form.find(attrs={"name": "csrfmiddlewaretoken"}) for form in forms)
    return {form["action"] for form in forms}
