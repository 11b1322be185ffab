"""A3.14, B29, B30, C3.6: objects, exceptions and what Python itself prints about them."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from oauth_accounts import clock
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.fields import Secret
from oauth_accounts.models import AuthorizationAttempt, ConnectedAccount, Provider
from oauth_accounts.models.sync import sync_providers
from oauth_accounts.testing.server import FakeProvider
from oauth_accounts.testing.wire import Answer
from tests.leaks.markers import Secrets
from tests.rows import store
from tests.views.browser import Browser

pytestmark = pytest.mark.faces

DEPTH = 6


def leaves(value: Any, depth: int = DEPTH) -> Iterator[str]:
    """Yield all text that is found from an object by its attributes and members."""
    if isinstance(value, Secret) or depth == 0:
        return
    if isinstance(value, str | bytes):
        yield value if isinstance(value, str) else value.decode("latin-1")
        return
    yield f"{value!r} {value!s} {value}"
    for inner in members(value):
        yield from leaves(inner, depth - 1)


def members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    slots = [
        getattr(value, name, None)
        for cls in type(value).__mro__
        for name in getattr(cls, "__slots__", ())
        if isinstance(cls.__dict__.get("__slots__"), tuple)
    ]
    return [*getattr(value, "__dict__", {}).values(), *slots]


def test_b29_no_object_on_the_way_holds_plaintext(
    browser: Browser, secrets: Secrets
) -> None:
    account = browser.connect()
    account.refresh()
    session = account.session()
    response = session.get("me")
    client = account.provider.oauth_client()
    browser.start()
    things = {
        "account": account,
        "again": ConnectedAccount.objects.get(),
        "provider": Provider.objects.get(),
        "attempt": AuthorizationAttempt.objects.latest("created_at"),
        "client": client,
        "session": session,
        "request": response.request,
        "rows": list(ConnectedAccount.objects.values()),
    }
    texts = {name: "\n".join(leaves(thing)) for name, thing in things.items()}
    assert secrets.found_in(**texts) == []


MISHAPS = {
    "refused": Answer(status=400, json={"error": "invalid_grant"}),
    "client refused": Answer(status=401, json={"error": "invalid_client"}),
    "down": Answer(status=503, body="no"),
    "cut": Answer(drop=True),
    "nonsense": Answer(status=200, body="<html>"),
    "redirected": Answer(status=307, headers={"Location": "/elsewhere"}),
    "no token": Answer(status=200, json={"refresh_token": "kept"}),
}


@pytest.mark.parametrize("mishap", MISHAPS)
def test_b30_an_exception_carries_codes_only(
    browser: Browser, server: FakeProvider, secrets: Secrets, mishap: str
) -> None:
    account = browser.connect()
    server.script(MISHAPS[mishap])
    with pytest.raises(OAuthAccountsError) as caught:
        account.refresh()
    assert secrets.found_in(told=everything_about(caught.value)) == []


def test_b30_a_ciphertext_that_was_moved_carries_no_plaintext(
    browser: Browser, secrets: Secrets
) -> None:
    account = browser.connect()
    moved = bytes(Provider.objects.get().client_secret.ciphertext)
    store(account, "access_token", moved)
    account.refresh_from_db()
    with pytest.raises(OAuthAccountsError) as caught:
        account.get_access_token()
    assert secrets.found_in(told=everything_about(caught.value)) == []


def test_b30_nor_do_settings_that_are_wrong(
    browser: Browser, secrets: Secrets, settings: Any
) -> None:
    account = browser.connect()
    settings.FERNET_KEYS = []
    with pytest.raises(Exception, match="FERNET_KEYS is empty") as caught:
        account.get_access_token()
    assert secrets.found_in(told=everything_about(caught.value)) == []


@pytest.mark.django_db
def test_b30_nor_a_provider_of_the_settings_that_is_wrong(settings: Any) -> None:
    secret = "secret-of-the-settings-1d0c7b"
    from_settings = {"client_id": "x", "client_secret": secret, "token_endpoint": "x"}
    settings.OAUTH_ACCOUNTS_PROVIDERS = {"new": from_settings}
    with pytest.raises(Exception, match="OAUTH_ACCOUNTS_PROVIDERS") as caught:
        sync_providers()
    assert Secrets({secret}).found_in(told=everything_about(caught.value)) == []


def test_b30_an_api_that_does_not_answer(
    browser: Browser, server: FakeProvider, secrets: Secrets
) -> None:
    account = browser.connect()
    server.script(Answer(drop=True), endpoint="api")
    with pytest.raises(requests.ConnectionError) as caught:
        account.session().get("me")
    assert secrets.found_in(told=everything_about(caught.value)) == []


def everything_about(error: BaseException) -> str:
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [line for line in report.format() if "/tests/" not in line]
    return "".join([*leaves(error), *leaves(vars(error)), *ours, str(error.args)])


def test_c3_6_what_python_prints_in_development_mode(
    browser: Browser,
    server: FakeProvider,
    secrets: Secrets,
    child_environment: dict[str, str],
) -> None:
    browser.connect()
    due = clock.utcnow() - timedelta(minutes=1)
    ConnectedAccount.objects.update(refresh_due_at=due, expires_at=due)
    server.script(Answer(drop=True))
    command = ["-X", "dev", "-X", "tracemalloc", "-W", "always", "-m", "django"]
    done = subprocess.run(
        [sys.executable, *command, "oauth_accounts", "refresh", "--verbosity", "3"],
        env=child_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(server.token_requests) == 2
    assert "1 failed" in done.stdout
    printed = done.stdout + done.stderr
    assert secrets.found_in(printed=printed) == []
