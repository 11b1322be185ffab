"""The callback, attacked on every session backend and at every kind of provider."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from oauth_accounts.models import AuthorizationAttempt, ConnectedAccount
from oauth_accounts.testing.server import Answer
from tests.security import grounds
from tests.security.grounds import Ground
from tests.security.stage import Stage, changed, elsewhere, parameter
from tests.views.browser import (
    assert_protected,
    callback_url,
    connect_url,
    disconnect_url,
    list_url,
    reconnect_url,
)

pytestmark = pytest.mark.parametrize(
    "ground", grounds.BACKENDS + grounds.OTHER_KINDS, indirect=True
)


@pytest.fixture
def kind(ground: Ground) -> str:
    return ground.kind


def other_user_logs_in(stage: Stage, name: str | None) -> None:
    """Log A out and somebody in, in A's browser: other cookies stay."""
    client = stage.a.client
    kept = client.cookies["oauth_accounts"].value
    client.logout()
    if name is not None:
        client.force_login(stage.user(name))
    client.cookies["oauth_accounts"] = kept


def test_a2_1_b3_b5_b7_b9_no_state_is_no_way_in(stage: Stage) -> None:
    reason = "state_missing"
    stage.reject(stage.a, f"{callback_url('as1')}?code=abc-abc-abc", reason=reason)
    path = stage.way_back(stage.a)
    for value in (None, "", "%00", "\0", "wrong", "null", "None", "x" * 43):
        known = "state_unknown_or_used" if value == "x" * 43 else reason
        stage.reject(stage.a, changed(path, state=value), reason=known)
    # What the provider sends back where somebody took the state out of its address.
    address = changed(stage.a.start("as1"), state=None)
    stage.reject(stage.a, stage.consent(address), reason=reason)
    stage.accept(stage.a, path)


def test_a2_2_b2_b4_b12_another_browser(stage: Stage) -> None:
    for browser in (stage.x, stage.b, stage.second_browser("anna")):
        path = stage.way_back(stage.a)
        stage.reject(browser, path, reason="other_browser")
        stage.reject(stage.a, path, reason="state_unknown_or_used")
        # With an attempt of its own under way, too.
        if browser is not stage.x:
            browser.start("as1")
            stage.reject(browser, stage.way_back(stage.a), reason="other_browser")


def test_a2_3_another_user(stage: Stage) -> None:
    for name in ("bert", None):
        path = stage.way_back(stage.a)
        other_user_logs_in(stage, name)
        stage.reject(stage.a, path, reason="other_user", status=403)
        other_user_logs_in(stage, "anna")
    path = stage.way_back(stage.a)
    other_user_logs_in(stage, "anna")
    stage.accept(stage.a, path)


def test_a2_4_a2_19_once_and_never_again(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    cookies = {name: c.value for name, c in stage.a.client.cookies.items()}
    stage.accept(stage.a, path)
    stage.reject(stage.a, path, reason="state_unknown_or_used")
    # A session that lies in the browser can be put back to what it was.
    for name, value in cookies.items():
        stage.a.client.cookies[name] = value
    stage.reject(stage.a, path, reason="state_unknown_or_used")
    assert len(stage.as1.token_requests) == 1
    verifier = stage.as1.token_requests[0].form["code_verifier"]
    assert not any(verifier in value for value in cookies.values())


def test_a2_5_burned_by_a_request_that_fails(stage: Stage, monkeypatch: Any) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    path = stage.way_back(stage.a)
    stage.as1.script(Answer(status=500))
    stage.reject(stage.a, path, reason="server_error", status=503, calls=1)
    stage.reject(stage.a, path, reason="state_unknown_or_used")


def test_a2_6_too_late(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    attempts = AuthorizationAttempt.objects.all()
    attempts.update(expires_at=F("created_at") - timedelta(seconds=1))
    stage.reject(stage.a, path, reason="expired")


def test_a2_7_at_another_providers_callback(stage: Stage) -> None:
    for one, other in (("as1", "as2"), ("as2", "as1")):
        path = elsewhere(stage.way_back(stage.a, one), other)
        stage.reject(stage.a, path, reason="other_provider")
        assert stage.server(other).requests == []
    path = elsewhere(stage.way_back(stage.a), "nowhere")
    stage.reject(stage.a, path, reason="other_provider")


def test_a2_9_a2_10_error_responses_are_not_repeated(stage: Stage) -> None:
    for reason, query in (
        ("unknown", {"error": "<script>alert(1)</script>"}),
        ("access_denied", {"error_description": "hostile\r\nwords " * 700}),
        ("unknown", {"error": "unheard_of", "error_uri": "javascript:alert(1)"}),
        ("unknown", {"error": ""}),
        ("access_denied", {"code": "code-that-is-not-to-be-used"}),
    ):
        path = changed(stage.way_back(stage.a), code=None)
        path = changed(path, **{"error": "access_denied"} | query)
        page = stage.reject(stage.a, path, reason=reason).content
        for word in (b"script>alert", b"hostile", b"unheard_of", b"javascript"):
            assert word not in page


def test_a2_10_b9_parameters_that_are_there_twice(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    state, code = parameter(path, "state"), parameter(path, "code")
    both = changed(path, state=[state, "x" * 43])
    stage.reject(stage.a, both, reason="state_unknown_or_used")
    both = changed(path, state=["x" * 43, state])
    stage.reject(stage.a, both, reason="malformed_response")
    for name, values in (("code", [code, "other-code"]), ("foo", ["1", "2"])):
        path = changed(stage.way_back(stage.a), **{name: values})
        stage.reject(stage.a, path, reason="malformed_response")


def test_a2_11_codes_that_are_none_and_a_long_one_that_is(stage: Stage) -> None:
    for code in ("", "with\0nul", "with\nnewline", "non-äscii", "x" * 20_000):
        path = changed(stage.way_back(stage.a), code=code)
        stage.reject(stage.a, path, reason="malformed_response")
    path = changed(stage.way_back(stage.a), code="x" * 4096)
    stage.reject(stage.a, path, reason="code_refused", calls=1)
    assert stage.as1.token_requests[-1].form["code"] == "x" * 4096


def test_a2_12_only_get_consumes(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    for method in ("head", "post", "put", "options", "delete"):
        assert getattr(stage.a.client, method)(path).status_code == 405
    assert not AuthorizationAttempt.objects.exclude(consumed_at=None).exists()
    stage.accept(stage.a, path)


def test_a2_13_b21_tokens_from_the_browser(stage: Stage) -> None:
    for name in ("access_token", "id_token", "refresh_token"):
        for code in (None, "a-code-beside-it"):
            path = changed(stage.way_back(stage.a), code=code, token_type="bearer")
            path = changed(path, **{name: "token-out-of-a-browser"})
            stage.reject(stage.a, path, reason="malformed_response")
    for url in (connect_url("as1"), list_url()):
        stage.a.post(url, access_token="token-out-of-a-browser")
    assert not ConnectedAccount.objects.exists()


def test_a2_14_b31_a_clean_way_out(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    response = stage.accept(stage.a, path)
    assert_protected(response)
    assert response["Location"] == list_url()
    text = repr(response.headers)
    assert parameter(path, "state") not in text
    assert parameter(path, "code") not in text


def test_a2_17_reconnecting_as_somebody_else(stage: Stage) -> None:
    account = stage.connect(stage.a)
    address = stage.a.post(reconnect_url(account))["Location"]
    path = stage.consent(address, subject="mallory")
    stage.reject(stage.a, path, reason="identity_mismatch", status=409, calls=1)


def test_a2_18_without_cookies(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    stage.a.client.cookies.clear()
    lost = stage.reject(stage.a, path, reason="other_browser").content
    made_up = changed(path, state="x" * 43)
    unknown = stage.reject(stage.a, made_up, reason="state_unknown_or_used").content
    # Nor does the page say which of the two states was a real one.
    assert lost == unknown
    assert b"begun in another browser" in lost


def test_b8_a_state_opens_nothing_else(stage: Stage) -> None:
    path = stage.way_back(stage.a)
    state = parameter(path, "state")
    for url in (connect_url("as1"), callback_url("as1"), list_url()):
        stage.x.post(url, state=state)
        stage.b.post(url, state=state)
    for name in ("reconnect", "disconnect", "connect"):
        assert stage.a.post(f"{list_url()}{name}/{state}/").status_code == 404
    attempt = AuthorizationAttempt.objects.earliest("created_at")
    assert stage.b.post(f"{list_url()}reconnect/{attempt.pk}/").status_code == 404
    assert attempt.consumed_at is None
    stage.accept(stage.a, path)


def test_b10_keys_of_rows_are_no_state(stage: Stage) -> None:
    account = stage.connect(stage.a)
    stage.a.start("as1")
    attempt = AuthorizationAttempt.objects.latest("created_at")
    for key in (account.pk, attempt.pk, attempt.state_hash, attempt.browser_hash):
        path = f"{callback_url('as1')}?state={key}&code=abc-abc-abc"
        for browser in (stage.x, stage.b, stage.a):
            stage.reject(browser, path, reason="state_unknown_or_used")


def test_b18_b20_who_it_is_comes_from_the_provider(stage: Stage) -> None:
    claims = {"installation_id": "7", "shop": "evil.example", "realmId": "9"}
    path = changed(stage.way_back(stage.a), sub="mallory", uid="mallory", **claims)
    stage.accept(stage.a, path)
    account = ConnectedAccount.objects.get()
    assert account.uid == "alice"
    stage.as1.profiles["alice"] = {"preferred_username": "renamed"}
    assert stage.connect(stage.a).pk == account.pk
    stage.as1.profiles["new"] = {"preferred_username": "alice", "email": "alice@x"}
    assert stage.connect(stage.a, subject="new").pk != account.pk


def test_b23_codes_of_two_attempts_are_not_exchanged(stage: Stage) -> None:
    first, second = stage.way_back(stage.a), stage.way_back(stage.a)
    swapped = changed(first, code=parameter(second, "code"))
    stage.reject(stage.a, swapped, reason="code_refused", calls=1)


def test_a8_7_extra_fields_change_nothing(stage: Stage) -> None:
    account = stage.connect(stage.a)
    bert = stage.user("bert")
    extra = {"user": bert.pk, "owner": bert.pk, "status": "active", "scopes": "admin"}
    address = stage.a.post(reconnect_url(account), **extra)["Location"]
    stage.accept(stage.a, changed(stage.consent(address), owner=str(bert.pk)))
    stage.a.post(disconnect_url(account), **extra)
    stored = ConnectedAccount.objects.get()
    assert (stored.owner, stored.status) == (stage.user("anna"), "revoked")
    assert stored.scopes == account.scopes
