"""What is fuzzed of OpenID Connect; see `targets`."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from unittest import mock

from cryptography.hazmat.primitives.asymmetric import ec
from jwt import PyJWK
from jwt.algorithms import ECAlgorithm

from oauth_accounts.exceptions import AuthorizationError
from oauth_accounts.fields import Secret
from oauth_accounts.protocol import discovery, id_token, jwks, published_keys
from oauth_accounts.protocol.answers import read_object
from oauth_accounts.protocol.claims import is_continued, unverified_claims
from oauth_accounts.protocol.discovery import discover
from oauth_accounts.protocol.id_token import Expected, verify_id_token
from oauth_accounts.protocol.jwks import find_key
from tests.fuzz.outcomes import outcome

ISSUER = "https://idp.example"
ALGORITHM = ECAlgorithm(ECAlgorithm.SHA256)
PRIVATE = ec.derive_private_key(5, ec.SECP256R1())
PUBLIC = PyJWK({**json.loads(ECAlgorithm.to_jwk(PRIVATE.public_key())), "alg": "ES256"})
EXPECTED = Expected(
    issuer=ISSUER,
    client_id="client-1",
    nonce=Secret("nonce-1"),
    access_token=Secret("at"),
    jwks_uri=f"{ISSUER}/keys",
)


def id_token_bytes(data: bytes) -> None:
    """Verify a token of any header, payload and signature, divided by line breaks."""
    parts = data.split(b"\n")
    _verify(".".join(_encoded(part) for part in parts))
    _verify(data.decode("utf-8", "replace"))


def id_token_claims(data: bytes) -> None:
    """Verify a token that is signed as it should be, whatever it says."""
    signed = _encoded(b'{"alg": "ES256"}') + "." + _encoded(data)
    signature = ALGORITHM.sign(signed.encode(), PRIVATE)
    found = _verify(f"{signed}.{_encoded(signature)}")
    claims = read_object(data)
    if not isinstance(found, AuthorizationError):
        assert claims is not None
        assert (claims["iss"], claims["sub"]) == (ISSUER, found)
        assert claims["nonce"] == "nonce-1"


def _verify(token: str) -> object:
    with mock.patch.object(id_token, "find_key", return_value=PUBLIC):
        found = outcome(verify_id_token, Secret(token), EXPECTED)
    assert isinstance(found, str | AuthorizationError)
    claims = unverified_claims(Secret(token))
    assert isinstance(claims, dict)
    assert is_continued({"iss": ISSUER}, claims) in {True, False}
    return found


def _encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def metadata(data: bytes) -> None:
    """Read what an issuer publishes of itself."""
    document = read_object(data, strict=True)
    with mock.patch.object(discovery, "fetch_document", return_value=document):
        found = outcome(discover, ISSUER)
    code = getattr(found, "code", None)
    assert code in {None, "discovery_refused", "discovery_bad_document"}
    assert code is not None or found.issuer == ISSUER


def keys(data: bytes) -> None:
    """Read the keys that a provider publishes; the first byte chooses what is looked for."""
    choice, document = sum(data[:1]), read_object(data[1:], strict=True)
    algorithm = list(id_token.ALGORITHMS)[choice % len(id_token.ALGORITHMS)]
    jwks._sets.clear()
    with mock.patch.object(published_keys, "fetch_document", return_value=document):
        key_id = "a" if choice & 16 else None
        found = outcome(find_key, ISSUER, algorithm=algorithm, key_id=key_id)
    codes = {"id_token_key", "keys_unavailable"}
    assert isinstance(found, PyJWK) or found.code in codes
