"""Secrets that were minted during a test, everything that is logged, and people."""

from __future__ import annotations

import logging
import secrets as stdlib_secrets
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from oauth_accounts.conf import Settings
from oauth_accounts.models import Provider
from oauth_accounts.testing.server import FakeProvider
from tests.admin.conftest import admin, staff
from tests.admin.desk import Desk
from tests.engine.conftest import make_account
from tests.leaks.markers import Secrets
from tests.views.browser import Browser

__all__ = ["admin", "make_account", "staff"]


@pytest.fixture
def secrets(server: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """The client secret, and each state, verifier, code and token from now on."""
    found = Secrets({server.client_secret})

    def recording(mint: Any) -> Any:
        def minted(nbytes: int | None = None) -> str:
            made: str = mint(nbytes)
            found.add(made)
            return made

        return minted

    for name in ("token_urlsafe", "token_hex"):
        recorded = recording(getattr(stdlib_secrets, name))
        monkeypatch.setattr(stdlib_secrets, name, recorded)
    return found


@pytest.fixture
def owner(transactional_db: None) -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def browser(owner: User, provider: Provider, server: FakeProvider) -> Browser:
    """Ada's browser, which gets an error page where a bug raises."""
    browser = Browser(owner, server)
    browser.client.raise_request_exception = False
    return browser


@pytest.fixture
def desk(admin: Desk) -> Desk:
    """An administrator's, which gets an error page where a bug raises."""
    admin.client.raise_request_exception = False
    return admin


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this app speak http to loopback while Django's DEBUG is off."""
    monkeypatch.setattr(Settings, "DEBUG", True)


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Every record of every logger at DEBUG, with arguments and tracebacks."""
    records: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(f"{self.format(record)} {record.args!r}")

    handler, root = Keep(), logging.getLogger()
    names = ("", "oauthlib", "requests_oauthlib", "urllib3", "django", "oauth_accounts")
    before = {name: logging.getLogger(name).level for name in names}
    root.addHandler(handler)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield records
    root.removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
