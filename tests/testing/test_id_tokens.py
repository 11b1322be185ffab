"""The fake provider's ID tokens, read with PyJWT as any client would."""

from __future__ import annotations

import jwt
import pytest

from oauth_accounts.testing.id_tokens import half_hash
from tests.testing.oauth_client import authorization_url, query_of

OPENID = {"scope": "openid read", "nonce": "n-1"}


def redeem(provider, client, **changes):
    url = authorization_url(provider, **(OPENID | changes))
    return client.redeem(query_of(provider.authorize(url))["code"]).json()


def read(provider, client, token):
    """Return the claims, verified with the keys that the provider publishes."""
    [key] = client.get(provider.jwks_uri).json()["keys"]
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]
    return jwt.decode(
        token,
        jwt.PyJWK(key),
        algorithms=["RS256"],
        audience=provider.client_id,
        issuer=provider.issuer,
    )


def test_it_comes_where_openid_was_granted(provider, client):
    answer = redeem(provider, client)
    claims = read(provider, client, answer["id_token"])
    assert (claims["sub"], claims["nonce"]) == ("alice", "n-1")
    assert claims["exp"] == claims["iat"] + 3600
    assert claims["at_hash"] == half_hash(answer["access_token"])
    assert "id_token" not in redeem(provider, client, scope="read")


def test_that_of_a_refresh_has_no_nonce(provider, client):
    first = redeem(provider, client)
    answer = client.refresh(first["refresh_token"]).json()
    claims = read(provider, client, answer["id_token"])
    assert claims["sub"] == "alice"
    assert "nonce" not in claims


def test_claims_can_be_changed_and_left_out(provider, client):
    provider.id_tokens.claims |= {"sub": "mallory", "nonce": None}
    claims = read(provider, client, redeem(provider, client)["id_token"])
    assert claims["sub"] == "mallory"
    assert "nonce" not in claims


def test_another_token_or_none(provider, client):
    provider.id_tokens.make = lambda claims: f"about {claims['sub']}"
    assert redeem(provider, client)["id_token"] == "about alice"
    provider.id_tokens.make = lambda claims: None
    assert "id_token" not in redeem(provider, client)


def test_a_new_key(provider, client):
    old = redeem(provider, client)["id_token"]
    provider.id_tokens.rotate()
    new = redeem(provider, client)["id_token"]
    assert read(provider, client, new)["sub"] == "alice"
    [key] = client.get(provider.jwks_uri).json()["keys"]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(old, jwt.PyJWK(key), algorithms=["RS256"], audience="x")


def test_the_metadata_says_where_the_keys_are(provider, client):
    metadata = client.get(f"{provider.issuer}/.well-known/openid-configuration").json()
    assert metadata["jwks_uri"] == provider.jwks_uri
    assert provider.as_provider_fields()["jwks_uri"] == provider.jwks_uri
