"""The fake provider by the book: revocation, what tokens open, metadata."""

from __future__ import annotations

import pytest

from tests.testing.oauth_client import error_of, unknown_token


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
