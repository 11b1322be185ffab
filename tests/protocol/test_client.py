from __future__ import annotations

import contextlib
import hashlib
import json
import logging.config
import re
import traceback
from base64 import urlsafe_b64encode
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from oauth_accounts.clock import utcnow
from oauth_accounts.exceptions import (
    OAuthAccountsError,
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
)
from oauth_accounts.fields import Secret
from oauth_accounts.protocol.client import (
    ClientConfig,
    OAuth2Client,
    new_code_verifier,
)
from oauth_accounts.protocol.parameters import AUTHORIZATION_PARAMS, TOKEN_PARAMS
from tests.protocol.servers import TOKENS, ScriptedServer, answer, cut, silence

REDIRECT_URI = "https://site.example/oauth/idp/callback/?a=1"
SECRETS = {
    "client_secret": "s3cret-client",
    "code": "s3cret-code",
    "verifier": "s3cret-verifier-" + "v" * 40,
    "refresh_token": "s3cret-refresh",
    "access_token": "s3cret-access",
    "state": "s3cret-state",
}


def client_of(url: str, **changes) -> OAuth2Client:
    values = {
        "client_id": "client-1",
        "client_secret": Secret(SECRETS["client_secret"]),
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "revocation_endpoint": f"{url}/revoke",
        "userinfo_endpoint": f"{url}/me",
        **changes,
    }
    return OAuth2Client(ClientConfig(**values))


@pytest.fixture
def client(server) -> OAuth2Client:
    return client_of(server.url)


def exchange(client: OAuth2Client):
    return client.exchange_code(
        code=Secret(SECRETS["code"]),
        redirect_uri=REDIRECT_URI,
        code_verifier=Secret(SECRETS["verifier"]),
    )


def refresh(client: OAuth2Client):
    return client.refresh(Secret(SECRETS["refresh_token"]))


def revoke(client: OAuth2Client):
    return client.revoke(Secret(SECRETS["refresh_token"]), "refresh_token")


def userinfo(client: OAuth2Client):
    return client.userinfo(Secret(SECRETS["access_token"]))


CALLS = [exchange, refresh, revoke, userinfo]


def authorize(client: OAuth2Client, scopes=("read", "write")) -> str:
    return client.authorization_url(
        redirect_uri=REDIRECT_URI,
        state=Secret(SECRETS["state"]),
        code_verifier=Secret(SECRETS["verifier"]),
        scopes=scopes,
    )


def refusal(work, *args) -> str:
    with pytest.raises(ProviderMisconfigured) as caught:
        work(*args)
    return caught.value.code


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
        with pytest.raises(ProviderUnavailable) as caught:
            exchange(client)
        assert caught.value.code == "bad_answer"

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

    def test_two_subjects_are_none(self, server, client):
        server.script = answer(200, body=b'{"sub": "a", "sub": "b"}')
        with pytest.raises(ProviderUnavailable):
            userinfo(client)


class TestEveryCall:
    @pytest.mark.parametrize("work", [exchange, refresh, userinfo])
    def test_an_endpoint_is_needed(self, work):
        client = client_of("", token_endpoint="", userinfo_endpoint="")
        assert refusal(work, client) == "endpoint_missing"

    @pytest.mark.parametrize("work", CALLS)
    def test_a1_12_a_bad_endpoint_is_refused_at_the_call(self, work):
        assert refusal(work, client_of("http://idp.example")) == "url_refused"

    @pytest.mark.parametrize("work", [exchange, refresh, revoke])
    def test_unsupported_authentication(self, server, work):
        client = client_of(server.url, token_endpoint_auth_method="private_key_jwt")
        assert refusal(work, client) == "client_auth_unsupported"
        assert server.requests == []

    @pytest.mark.parametrize("work", CALLS)
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a3_3_d7_redirects_are_not_followed(self, server, client, work, status):
        with ScriptedServer(answer(200, TOKENS)) as other:
            location = f"Location: {other.url}/token"
            server.script = answer(status, TOKENS, headers=(location,))
            assert refusal(work, client) == "redirect_refused"
            assert other.connections == 0

    @pytest.mark.parametrize("work", CALLS)
    def test_a3_11_e7_sent_and_not_answered(self, server, client, settings, work):
        settings.OAUTH_ACCOUNTS_HTTP_TIMEOUT = 0.2
        for script in (silence, cut()):
            server.script = script
            server.requests.clear()
            with pytest.raises(ProviderUnavailable) as caught:
                work(client)
            assert caught.value.code == "outcome_unknown"
            assert len(server.requests) == 1

    @pytest.mark.parametrize("work", CALLS)
    def test_a3_2_nothing_secret_in_the_request_line(self, server, client, work):
        work(client)
        assert all("s3cret" not in r.target for r in server.requests)


FAILURES = [
    answer(400, {"error": "invalid_grant", "error_description": "s3cret-echo"}),
    answer(400, {"error": "s3cret <echo>"}),
    answer(500, {"access_token": "s3cret-new"}),
    answer(302, {}, headers=("Location: /s3cret?code=s3cret",)),
    cut(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ns3cret"),
]
SCRIPTS = [
    *FAILURES,
    answer(200, TOKENS | {"access_token": "s3cret-new", "refresh_token": "s3cret-rt"}),
    answer(200, body=b"s3cret html"),
]


class TestSecrets:
    @pytest.mark.parametrize("script", SCRIPTS)
    @pytest.mark.parametrize("work", [authorize, *CALLS])
    def test_a3_14_no_secret_is_logged_at_debug(
        self, server, client, caplog, work, script
    ):
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "root": {"level": "DEBUG"},
            }
        )
        caplog.set_level("DEBUG")
        logging.getLogger().addHandler(caplog.handler)
        for name in ("requests_oauthlib.oauth2_session", "oauthlib", "urllib3"):
            caplog.set_level("DEBUG", logger=name)
        server.script = script
        with contextlib.suppress(OAuthAccountsError):
            work(client)
        logging.getLogger("oauthlib").debug("the log is read")
        assert "the log is read" in caplog.text
        assert "s3cret" not in caplog.text

    @pytest.mark.parametrize("script", FAILURES)
    @pytest.mark.parametrize("work", CALLS)
    def test_no_secret_in_what_an_error_carries(self, server, client, work, script):
        """Error reporters print the locals of every frame, and causes with theirs."""
        server.script = script
        with pytest.raises(OAuthAccountsError) as caught:
            work(client)
        error = caught.value
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert error.__context__ is None
        assert error.__cause__ is None
        files = {frame.filename for frame in report.stack}
        assert all("/oauth_accounts/" in f or "/tests/" in f for f in files)
        ours = [f.locals for f in report.stack if "/oauth_accounts/" in f.filename]
        assert ours
        assert "s3cret" not in f"{ours} {error!s} {error!r} {vars(error)}"
