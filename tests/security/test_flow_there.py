"""Starting and ending a connection, attacked on every session backend."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.test import override_settings

from oauth_accounts import outbox
from oauth_accounts.exceptions import (
    OAuthAccountsError,
    ProviderUnavailable,
    ReauthRequired,
)
from oauth_accounts.models import (
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
)
from oauth_accounts.testing.grants import s256
from oauth_accounts.testing.server import Answer
from tests.security import grounds
from tests.security.grounds import Ground
from tests.security.stage import Stage, changed, parameter
from tests.views.browser import (
    CSRF,
    Browser,
    assert_protected,
    callback_url,
    connect_url,
    disconnect_url,
    list_url,
    reconnect_url,
)

EVIL_PATHS = (
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "https://good@evil.example/",
    "http://testserver/path",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/path\r\nX: y",
    "/nul\0",
)


pytestmark = pytest.mark.parametrize("ground", grounds.BACKENDS, indirect=True)


@pytest.fixture
def kind(ground: Ground) -> str:
    return ground.kind


def without_csrf_token(browser: Browser, path: str, method: str = "post") -> Any:
    return getattr(browser.client, method)(path)


def test_a1_1_b1_a_page_elsewhere_cannot_start(stage: Stage) -> None:
    for method in ("get", "head", "options"):
        response = without_csrf_token(stage.a, connect_url("as1"), method)
        assert response.status_code == 405
    assert without_csrf_token(stage.a, connect_url("as1")).status_code == 403
    assert not AuthorizationAttempt.objects.exists()


def test_a1_2_only_active_users_who_are_logged_in(stage: Stage) -> None:
    get_user_model().objects.filter(username="bert").update(is_active=False)
    for browser in (stage.x, stage.b):
        response = browser.post(connect_url("as1"))
        assert response["Location"].startswith("/admin/login/")
    assert not AuthorizationAttempt.objects.exists()
    assert stage.as1.requests == []


def test_a1_3_a1_4_a1_5_each_attempt_is_a_fresh_one(stage: Stage) -> None:
    first, second = (stage.a.start("as1") for _again in range(2))
    for name in ("state", "code_challenge"):
        assert parameter(first, name) != parameter(second, name)
    sent = parse_qsl(urlsplit(second).query)
    assert len(sent) == len(dict(sent))
    assert dict(sent)["response_type"] == "code"
    assert dict(sent)["code_challenge_method"] == "S256"
    stage.accept(stage.a, stage.consent(second))
    verifier = stage.as1.token_requests[-1].form["code_verifier"]
    assert s256(verifier) == parameter(second, "code_challenge")


def test_a1_6_a1_9_a8_7_the_form_has_no_say(stage: Stage) -> None:
    usual = dict(parse_qsl(urlsplit(stage.a.start("as1")).query))
    evil = {**dict.fromkeys((*usual, "nonce", "request", "request_uri"), "evil")}
    bert = str(stage.user("bert").pk)
    address = stage.a.start("as1", **evil, user=bert, owner=bert, status="active")
    assert "evil" not in address
    assert parameter(address, "scope") == usual["scope"] == "read write"
    stage.accept(stage.a, stage.consent(address))
    assert ConnectedAccount.objects.get().owner == stage.user("anna")


@override_settings(ALLOWED_HOSTS=["*"])
def test_a1_7_a1_8_the_redirect_uri_is_the_sites_own(stage: Stage) -> None:
    stage.a.client.cookies["csrftoken"] = CSRF
    seen = {}
    for slug in ("as1", "as2"):
        hosts = {"host": "evil.example", "x-forwarded-host": "evil.example"}
        response = stage.a.client.post(
            connect_url(slug), headers={"x-csrftoken": CSRF, **hosts}
        )
        seen[slug] = parameter(response["Location"], "redirect_uri")
    stage.accept(stage.a, stage.consent(response["Location"]))
    assert seen["as1"] == f"http://localhost:8000{callback_url('as1')}"
    assert seen["as1"] != seen["as2"]
    [exchange] = stage.as2.token_requests
    assert exchange.form["redirect_uri"] == seen["as2"]


def test_a1_10_d15_nobody_is_sent_elsewhere(stage: Stage) -> None:
    for path in EVIL_PATHS:
        back = stage.way_back(stage.a, next=path)
        assert stage.accept(stage.a, back)["Location"] == list_url()
        back = changed(stage.way_back(stage.a), next=path)
        assert stage.accept(stage.a, back)["Location"] == list_url()
    back = stage.way_back(stage.a, next="/path?x=1")
    assert stage.accept(stage.a, back)["Location"] == "/path?x=1"


def test_a1_11_a1_14_the_redirect_takes_no_form_along(stage: Stage) -> None:
    response = stage.a.post(connect_url("as1"))
    assert response.status_code == 302
    assert_protected(response)
    assert CSRF not in response["Location"]
    assert_protected(stage.a.get(list_url()), "same-origin")


def test_a1_13_many_starts_fill_neither_session_nor_table(stage: Stage) -> None:
    before = dict(stage.a.client.session)
    stage.a.start("as1")
    size = sum(len(cookie.value) for cookie in stage.a.client.cookies.values())
    for _again in range(30):
        stage.a.start("as1")
    assert AuthorizationAttempt.objects.count() == 10
    assert dict(stage.a.client.session) == before
    cookies = stage.a.client.cookies.values()
    assert sum(len(cookie.value) for cookie in cookies) == size


def test_a3_14_b29_nothing_secret_is_logged(stage: Stage, caplog: Any) -> None:
    for name in ("requests_oauthlib.oauth2_session", "oauthlib", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    refused = stage.way_back(stage.a)
    stage.as1.script(Answer(status=400, json={"error": "invalid_grant"}))
    stage.reject(stage.a, refused, reason="code_refused", calls=1)
    path = stage.way_back(stage.a)
    stage.accept(stage.a, path)
    account = ConnectedAccount.objects.get()
    account.refresh()
    stage.as1.script(Answer(status=503, body=f"echo {stage.as1.client_secret}"))
    with pytest.raises(ProviderUnavailable):
        ConnectedAccount.objects.get().refresh()
    account.revoke(wait=True)
    secrets = stage.secrets() | {
        parameter(one, name) for one in (refused, path) for name in ("code", "state")
    }
    assert len(secrets) >= 10
    log = stage.log()
    assert "CallbackView as1 ended with code_refused" in log
    assert [secret for secret in secrets if secret in log] == []


def test_a6_1_b35_disconnecting_is_the_owners_own_click(stage: Stage) -> None:
    path = disconnect_url(stage.connect(stage.a))
    for method in ("get", "head"):
        assert without_csrf_token(stage.a, path, method).status_code == 405
    assert without_csrf_token(stage.a, path).status_code == 403
    assert stage.b.post(path).status_code == 404
    assert stage.x.post(path)["Location"].startswith("/admin/login/")
    assert ConnectedAccount.objects.get().status == "active"
    assert stage.a.post(path).status_code == 302
    assert ConnectedAccount.objects.get().status == "revoked"


def test_a6_2_a6_3_a6_5_stopped_here_and_then_there(stage: Stage) -> None:
    account = stage.connect(stage.a)
    refresh_token, access_token = (
        account.reveal(name).get_value() for name in ("refresh_token", "access_token")
    )
    assert stage.a.post(disconnect_url(account)).status_code == 302
    assert stage.as1.revoked == []
    with pytest.raises(ReauthRequired):
        ConnectedAccount.objects.get().get_access_token()
    outbox.deliver_due()
    assert stage.as1.revoked == [refresh_token, access_token]
    pending = PendingRevocation.objects.get()
    assert pending.status == "confirmed"
    assert pending.access_token is pending.refresh_token is None


def test_a8_1_sessions_cookies_and_pages_hold_no_secret(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    state = parameter(path, "state")
    answers = [stage.accept(stage.a, path), stage.a.get(list_url())]
    account = ConnectedAccount.objects.get()
    for url in (reconnect_url(account), disconnect_url(account)):
        answers.append(stage.a.post(url))
        # The state belongs into the address of the provider, and nowhere else.
        assert state not in answers[-1].headers.pop("Location")
    seen = [repr((one.headers, one.cookies, one.content)) for one in answers]
    seen.append(json.dumps(dict(stage.a.client.session)))
    seen += [cookie.OutputString() for cookie in stage.a.client.cookies.values()]
    secrets = {*stage.secrets(), state, parameter(path, "code")}
    assert len(secrets) >= 6
    assert [one for one in secrets for text in seen if one in text] == []


def test_b11_b33_no_page_gives_a_token_away(stage: Stage) -> None:
    account = stage.connect(stage.a)
    urls = [list_url(), reconnect_url(account), callback_url("as1")]
    for browser in (stage.a, stage.b, stage.x):
        for method in (browser.get, browser.post):
            for url in urls:
                response = method(url)
                text = repr((response.headers, response.cookies, response.content))
                assert [one for one in stage.secrets() if one in text] == []
    for name in ("refresh", "token", "authorize"):
        assert stage.a.post(f"{list_url()}{name}/{account.pk}/").status_code == 404


def test_b13_what_is_somebody_elses_is_not_there(stage: Stage) -> None:
    account = stage.connect(stage.a)
    nobodys = ConnectedAccount.objects.get(pk=stage.connect(stage.a, subject="app").pk)
    ConnectedAccount.objects.filter(pk=nobodys.pk).update(owner=None)
    for one in (account, nobodys):
        for url in (reconnect_url(one), disconnect_url(one)):
            assert stage.b.post(url).status_code == 404
    bert = stage.user("bert")
    assert not ConnectedAccount.objects.for_owner(bert).exists()
    assert b"alice" not in stage.b.get(list_url()).content
    assert AuthorizationAttempt.objects.filter(user=bert).count() == 0


def test_b34_who_is_deactivated_has_no_token(stage: Stage) -> None:
    account = stage.connect(stage.a)
    user = stage.user("anna")
    user.is_active = False
    user.save()
    with pytest.raises(OAuthAccountsError) as caught:
        ConnectedAccount.objects.get(pk=account.pk).get_access_token()
    assert caught.value.code == "owner_inactive"
    assert stage.a.post(disconnect_url(account))["Location"].startswith("/admin/")
