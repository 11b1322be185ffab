"""A user's browser: cookies of its own, forms with their CSRF token, the way to and fro."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from oauth_accounts.models import ConnectedAccount
from oauth_accounts.testing.server import FakeProvider

TOKEN = "a" * 32
HEADERS = {
    "Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private",
    "X-Frame-Options": "DENY",
}


class Browser:
    """
    A test client that obeys CSRF.

    user: logged in, or None. server: where it is sent to consent.
    """

    def __init__(self, user: Any, server: FakeProvider, **extra: Any) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.server = server
        self.extra = extra
        if user is not None:
            self.client.force_login(user)

    def get(self, path: str, **data: Any) -> HttpResponse:
        return self.client.get(path, data, **self.extra)

    def post(self, path: str, **data: Any) -> HttpResponse:
        """Send a form as a page of the site would."""
        self.client.cookies["csrftoken"] = TOKEN
        data["csrfmiddlewaretoken"] = TOKEN
        extra = dict(self.extra)
        if extra.get("secure"):
            extra["HTTP_REFERER"] = "https://testserver/"
        return self.client.post(path, data, **extra)

    def start(self, slug: str = "fake", **data: Any) -> str:
        """Press "connect" and return the provider's address."""
        response = self.post(reverse("oauth_accounts:connect", args=[slug]), **data)
        assert response.status_code == 302, response.content.decode()
        return str(response["Location"])

    def consent(self, address: str) -> str:
        """Say yes (or what the server is set to) and return the callback's path."""
        parts = urlsplit(self.server.authorize(address))
        return f"{parts.path}?{parts.query}"

    def connect(self, **data: Any) -> ConnectedAccount:
        """Go all the way and return the newest account."""
        response = self.get(self.consent(self.start(**data)))
        assert response.status_code == 302, response.content.decode()
        return ConnectedAccount.objects.latest("created_at")
