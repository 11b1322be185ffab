"""Calls to the provider's API, always with a token, and with a token to nobody else."""

from __future__ import annotations

import io
import traceback
from datetime import timedelta

import pytest
import requests

from oauth_accounts import clock, lease
from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
)
from oauth_accounts.fields import Secret
from oauth_accounts.protocol.tokens import TokenSet
from oauth_accounts.session import AccountSession, BearerAuth
from oauth_accounts.signals import reauth_required
from oauth_accounts.testing.server import FakeProvider
from oauth_accounts.testing.wire import Answer

LONG_AGO = clock.utcnow() - timedelta(days=1)


@pytest.fixture
def live(make_account):
    return make_account(expires_in=3000)


def test_relative_urls_are_resolved_on_the_api(live, server):
    response = live.session().get("me", params={"page": 2})
    assert response.status_code == 200
    assert server.requests[-1].target == "/api/me?page=2"
    assert server.requests[-1].headers["Authorization"].startswith("Bearer at-")


def test_a_leading_slash_stays_below_the_api(live, server):
    assert live.session().get("/me").status_code == 200
    assert server.requests[-1].path == "/api/me"


def test_absolute_urls_of_the_api_are_taken(live, server):
    assert live.session().get(f"{server.api_base_url}/me").status_code == 200
    assert live.session().get(f"{server.api_base_url}/me".encode()).status_code == 200


def test_an_account_may_have_an_api_of_its_own(live, server):
    with FakeProvider() as tenant:
        live.api_base_url = tenant.api_base_url
        live.session().get("me")
        assert len(tenant.requests) >= 1
        assert not [r for r in server.requests if r.path.startswith("/api")]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/me",
        "//evil.example/me",
        "http://127.0.0.1:1/me",
        "http://[x/me",
        "http://127.0.0.1:port/me",
        "ftp://127.0.0.1/me",
    ],
)
def test_the_token_goes_to_no_other_origin(live, server, url):
    with pytest.raises(ProviderMisconfigured) as caught:
        live.session().get(url)
    assert caught.value.code in {"origin_refused", "url_refused"}
    assert server.requests == []


HOSTILE = [
    "http://{evil}\\@{good}/me",
    "http://{evil}\\\\@{good}/me",
    "http://{evil}/\\@{good}/me",
    "http://{evil}#@{good}/me",
    "http://{evil}?@{good}/me",
    "http://{evil}%5c@{good}/me",
    "http://{evil}%23@{good}/me",
    "http://{evil} @{good}/me",
    "http://{evil}\t@{good}/me",
    "http://{evil}\r\n@{good}/me",
    "http://{evil}\x00@{good}/me",
    "http://{evil}\u00a0@{good}/me",
    "http://{evil}\uff3c@{good}/me",
    "http://{good}/\ud800",
    "http://{evil};@{good}/me",
    "http://{good}@{evil}/me",
    "http://{good}:x@{evil}/me",
    "http://{good}\\@{evil}/me",
    "http://user:pass@{good}/me",
    "http:\\\\{evil}\\me",
    "HTTP://{evil}/me",
    "http://{evil}",
    " http://{evil}/me",
    "\thttp://{evil}/me",
    "ht\ntp://{evil}/me",
    "//{evil}/me",
    "///{evil}/me",
    "\\\\{evil}/me",
    "/\\{evil}/me",
    "\\/{evil}/me",
    "..\\{evil}",
    "http://[::1/me",
    "http://[{good}]@{evil}/me",
    "http://{good}.evil.example/me",
]
RELATIVE = [
    "..//{evil}",
    "@{evil}",
    ":80@{evil}",
    ".{evil}",
    "%2f%2f{evil}",
    "%5c%5c{evil}",
    "/%09/{evil}",
    "http:{evil}/me",
    "http:/{evil}/me",
    "?next=http://{evil}/",
    "me?next=//{evil}/&x=\u00e9",
    "me#http://{evil}/",
    ";@{evil}",
]


def _hosts(*servers):
    return [server.issuer.partition("//")[2] for server in servers]


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_gets_the_token_nowhere(live, server, url):
    with FakeProvider() as evil:
        good_host, evil_host = _hosts(server, evil)
        target = url.format(good=good_host, evil=evil_host)
        with pytest.raises(ProviderMisconfigured) as caught:
            live.session().get(target)
        assert caught.value.code in {"origin_refused", "url_refused"}
        assert evil.requests == []
    assert server.requests == []


@pytest.mark.parametrize("url", RELATIVE)
def test_a_relative_url_stays_at_the_api_whatever_it_looks_like(live, server, url):
    with FakeProvider() as evil:
        live.session().get(url.format(evil=_hosts(evil)[0]))
        assert evil.requests == []
    assert server.requests[-1].headers["Authorization"].startswith("Bearer at-")


@pytest.mark.parametrize("url", ["http://{evil}/", "http://{evil}\\@{good}/", ""])
def test_the_header_is_put_on_nothing_that_is_dialled_elsewhere(live, server, url):
    """Whatever the checks before it let through."""
    with FakeProvider() as evil:
        good_host, evil_host = _hosts(server, evil)
        prepared = requests.PreparedRequest()
        prepared.prepare_headers({})
        if url:
            prepared.prepare_url(url.format(good=good_host, evil=evil_host), None)
        auth = BearerAuth(Secret("at-1"), live.session()._origins)
        with pytest.raises(ProviderMisconfigured):
            auth(prepared)
        assert "Authorization" not in prepared.headers


def test_listed_origins_get_it_too(live):
    with FakeProvider() as uploads:
        session = AccountSession(live, hosts=[uploads.api_base_url])
        assert session.get(f"{uploads.api_base_url}/me").status_code == 401
        sent = uploads.requests[0].headers["Authorization"]
        assert sent.startswith("Bearer at-")


def test_without_an_api_address_relative_urls_are_refused(live):
    live.provider.api_base_url = ""
    with pytest.raises(ProviderMisconfigured) as caught:
        live.session().get("me")
    assert caught.value.code == "api_base_url_missing"


def test_an_expired_token_is_refreshed_first(account, server):
    assert account.session().get("me").status_code == 200
    assert len(server.token_requests) == 1


def test_a_token_that_is_refused_is_refreshed_and_the_call_repeated_once(live, server):
    server.book.expire(live.reveal("access_token").get_value())
    response = live.session().post("notes", json={"text": "hello"})
    assert response.status_code == 200
    assert len(server.token_requests) == 1
    bodies = [r.body for r in server.requests if r.path == "/api/notes"]
    assert bodies == [b'{"text": "hello"}'] * 2


def test_a_second_refusal_is_the_answer(live, server):
    server.script(*[Answer(status=401, json={})] * 3, endpoint="api")
    assert live.session().get("me").status_code == 401
    assert len([r for r in server.requests if r.path == "/api/me"]) == 2
    assert len(server.token_requests) == 1


def test_a_body_that_is_a_stream_is_not_repeated(live, server):
    server.book.expire(live.reveal("access_token").get_value())
    assert live.session().post("notes", data=io.BytesIO(b"once")).status_code == 401
    assert server.token_requests == []


def test_a_token_that_a_sibling_has_replaced_is_not_refreshed_again(live, server):
    session = live.session()
    twin = type(live).objects.get(pk=live.pk)
    twin.refresh()
    server.book.expire(live.reveal("access_token").get_value())
    assert session.get("me").status_code == 200
    assert len(server.token_requests) == 1


def test_a_refusal_that_a_refresh_does_not_change_is_returned(
    live, server, monkeypatch
):
    server.script(Answer(status=401, json={}), endpoint="api")
    monkeypatch.setattr(type(live), "replace_rejected", lambda account, token: False)
    assert live.session().get("me").status_code == 401
    assert len([r for r in server.requests if r.path == "/api/me"]) == 1


def test_a_dead_grant_ends_in_reauth_required(live, server):
    server.book.expire(live.reveal("access_token").get_value())
    server.script(Answer(status=400, json={"error": "invalid_grant"}))
    with pytest.raises(ReauthRequired):
        live.session().get("me")


@pytest.fixture
def asked():
    """Reasons of the `reauth_required` signals that were sent."""
    reasons = []

    def receive(sender, account, reason, **arguments):
        reasons.append(reason)

    reauth_required.connect(receive)
    yield reasons
    reauth_required.disconnect(receive)


@pytest.mark.parametrize(
    "values", [{"refresh_token": None}, {"refresh_token_expires_at": LONG_AGO}]
)
def test_a_refused_token_with_nothing_to_refresh_it_needs_reauthorisation_once(
    make_account, server, asked, values
):
    account = make_account(expires_in=3000)
    account.stored_row().update(**values)
    twin = type(account).objects.get(pk=account.pk)
    server.book.expire(account.reveal("access_token").get_value())
    for instance in (account, twin):
        with pytest.raises(ReauthRequired) as caught:
            instance.session().get("me")
        assert caught.value.code == "refresh_token_expired"
    account.refresh_from_db()
    assert (account.status, account.status_reason) == (
        "needs_reauth",
        "refresh_token_expired",
    )
    assert account.refresh_due_at is None
    assert [e.kind for e in account.events.all()] == ["reauth_required"]
    assert asked == ["refresh_token_expired"]
    assert server.token_requests == []


def test_a_refused_token_that_is_not_the_stored_one_any_more_says_nothing(
    make_account, server, asked
):
    account = make_account(expires_in=3000)
    account.stored_row().update(refresh_token=None)
    session = account.session()
    fresh = Secret(server.issue(subject="alice")[0])
    stored = type(account).objects.get(pk=account.pk)
    tokens = TokenSet(
        issued_at=clock.utcnow(),
        access_token=fresh,
        token_type="Bearer",
        expires_in=3000,
    )
    account.stored_row().update(**stored.token_values(tokens))
    server.book.expire(account.reveal("access_token").get_value())
    assert session.get("me").status_code == 200
    account.refresh_from_db()
    assert account.status == "active"
    assert asked == []


def test_a_refusal_while_another_holds_the_account_marks_nothing(
    make_account, server, asked
):
    account = make_account(expires_in=3000)
    account.stored_row().update(refresh_token=None)
    server.book.expire(account.reveal("access_token").get_value())
    account.refresh_from_db()
    assert lease.take(account)
    with pytest.raises(ReauthRequired):
        account.session().get("me")
    account.refresh_from_db()
    assert account.status == "active"
    assert asked == []


def test_a_redirect_is_returned_and_not_followed(live, server):
    server.script(
        Answer(status=302, headers={"Location": "https://evil.example/"}),
        endpoint="api",
    )
    assert live.session().get("me").status_code == 302


def test_the_token_stays_neither_on_the_response_nor_on_an_exception(live, server):
    token = live.get_access_token()
    response = live.session().get("me")
    assert token not in repr(vars(response.request))
    server.script(Answer(drop=True), endpoint="api")
    with pytest.raises(requests.ConnectionError) as caught:
        live.session().get("me")
    assert "Authorization" not in caught.value.request.headers
    assert token not in "".join(traceback.format_exception(caught.value))


def test_a_provider_that_cannot_refresh_now_is_an_error_the_caller_knows(
    account, server
):
    server.script(Answer(status=503, json={}))
    with pytest.raises(ProviderUnavailable):
        account.session().get("me")


def test_a_request_that_cannot_be_made_says_so(live, server):
    with pytest.raises(requests.exceptions.InvalidHeader):
        live.session().get("me", headers={"X-Bad": "a\nb"})
    assert server.requests == []
