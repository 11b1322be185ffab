from __future__ import annotations

import json

import pytest

from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
)
from tests.protocol.calls import (
    SECRETS,
    client_of,
    revoke,
    userinfo,
)
from tests.protocol.servers import answer


class TestRevoke:
    def test_a6_3_the_request(self, server, client):
        server.script = answer(200, body=b"")
        assert revoke(client) == "confirmed"
        (received,) = server.requests
        assert received.target == "/revoke"
        assert received.form == {
            "token": [SECRETS["refresh_token"]],
            "token_type_hint": ["refresh_token"],
        }
        assert received.headers["authorization"].startswith("Basic ")

    @pytest.mark.parametrize(
        ("status", "document", "result"),
        [
            (200, {}, "confirmed"),
            (200, "ok", "confirmed"),
            (204, None, "confirmed"),
            (400, {"error": "invalid_token"}, "confirmed"),
            (400, {"error": "unsupported_token_type"}, "unsupported"),
            (503, {"error": "unsupported_token_type"}, "unsupported"),
        ],
    )
    def test_a6_4_results(self, server, client, status, document, result):
        server.script = answer(
            status, body=b"" if document is None else json.dumps(document).encode()
        )
        assert revoke(client) == result

    @pytest.mark.parametrize(
        ("status", "document", "error", "code"),
        [
            (503, None, ProviderUnavailable, "server_error"),
            (404, None, ProviderUnavailable, "server_error"),
            (202, None, ProviderUnavailable, "server_error"),
            (200, {"error": "bad_thing"}, ProviderUnavailable, "unknown_error"),
            (401, {"error": "invalid_token"}, ProviderMisconfigured, "invalid_client"),
            (
                302,
                {"error": "invalid_token"},
                ProviderMisconfigured,
                "redirect_refused",
            ),
            (400, {"error": "invalid_client"}, ProviderMisconfigured, "invalid_client"),
        ],
    )
    def test_a6_4_the_token_may_still_live(
        self, server, client, status, document, error, code
    ):
        server.script = answer(status, document, headers=("Retry-After: 9",))
        with pytest.raises(error) as caught:
            revoke(client)
        assert caught.value.code == code
        if error is ProviderUnavailable:
            assert caught.value.retry_after == 9

    def test_without_an_endpoint(self, server):
        assert revoke(client_of(server.url, revocation_endpoint="")) == "unsupported"
        assert server.requests == []


class TestUserinfo:
    def test_the_request(self, server):
        server.script = answer(200, {"sub": "1", "name": "é", "n": 1.5})
        client = client_of(server.url, userinfo_endpoint=f"{server.url}/me?fields=id")
        assert userinfo(client) == {"sub": "1", "name": "é", "n": 1.5}
        (received,) = server.requests
        assert (received.method, received.target) == ("GET", "/me?fields=id")
        assert received.headers["authorization"] == f"Bearer {SECRETS['access_token']}"

    @pytest.mark.parametrize(
        ("status", "document", "headers", "error", "code"),
        [
            (401, {}, (), ReauthRequired, "invalid_token"),
            (403, {"error": "x"}, (), ProviderMisconfigured, "insufficient_scope"),
            (403, {}, ("Retry-After: 5",), ProviderUnavailable, "server_error"),
            (429, {}, (), ProviderUnavailable, "rate_limited"),
            (500, {}, (), ProviderUnavailable, "server_error"),
            (200, [], (), ProviderUnavailable, "bad_answer"),
            (200, {"error": "x"}, (), ProviderUnavailable, "unknown_error"),
        ],
    )
    def test_failures(self, server, client, status, document, headers, error, code):
        server.script = answer(status, document, headers=headers)
        with pytest.raises(error) as caught:
            userinfo(client)
        assert caught.value.code == code

    @pytest.mark.parametrize(
        "body", [b'{"sub": "a", "sub": "b"}', b'{"data": {"id": 1, "id": 2}}']
    )
    def test_two_subjects_are_none(self, server, client, body):
        server.script = answer(200, body=body)
        with pytest.raises(ProviderUnavailable):
            userinfo(client)
