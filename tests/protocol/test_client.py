from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from oauth_accounts.clock import utcnow
from oauth_accounts.exceptions import (
    ProviderUnavailable,
    ReauthRequired,
)
from oauth_accounts.fields import Secret
from oauth_accounts.protocol.client import (
    new_code_verifier,
)
from oauth_accounts.protocol.parameters import AUTHORIZATION_PARAMS, TOKEN_PARAMS
from tests.protocol.calls import (
    REDIRECT_URI,
    SECRETS,
    authorize,
    client_of,
    exchange,
    refresh,
    refusal,
)
from tests.protocol.servers import TOKENS, answer


class TestAuthorizationURL:
    def test_a1_3_a1_4_each_parameter_once(self):
        url = authorize(client_of("https://idp.example"))
        assert url.startswith("https://idp.example/authorize?")
        verifier = SECRETS["verifier"].encode()
        digest = urlsafe_b64encode(hashlib.sha256(verifier).digest())
        assert sorted(parse_qsl(urlsplit(url).query)) == [
            ("client_id", "client-1"),
            ("code_challenge", digest.rstrip(b"=").decode()),
            ("code_challenge_method", "S256"),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("scope", "read write"),
            ("state", SECRETS["state"]),
        ]
        assert SECRETS["verifier"] not in url

    def test_http_on_loopback(self):
        url = authorize(client_of("http://localhost:8000"))
        assert url.startswith("http://localhost:8000/authorize?response_type=code")

    def test_scopes_are_joined_as_the_provider_wants(self):
        client = client_of("https://idp.example", scope_separator=",")
        query = dict(parse_qsl(urlsplit(authorize(client)).query))
        assert query["scope"] == "read,write"
        assert "scope=" not in authorize(client, scopes=())

    def test_static_parameters_and_the_query_of_the_endpoint_are_kept(self):
        client = client_of(
            "https://idp.example",
            authorization_endpoint="https://idp.example/authorize?p=B2C&empty=",
            authorization_params={"prompt": "consent", "url": "x&y", "body": "é"},
        )
        query = dict(parse_qsl(urlsplit(authorize(client)).query, True))
        assert query["p"] == "B2C"
        assert query["empty"] == ""
        assert query["prompt"] == "consent"
        assert query["url"] == "x&y"
        assert query["body"] == "é"

    @pytest.mark.parametrize("name", sorted(AUTHORIZATION_PARAMS))
    def test_a1_6_protocol_parameters_cannot_be_set(self, name):
        client = client_of("https://idp.example", authorization_params={name: "x"})
        assert refusal(authorize, client) == "params_refused"
        endpoint = f"https://idp.example/authorize?a=b&%{ord(name[0]):x}{name[1:]}="
        client = client_of("https://idp.example", authorization_endpoint=endpoint)
        assert refusal(authorize, client) == "url_refused"

    @pytest.mark.parametrize(
        "params",
        [{"prompt": None}, {"max_age": 5}, {5: "x"}, {"a": "\ud800"}, {"p": "x"}],
    )
    def test_parameters_that_cannot_be_written_or_come_twice(self, params):
        endpoint = "https://idp.example/authorize?p=1"
        client = client_of(
            "https://idp.example",
            authorization_endpoint=endpoint,
            authorization_params=params,
        )
        assert refusal(authorize, client) == "params_refused"

    @pytest.mark.parametrize(
        "url",
        ["javascript:alert(1)", "http://idp.example", "https://a@b", "https://x/#y"],
    )
    def test_a1_12_only_safe_endpoints(self, url):
        client = client_of("https://idp.example", authorization_endpoint=url)
        assert refusal(authorize, client) == "url_refused"

    def test_an_endpoint_is_needed(self):
        client = client_of("https://idp.example", authorization_endpoint="")
        assert refusal(authorize, client) == "endpoint_missing"


class TestVerifier:
    def test_a1_4_verifiers_are_fresh_and_well_formed(self):
        made = {new_code_verifier().get_value() for _ in range(100)}
        assert len(made) == 100
        assert all(re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", text) for text in made)


class TestExchange:
    def test_the_request(self, server, client):
        begin = utcnow()
        tokens = exchange(client)
        (received,) = server.requests
        assert (received.method, received.target) == ("POST", "/token")
        assert received.form == {
            "grant_type": ["authorization_code"],
            "code": [SECRETS["code"]],
            "redirect_uri": [REDIRECT_URI],
            "code_verifier": [SECRETS["verifier"]],
        }
        assert received.headers["authorization"].startswith("Basic ")
        assert received.headers["accept"] == "application/json"
        content_type = received.headers["content-type"]
        assert content_type == "application/x-www-form-urlencoded"
        assert tokens.access_token == Secret("access-1")
        assert tokens.refresh_token == Secret("refresh-1")
        assert begin <= tokens.issued_at <= begin + timedelta(seconds=5)

    @pytest.mark.parametrize(
        ("method", "names"),
        [
            ("client_secret_post", {"client_id", "client_secret"}),
            ("none", {"client_id"}),
        ],
    )
    def test_a3_1_other_authentication(self, server, method, names):
        exchange(client_of(server.url, token_endpoint_auth_method=method))
        (received,) = server.requests
        assert "authorization" not in received.headers
        sent = set(received.form)
        assert names <= sent
        assert ("client_secret" in sent) == ("client_secret" in names)

    def test_a_query_of_the_endpoint_is_kept(self, server):
        """RFC 6749 section 3.2."""
        endpoint = f"{server.url}/token?tenant=a%20b"
        exchange(client_of(server.url, token_endpoint=endpoint))
        (received,) = server.requests
        assert received.target == "/token?tenant=a%20b"

    def test_static_parameters(self, server):
        exchange(client_of(server.url, token_params={"audience": "a b", "body": "x"}))
        assert server.requests[0].form["audience"] == ["a b"]
        assert server.requests[0].form["body"] == ["x"]

    @pytest.mark.parametrize("name", sorted(TOKEN_PARAMS))
    def test_protocol_parameters_cannot_be_set(self, server, name):
        client = client_of(
            server.url, token_params={name: "x"}, refresh_params={name: "x"}
        )
        assert refusal(exchange, client) == "params_refused"
        assert refusal(refresh, client) == "params_refused"
        assert server.requests == []

    @pytest.mark.parametrize(
        "script",
        [
            answer(200, body=b"<html>"),
            answer(200, body=b"access_token=a&token_type=bearer"),
            answer(200, []),
            answer(200, {}),
            answer(200, TOKENS | {"token_type": "mac"}),
            answer(200, TOKENS | {"access_token": "a\r\nX: y"}),
        ],
    )
    def test_a3_6_a3_7_a3_8_answers_that_cannot_be_used(self, server, client, script):
        server.script = script
        tokens = exchange(client)
        assert not tokens.usable
        assert tokens.access_token is None

    def test_a3_10_narrowed_scopes_lose_nothing(self, server, client):
        server.script = answer(200, TOKENS | {"scope": "read"})
        assert exchange(client).scopes == ("read",)


class TestRefresh:
    def test_e22_the_request_names_no_scope(self, server):
        client = client_of(server.url, scopes=("read",), refresh_params={"x": "y"})
        tokens = refresh(client)
        assert server.requests[0].form == {
            "grant_type": ["refresh_token"],
            "refresh_token": [SECRETS["refresh_token"]],
            "x": ["y"],
        }
        assert tokens.refresh_token == Secret("refresh-1")

    def test_e15_an_omitted_refresh_token_is_not_made_up(self, server, client):
        server.script = answer(200, {"access_token": "a", "token_type": "bearer"})
        assert refresh(client).refresh_token is None

    @pytest.mark.parametrize(
        ("script", "problem"),
        [
            (answer(200, {"refresh_token": "new"}), "missing_access_token"),
            (answer(200, TOKENS | {"token_type": "mac"}), "token_type"),
            (answer(200, TOKENS | {"access_token": 5}), "invalid_access_token"),
            (answer(200, body=b"garbage"), "unparsable"),
        ],
    )
    def test_e23_e24_a_rotated_token_can_be_saved(
        self, server, client, script, problem
    ):
        server.script = script
        tokens = refresh(client)
        assert tokens.problem == problem
        assert (tokens.refresh_token is None) == (problem == "unparsable")

    @pytest.mark.parametrize("status", [200, 400, 401, 500])
    def test_e11_invalid_grant(self, server, client, status):
        server.script = answer(status, {"error": "invalid_grant"})
        with pytest.raises(ReauthRequired) as caught:
            refresh(client)
        assert caught.value.code == "invalid_grant"

    def test_e10_rate_limits(self, server, client):
        server.script = answer(429, {}, headers=("Retry-After: 17",))
        with pytest.raises(ProviderUnavailable) as caught:
            refresh(client)
        assert (caught.value.code, caught.value.retry_after) == ("rate_limited", 17)
