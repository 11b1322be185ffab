"""A8.1: sessions, caches and cookies hold no secret, whichever backend keeps the sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import signing
from django.core.cache import caches
from django.test import Client

from oauth_accounts.models import Provider
from oauth_accounts.testing.server import FakeProvider
from tests.leaks.markers import Secrets, dump
from tests.views.browser import Browser, disconnect_url, list_url, reconnect_url

BACKENDS = ["db", "cache", "cached_db", "file", "signed_cookies"]
# Of this app: it says which browser an attempt belongs to, and is to be in a cookie.
OWN_COOKIE = "oauth_accounts"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("messages", ["session", "cookie", "fallback"])
def test_a8_1_c3_7_nothing_secret_is_kept_for_a_browser(
    owner: Any,
    provider: Provider,
    server: FakeProvider,
    secrets: Secrets,
    settings: Any,
    tmp_path: Path,
    backend: str,
    messages: str,
) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{backend}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    storage = "".join(part.title() for part in (messages, "storage"))
    settings.MESSAGE_STORAGE = f"django.contrib.messages.storage.{messages}.{storage}"
    caches["default"].clear()
    browser = Browser(owner, server)
    kept: list[str] = []
    for step in walk(browser):
        kept += [str(step.headers), step.content.decode()]
        kept += cookies_of(browser.client)
        kept.append(repr(getattr(caches["default"], "_cache", "")))
        kept += [file.read_bytes().decode("latin-1") for file in tmp_path.iterdir()]
    # Where the browser is sent has to hold the state, and nothing else.
    places = {"database": dump(), "kept": "\n".join(kept)}
    assert len(secrets) >= 10
    assert secrets.found_in(**places) == []


def walk(browser: Browser) -> Any:
    """Yield each answer that a browser keeps, without where it is sent to consent."""
    for account in (None, browser.connect(next="/accounts/connected/")):
        path = f"{list_url()}?connect=fake"
        yield browser.get(path)
        if account is not None:
            started = browser.post(reconnect_url(account))
            back = browser.consent(str(started["Location"]))
            yield browser.get(back)
            yield browser.get(list_url())
            yield browser.post(disconnect_url(account))
            yield browser.get(list_url())


def cookies_of(client: Client) -> list[str]:
    """Return the cookies and what is in the signed ones, but for this app's own."""
    found = []
    for name, morsel in client.cookies.items():
        if name == OWN_COOKIE:
            continue
        found.append(morsel.value)
        for salt in (
            "django.contrib.sessions.backends.signed_cookies",
            "django.contrib.messages",
        ):
            try:
                found.append(repr(signing.loads(morsel.value, salt=salt)))
            except (signing.BadSignature, ValueError):
                continue
    assert django_settings.SESSION_COOKIE_NAME in client.cookies
    return found
