"""The fake provider by the book: refreshing, and who may ask."""

from __future__ import annotations

import pytest

from tests.testing.oauth_client import basic, error_of, unknown_token


class TestRefresh:
    def test_rotation_replaces_the_refresh_token(self, provider, client):
        old_access, old = provider.issue()
        tokens = client.refresh(old).json()
        assert tokens["refresh_token"] != old
        assert [
            provider.is_live(token) for token in (old, tokens["refresh_token"])
        ] == [
            False,
            True,
        ]
        assert provider.is_live(old_access)
        assert provider.grants[0].refresh_tokens == [old, tokens["refresh_token"]]

    def test_replay_ends_the_family(self, provider, client):
        _, old = provider.issue()
        tokens = client.refresh(old).json()
        assert error_of(client.refresh(old)) == (400, "invalid_grant")
        assert provider.replays == 1
        assert not provider.is_live(tokens["access_token"])
        assert error_of(client.refresh(tokens["refresh_token"])) == (
            400,
            "invalid_grant",
        )
        assert provider.replays == 1

    def test_replay_within_the_grace_is_served(self, provider, client):
        provider.grace = 30
        _, old = provider.issue()
        first, second = client.refresh(old).json(), client.refresh(old).json()
        assert provider.replays == 0
        assert provider.is_live(first["refresh_token"])
        assert provider.is_live(second["refresh_token"])

    def test_without_rotation_the_answer_has_no_refresh_token(self, provider, client):
        provider.rotate = False
        _, token = provider.issue()
        assert "refresh_token" not in client.refresh(token).json()
        assert client.refresh(token).status_code == 200

    def test_lifetime_may_be_unsaid(self, provider, client):
        provider.expires_in = None
        tokens = client.refresh(provider.issue()[1]).json()
        assert "expires_in" not in tokens
        assert provider.is_live(tokens["access_token"])

    def test_scopes_may_be_narrowed(self, provider, client):
        access = client.refresh(provider.issue()[1], scope="read").json()[
            "access_token"
        ]
        echo = client.get(f"{provider.api_base_url}x", access).json()
        assert echo["scopes"] == ["read"]
        assert provider.grants[0].scopes == ("read", "write")

    def test_scopes_may_not_be_widened(self, provider, client):
        _, token = provider.issue(scopes=["read"])
        assert error_of(client.refresh(token, scope="admin")) == (400, "invalid_scope")
        assert provider.is_live(token)

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({}, "invalid_request"),
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"grant_type": "refresh_token"}, "invalid_request"),
            (
                {"grant_type": "refresh_token", "refresh_token": unknown_token()},
                "invalid_grant",
            ),
        ],
    )
    def test_wrong_request_is_refused(self, client, form, error):
        assert error_of(client.token(**form)) == (400, error)


class TestClientAuthentication:
    def ask(self, client, auth=None, url="", **form):
        form = {"grant_type": "refresh_token"} | form
        endpoint = client.provider.token_endpoint + url
        return error_of(client.http.post(endpoint, data=form, auth=auth, timeout=10))

    # The request has no refresh token: invalid_request says that the client was known.
    @pytest.mark.parametrize(
        "method", ["client_secret_basic", "client_secret_post", "none"]
    )
    @pytest.mark.parametrize(
        "used", ["client_secret_basic", "client_secret_post", "none"]
    )
    def test_only_the_registered_method_is_taken(self, provider, client, method, used):
        provider.token_endpoint_auth_method = method
        named = {"client_id": provider.client_id}
        answer = {
            "client_secret_basic": lambda: self.ask(
                client, basic(provider.client_id, provider.client_secret)
            ),
            "client_secret_post": lambda: self.ask(
                client, client_secret=provider.client_secret, **named
            ),
            "none": lambda: self.ask(client, **named),
        }[used]()
        expected = (
            (400, "invalid_request") if used == method else (401, "invalid_client")
        )
        assert answer == expected

    def test_wrong_secret_is_refused(self, provider, client):
        auth = basic(provider.client_id, "other")
        assert self.ask(client, auth) == (401, "invalid_client")

    def test_secret_must_be_form_urlencoded(self, provider, client):
        auth = (provider.client_id, provider.client_secret)
        assert self.ask(client, auth) == (401, "invalid_client")

    def test_id_in_the_body_must_be_the_same(self, provider, client):
        auth = basic(provider.client_id, provider.client_secret)
        assert self.ask(client, auth, client_id=provider.client_id)[0] == 400
        assert self.ask(client, auth, client_id="other")[0] == 401
        other = basic("other", provider.client_secret)
        assert self.ask(client, other, client_id=provider.client_id)[0] == 401

    def test_two_methods_at_once_are_refused(self, provider, client):
        auth = basic(provider.client_id, provider.client_secret)
        answer = self.ask(client, auth, client_secret=provider.client_secret)
        assert answer == (400, "invalid_request")

    def test_repeated_or_url_parameters_are_refused(self, provider, client):
        auth = basic(provider.client_id, provider.client_secret)
        repeated = self.ask(client, auth, scope=["a", "b"])
        in_url = self.ask(client, auth, "?scope=a")
        assert repeated == in_url == (400, "invalid_request")

    def test_challenge_goes_with_the_401(self, provider, client):
        response = client.http.post(provider.token_endpoint, json={}, timeout=10)
        assert response.headers["WWW-Authenticate"].startswith("Basic ")

    def test_get_is_not_allowed(self, provider, client):
        assert client.get(provider.token_endpoint).status_code == 405
