"""D11, B29, B30: what a provider echoes, and what others print of a call."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from oauth_accounts import outbox
from oauth_accounts.exceptions import TokenError
from oauth_accounts.models import AccountEvent, ConnectedAccount
from oauth_accounts.testing.wire import Answer, RecordedRequest
from tests.admin.desk import Desk
from tests.leaks.markers import Secrets, dump
from tests.views.browser import Browser, disconnect_url, list_url

pytestmark = pytest.mark.faces


def echo(request: RecordedRequest) -> Answer:
    """Refuse, and quote the whole request where people would read it."""
    said = request.body.decode()
    form = request.form
    kind = form.get("refresh_token") or form.get("code") or form.get("token")
    return Answer(
        status=400,
        json={"error": kind, "error_description": said, "error_uri": said},
        headers={"WWW-Authenticate": f'Bearer error="{kind}", error_description="x"'},
    )


@pytest.fixture
def seen(
    browser: Browser, desk: Desk, secrets: Secrets, log: list[str]
) -> Any:  # everything a person or a reader of the database might see
    def look() -> dict[str, str]:
        pages = [desk.get("accountevent_changelist"), browser.get(list_url())]
        pages.append(desk.get("pendingrevocation_changelist"))
        pages += [
            desk.get("connectedaccount_change", account.pk)
            for account in ConnectedAccount.objects.all()
        ]
        return {
            "pages": "".join(page.content.decode() for page in pages),
            "database": dump(),
            "log": "\n".join(log),
        }

    return look


def test_d11_an_echoed_code(
    browser: Browser, server: Any, secrets: Secrets, seen: Any
) -> None:
    server.script(echo)
    response = browser.get(browser.consent(browser.start()))
    assert response.status_code == 503
    page = response.content.decode()
    assert secrets.found_in(page=page, **seen()) == []
    assert AccountEvent.objects.get().reason == "unknown_error"


def test_d11_an_echoed_refresh_token(
    browser: Browser, server: Any, secrets: Secrets, seen: Any
) -> None:
    account = browser.connect()
    server.script(echo)
    with pytest.raises(TokenError) as caught:
        account.refresh()
    account.refresh_from_db()
    assert account.last_error == "unknown"
    said = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert secrets.found_in(said=said, **seen()) == []


@pytest.mark.parametrize("part", [slice(None), slice(3, 25)])
def test_d11_an_echoed_client_secret_or_a_part_of_it(
    browser: Browser, server: Any, secrets: Secrets, seen: Any, part: slice
) -> None:
    account = browser.connect()
    quoted = server.client_secret[part]
    secrets.add(quoted)
    error = {"error": quoted, "error_description": f"no such secret: {quoted}"}
    server.script(Answer(status=400, json=error))
    with pytest.raises(TokenError) as caught:
        account.refresh()
    assert caught.value.provider_code == "unknown"
    assert secrets.found_in(**seen()) == []


def test_d11_an_echoed_token_on_the_way_out(
    browser: Browser, server: Any, secrets: Secrets, seen: Any
) -> None:
    account = browser.connect()
    browser.post(disconnect_url(account))
    server.script(echo, endpoint="revocation")
    outbox.deliver_due()
    assert len([r for r in server.requests if r.path == "/revoke"]) == 1
    assert secrets.found_in(**seen()) == []


def test_d11_an_echoed_access_token(
    browser: Browser, server: Any, secrets: Secrets, seen: Any
) -> None:
    def quote_bearer(request: RecordedRequest) -> Answer:
        token = str(request.headers["Authorization"]).partition(" ")[2]
        return Answer(status=401, json={"error": token, "error_description": token})

    server.script(quote_bearer, endpoint="userinfo")
    response = browser.get(browser.consent(browser.start()))
    page = response.content.decode()
    assert response.status_code == 502
    assert secrets.found_in(page=page, **seen()) == []


def test_d11_a_short_code_that_happens_to_stand_in_a_secret_is_kept(
    browser: Browser, server: Any
) -> None:
    account = browser.connect()
    short = server.client_secret[:4]
    server.script(Answer(status=400, json={"error": short}))
    with pytest.raises(TokenError) as caught:
        account.refresh()
    assert caught.value.provider_code == short


def test_a3_14_b29_http_client_prints_nothing_of_our_calls(
    browser: Browser,
    server: Any,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    account = browser.connect()
    account.refresh()
    account.session().get("me")
    account.revoke(wait=True)
    assert len(server.requests) == 6
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_a3_14_http_client_does_print_what_others_send(
    server: Any,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    other = http.client.HTTPConnection(server.issuer.removeprefix("http://"))
    other.request("GET", "/api/other")
    other.getresponse().read()
    other.close()
    assert "/api/other" in capfd.readouterr().out
