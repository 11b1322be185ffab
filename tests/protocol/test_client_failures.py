from __future__ import annotations

import contextlib
import logging.config
import traceback

import pytest

from oauth_accounts.exceptions import (
    OAuthAccountsError,
    ProviderUnavailable,
)
from tests.protocol.calls import (
    CALLS,
    authorize,
    client_of,
    exchange,
    refresh,
    refusal,
    revoke,
    userinfo,
)
from tests.protocol.servers import TOKENS, ScriptedServer, answer, cut, silence


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
        caplog.set_level("DEBUG")  # first: the level before is what comes back
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "root": {"level": "DEBUG"},
            }
        )
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
