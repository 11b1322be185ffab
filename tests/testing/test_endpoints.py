"""The fake provider by the book: what a strict OAuth 2.0 server accepts and refuses."""

from __future__ import annotations

import pytest

from tests.testing.oauth_client import (
    REDIRECT_URI,
    authorization_url,
    basic,
    query_of,
    unknown_token,
)


def error_of(response):
    return response.status_code, response.json()["error"]


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


class TestRevocation:
    def test_refresh_token_takes_its_family_along(self, provider, client):
        access, refresh = provider.issue()
        other, _ = provider.issue()
        assert client.revoke(refresh).status_code == 200
        assert not provider.is_live(access)
        assert not provider.is_live(refresh)
        assert provider.is_live(other)
        assert provider.revoked == [refresh]

    def test_access_token_goes_alone(self, provider, client):
        access, refresh = provider.issue()
        client.revoke(access)
        assert not provider.is_live(access)
        assert provider.is_live(refresh)

    def test_unknown_token_is_no_error(self, client):
        assert client.revoke(unknown_token()).status_code == 200

    def test_token_is_required(self, provider, client):
        response = client.post(provider.revocation_endpoint, token_type_hint="x")
        assert error_of(response) == (400, "invalid_request")


class TestResources:
    def test_userinfo_names_the_user(self, provider, client):
        provider.profiles["bob"] = {"name": "Robert"}
        access, _ = provider.issue("bob")
        assert client.get(provider.userinfo_endpoint, access).json() == {
            "sub": "bob",
            "email": "bob@provider.example",
            "name": "Robert",
        }

    def test_api_echoes(self, provider, client):
        access, _ = provider.issue("bob", scopes=["read"])
        response = client.http.put(
            f"{provider.api_base_url}notes/1?a=b",
            data="hello",
            headers={"Authorization": f"Bearer {access}"},
            timeout=10,
        )
        assert response.json() == {
            "subject": "bob",
            "scopes": ["read"],
            "method": "PUT",
            "path": "/api/notes/1",
            "query": {"a": "b"},
            "body": "hello",
        }

    @pytest.mark.parametrize("path", ["/userinfo", "/api/x"])
    def test_dead_tokens_are_challenged(self, provider, client, path):
        over, _ = provider.issue(expires_in=0)
        ended, _ = provider.issue()
        provider.book.expire(ended)
        for token in (over, ended, provider.issue()[1]):
            response = client.get(provider.issuer + path, token)
            assert response.status_code == 401
            assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]

    def test_no_token_is_challenged_without_an_error(self, provider, client):
        response = client.get(f"{provider.api_base_url}x")
        assert response.status_code == 401
        assert "error" not in response.headers["WWW-Authenticate"]

    def test_basic_is_not_bearer(self, provider, client):
        response = client.http.get(
            f"{provider.api_base_url}x", auth=("a", "b"), timeout=10
        )
        assert response.status_code == 401


class TestMetadata:
    @pytest.mark.parametrize(
        "name", ["oauth-authorization-server", "openid-configuration"]
    )
    def test_document_names_the_endpoints(self, provider, client, name):
        document = client.get(f"{provider.issuer}/.well-known/{name}").json()
        fields = provider.as_provider_fields()
        for field in document.keys() & fields.keys():
            assert document[field] == fields[field]
        assert document["code_challenge_methods_supported"] == ["S256"]

    def test_other_paths_are_not_found(self, provider, client):
        assert client.get(f"{provider.issuer}/other").status_code == 404
