"""
ID tokens: who signed them, for whom, and about whom (OpenID Connect Core section 3.1.3.7).

The signature is always verified. Section 3.1.3.7 lets TLS stand for it where the token came
from the token endpoint; but then the next change of transport is a hole.
"""

from __future__ import annotations

import hashlib
import math
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jwt import PyJWS, PyJWTError

from oauth_accounts.clock import utcnow
from oauth_accounts.exceptions import AuthorizationError
from oauth_accounts.fields import Secret
from oauth_accounts.frames import without_frames
from oauth_accounts.protocol.answers import read_object
from oauth_accounts.protocol.claims import MAX_LENGTH, read_part
from oauth_accounts.protocol.jwks import find_key

# What a token may be signed with, and the hash in its at_hash. Only asymmetric ones: with
# HMAC, whoever knows the client secret could sign, and a public key could be the secret.
ALGORITHMS = {
    "RS256": "sha256",
    "RS384": "sha384",
    "RS512": "sha512",
    "PS256": "sha256",
    "PS384": "sha384",
    "PS512": "sha512",
    "ES256": "sha256",
    "ES384": "sha384",
    "ES512": "sha512",
    "EdDSA": "sha512",  # of Ed25519, which has no hash of its own in RFC 8037
}
# How far clocks may be apart.
LEEWAY_SECONDS = 60
MAX_SUBJECT = 255

_jws = PyJWS(algorithms=list(ALGORITHMS), options={"enforce_minimum_key_length": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the ID token of one authorisation has to say."""

    issuer: str
    """As the provider's row has it."""
    client_id: str
    """The one audience."""
    nonce: Secret
    """As sent in this authorisation."""
    access_token: Secret
    """That came along."""
    jwks_uri: str
    """Where the provider publishes its keys."""


@without_frames
def verify_id_token(id_token: Secret, expected: Expected) -> str:
    """
    Return the subject of an ID token, once everything about it was checked.

    Raises AuthorizationError: "id_token_malformed", "id_token_algorithm", "id_token_key",
    "id_token_signature", "id_token_issuer", "id_token_audience", "id_token_time",
    "id_token_nonce", "id_token_hash", "id_token_subject". ProviderUnavailable and
    ProviderMisconfigured when the keys cannot be read.
    """
    algorithm, claims = _open(id_token.get_value(), expected.jwks_uri)
    problem = _problem(claims, expected, ALGORITHMS[algorithm])
    if problem is not None:
        raise AuthorizationError(problem)
    return str(claims["sub"])


def _open(token: str, jwks_uri: str) -> tuple[str, dict[str, Any]]:
    """Return the algorithm of a token and the claims that were signed with it."""
    header = _header(token)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise AuthorizationError("id_token_algorithm")
    # What else the header says of keys (jwk, jku, x5u, x5c) is not listened to.
    key = find_key(jwks_uri, algorithm=algorithm, key_id=key_id)
    try:
        claims = read_object(_jws.decode(token, key, algorithms=[algorithm]))
    except PyJWTError:
        claims, problem = None, "id_token_signature"
    else:
        problem = "id_token_malformed"
    if claims is None:
        raise AuthorizationError(problem)
    return algorithm, claims


def _header(token: str) -> dict[str, Any]:
    # Five parts are an encrypted token (RFC 7516), which nobody has asked for.
    parts = token.split(".") if len(token) <= MAX_LENGTH else []
    header = read_part(parts[0]) if len(parts) == 3 else None
    # RFC 7515 section 4.1.11: whoever does not understand what is critical has to refuse.
    if header is None or not header.keys().isdisjoint({"crit", "zip", "enc", "b64"}):
        raise AuthorizationError("id_token_malformed")
    if not isinstance(header.get("kid", ""), str):
        raise AuthorizationError("id_token_malformed")
    return header


def _problem(claims: Mapping[str, Any], expected: Expected, digest: str) -> str | None:
    """Return the code of what is wrong with the claims, or None."""
    right = {
        "id_token_issuer": claims.get("iss") == expected.issuer,
        "id_token_audience": _is_for(claims, expected.client_id),
        "id_token_time": _is_valid_now(claims, utcnow().timestamp()),
        "id_token_nonce": claims.get("nonce") == expected.nonce.get_value(),
        "id_token_hash": claims.get("at_hash")
        in (None, _at_hash(expected.access_token, digest)),
        "id_token_subject": _is_subject(claims.get("sub")),
    }
    return next((code for code, is_right in right.items() if not is_right), None)


def _is_for(claims: Mapping[str, Any], client_id: str) -> bool:
    # Nobody else's audience is trusted: a token for two could have been got by the other.
    if claims.get("aud") not in (client_id, [client_id]):
        return False
    return claims.get("azp") in (None, client_id)


def _is_valid_now(claims: Mapping[str, Any], now: float) -> bool:
    ends, issued = _moment(claims.get("exp")), _moment(claims.get("iat"))
    begins = _moment(claims.get("nbf", now))
    if ends is None or issued is None or begins is None:
        return False
    return max(issued, begins) - LEEWAY_SECONDS <= now < ends + LEEWAY_SECONDS


def _moment(value: Any) -> float | None:
    # True is an int in Python, and infinity a time that never comes.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _at_hash(access_token: Secret, digest: str) -> str:
    """Return the left half of the token's hash (OpenID Connect Core section 3.1.3.6)."""
    hashed = hashlib.new(digest, access_token.get_value().encode()).digest()
    left = hashed[: len(hashed) // 2]
    return urlsafe_b64encode(left).rstrip(b"=").decode()


def _is_subject(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT
