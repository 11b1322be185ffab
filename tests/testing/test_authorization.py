"""The fake provider by the book: authorization requests and codes."""

from __future__ import annotations

import pytest

from tests.testing.oauth_client import (
    REDIRECT_URI,
    authorization_url,
    error_of,
    query_of,
)


class TestAuthorize:
    def test_callback_carries_code_state_and_issuer(self, provider):
        callback = provider.authorize(authorization_url(provider))
        assert callback.startswith(f"{REDIRECT_URI}?")
        answer = query_of(callback)
        assert answer.pop("code").startswith("code-")
        assert answer == {"state": "st", "iss": provider.issuer}

    def test_a_query_in_the_redirect_uri_stays(self, provider):
        url = authorization_url(
            provider, redirect_uri=f"{REDIRECT_URI}?a=1", state=None
        )
        answer = query_of(provider.authorize(url))
        assert answer["a"] == "1"
        assert "state" not in answer

    def test_user_may_deny(self, provider):
        answer = query_of(provider.authorize(authorization_url(provider), deny=True))
        assert answer == {
            "error": "access_denied",
            "state": "st",
            "iss": provider.issuer,
        }

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_type": None}, "unsupported_response_type"),
            ({"code_challenge": None}, "invalid_request"),
            ({"code_challenge": "short"}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"code_challenge_method": None}, "invalid_request"),
        ],
    )
    def test_wrong_request_is_sent_back_as_an_error(self, provider, changes, error):
        answer = query_of(provider.authorize(authorization_url(provider, **changes)))
        assert answer["error"] == error
        assert "code" not in answer

    def test_repeated_parameter_is_an_error(self, provider):
        url = authorization_url(provider) + "&state=other"
        assert query_of(provider.authorize(url))["error"] == "invalid_request"

    @pytest.mark.parametrize(
        "changes",
        [
            {"client_id": "other"},
            {"client_id": None},
            {"redirect_uri": None},
            {"redirect_uri": "/callback"},
        ],
    )
    def test_unknown_client_or_target_is_never_redirected(
        self, provider, client, changes
    ):
        url = authorization_url(provider, **changes)
        with pytest.raises(ValueError, match=r"client_id|redirect_uri"):
            provider.authorize(url)
        response = client.get(url)
        assert response.status_code == 400
        assert "Location" not in response.headers

    def test_registered_redirect_uris_are_compared_exactly(self, provider):
        provider.redirect_uris = [REDIRECT_URI]
        assert "code" in query_of(provider.authorize(authorization_url(provider)))
        with pytest.raises(ValueError, match="registered"):
            provider.authorize(
                authorization_url(provider, redirect_uri=f"{REDIRECT_URI}/")
            )

    def test_foreign_url_is_refused(self, provider):
        with pytest.raises(ValueError, match="authorization endpoint"):
            provider.authorize("http://127.0.0.1/authorize?response_type=code")

    def test_real_endpoint_redirects_the_browser(self, provider, client):
        provider.subject = "bob"
        response = client.get(authorization_url(provider, scope="read"))
        assert response.status_code == 302
        tokens = client.redeem(query_of(response.headers["Location"])["code"]).json()
        assert tokens["scope"] == "read"
        assert [grant.subject for grant in provider.grants] == ["bob"]

    def test_real_endpoint_may_deny(self, provider, client):
        provider.deny = True
        response = client.get(authorization_url(provider))
        assert query_of(response.headers["Location"])["error"] == "access_denied"


class TestCode:
    @pytest.fixture
    def code(self, provider):
        callback = provider.authorize(authorization_url(provider), scopes=["read"])
        return query_of(callback)["code"]

    def test_code_becomes_tokens(self, provider, client, code):
        response = client.redeem(code)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        tokens = response.json()
        assert tokens.pop("access_token").startswith("at-")
        assert tokens.pop("refresh_token").startswith("rt-")
        assert tokens == {"token_type": "Bearer", "expires_in": 3600, "scope": "read"}

    def test_second_use_ends_the_grant(self, provider, client, code):
        tokens = client.redeem(code).json()
        assert error_of(client.redeem(code)) == (400, "invalid_grant")
        assert not provider.is_live(tokens["access_token"])
        assert not provider.is_live(tokens["refresh_token"])

    def test_expired_code_is_refused(self, provider, client, code):
        now = provider.book.clock()
        provider.book.clock = lambda: now + 61
        assert error_of(client.redeem(code)) == (400, "invalid_grant")

    @pytest.mark.parametrize(
        "changes", [{"redirect_uri": f"{REDIRECT_URI}/"}, {"code_verifier": "w" * 43}]
    )
    def test_wrong_proof_is_refused_and_burns_the_code(self, client, code, changes):
        assert error_of(client.redeem(code, **changes)) == (400, "invalid_grant")
        assert error_of(client.redeem(code)) == (400, "invalid_grant")

    @pytest.mark.parametrize("changes", [{"code": None}, {"code_verifier": "short"}])
    def test_incomplete_request_is_refused(self, client, code, changes):
        assert error_of(client.redeem(code, **changes)) == (400, "invalid_request")
