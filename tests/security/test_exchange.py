"""What the token endpoint answers to a code, as far as it is hostile or broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oauth_accounts.models import ConnectedAccount, PendingRevocation, Provider
from oauth_accounts.testing.server import Answer
from oauth_accounts.testing.wire import RecordedRequest
from tests.security.stage import Stage, parameter

TOKENS = {
    "access_token": "an-access-token",
    "token_type": "Bearer",
    "refresh_token": "a-refresh-token",
    "expires_in": 3600,
}
JSON = {"Content-Type": "application/json"}
NOT_AN_OBJECT = (
    b"<html>502 Bad Gateway</html>",
    b"access_token=an-access-token&token_type=Bearer",
    b"[]",
    b"null",
    b'"text"',
    b"",
    b"[" * 100_000,
    b'{"access_token": "one", "access_token": "two", "token_type": "Bearer"}',
    b"\xff\xfe{}",
    json.dumps(TOKENS).encode() + b"x",
)
NO_TOKEN = (None, 5, "", "a\r\nX-Injected: y", "tökén", "x" * 70_000, ["list"], {})
OTHER_TYPES = ("mac", "N_A", "", 5, None)


def after_exchange(
    stage: Stage, answer: Answer, reason: str, status: int = 503
) -> None:
    """Answer a code once, and see the callback refused with nothing stored."""
    stage.as1.script(answer)
    path = stage.way_back(stage.a)
    stage.reject(stage.a, path, reason=reason, status=status, calls=1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a3_3_b24_redirects_lead_nowhere(stage: Stage, status: int) -> None:
    stage.as2.script(*[Answer(json=TOKENS)] * 5)
    where = {"Location": stage.as2.token_endpoint}
    answer = Answer(status=status, json=TOKENS, headers=where)
    after_exchange(stage, answer, "redirect_refused", 502)
    assert stage.as2.requests == []


def test_a3_5_tokens_with_another_status(stage: Stage) -> None:
    for status in (201, 204, 400, 404, 500):
        body = b"" if status == 204 else json.dumps(TOKENS).encode()
        answer = Answer(status=status, body=body, headers=JSON)
        after_exchange(stage, answer, "server_error")


def test_a3_6_answers_that_are_no_object(stage: Stage) -> None:
    for body in NOT_AN_OBJECT:
        after_exchange(stage, Answer(body=body, headers=JSON), "bad_answer")
    after_exchange(stage, Answer(body=b" " * 300_000, headers=JSON), "outcome_unknown")


def test_a3_7_tokens_that_are_none(stage: Stage) -> None:
    for token in NO_TOKEN:
        answer = Answer(json={"access_token": token, "token_type": "Bearer"})
        after_exchange(stage, answer, "bad_answer")
    assert not PendingRevocation.objects.exists()


def test_a3_8_types_of_tokens_nobody_knows(stage: Stage) -> None:
    for kind in OTHER_TYPES:
        after_exchange(stage, Answer(json=TOKENS | {"token_type": kind}), "bad_answer")


def test_a3_9_b22_an_error_with_status_200(stage: Stage) -> None:
    for error, reason, status in (
        ("invalid_grant", "code_refused", 400),
        ({}, "unknown_error", 503),
        (["x"], "unknown_error", 503),
        ("server_error", "server_error", 503),
    ):
        after_exchange(stage, Answer(json=TOKENS | {"error": error}), reason, status)


@pytest.mark.parametrize(
    ("granted", "stored", "missing"),
    [
        ("read", ["read"], ["write"]),
        ("read write admin", ["read", "write", "admin"], []),
        (["read"], ["read"], ["write"]),
        ("read,write", ["read", "write"], []),
        (None, None, []),
        (7, None, []),
    ],
)
def test_a3_10_what_was_granted_is_stored(
    stage: Stage, granted: Any, stored: Any, missing: list[str]
) -> None:
    def regrant(request: RecordedRequest) -> Answer:
        made = stage.as1.respond(request)
        made.json["scope"] = granted
        return made

    stage.as1.script(regrant)
    account = stage.connect(stage.a)
    assert account.scopes == stored
    assert account.missing_scopes(["read", "write"]) == missing
    assert account.status_reason == ("scopes_narrowed" if missing else "")


def test_a3_11_a_code_is_sent_once(stage: Stage) -> None:
    after_exchange(stage, Answer(drop=True), "outcome_unknown")
    stage.as1.lose_answer()
    path = stage.way_back(stage.a)
    stage.reject(stage.a, path, reason="outcome_unknown", status=503, calls=1)


def test_a3_12_a_cookie_of_one_user_is_not_anothers(stage: Stage) -> None:
    def with_cookie(request: RecordedRequest) -> Answer:
        made = stage.as1.respond(request)
        cookie = {"Set-Cookie": "who=anna; Path=/"}
        return Answer(json=made.json, headers=made.headers | cookie)

    stage.as1.script(with_cookie)
    stage.connect(stage.a)
    stage.connect(stage.b, subject="bert")
    assert len(stage.as1.requests) == 4
    assert all("Cookie" not in request.headers for request in stage.as1.requests)


def test_a3_13_d12_netrc_and_proxies_have_no_say(
    stage: Stage, tmp_path: Path, monkeypatch: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, stage.as2.issuer)
    stage.connect(stage.a)
    own = [request.headers["Authorization"] for request in stage.as1.requests]
    assert [kind.split()[0] for kind in own] == ["Basic", "Bearer"]
    assert stage.as2.requests == []


def test_a3_1_a3_2_secrets_travel_in_the_body_and_once(stage: Stage) -> None:
    row = Provider.objects.get(slug="as1")
    row.client_secret = stage.as1.client_secret = secret = "a:b%c+d é&=/"
    row.save()
    path = stage.way_back(stage.a)
    stage.accept(stage.a, path)
    account = ConnectedAccount.objects.get()
    account.refresh()
    account.revoke(wait=True)
    secrets = {*stage.secrets(), parameter(path, "code"), secret}
    for request in stage.as1.requests:
        assert [one for one in secrets if one in request.target] == []
        assert "client_secret" not in request.form
