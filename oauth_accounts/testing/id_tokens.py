"""The fake provider's ID tokens: right ones, and any wrong one that a test wants."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key,
)
from jwt import PyJWS
from jwt.algorithms import RSAAlgorithm

KEY_BITS = 2048


class IdTokens:
    """
    Signs ID tokens with a key of its own (RS256), made when it is first needed.

    Everything may be changed at any time:

        provider.id_tokens.claims["aud"] = "another client"   # None leaves a claim out
        provider.id_tokens.make = lambda claims: "no token"   # None leaves the token out
        provider.id_tokens.rotate()                           # another key from now on
    """

    lifetime: float = 3600
    """Seconds from `iat` to `exp`."""
    make: Callable[[dict[str, Any]], str | None] | None = None
    """Makes the token instead, from the claims of a right one."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(4)
        self.claims: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._pair: tuple[str, RSAPrivateKey] | None = None

    @property
    def key(self) -> RSAPrivateKey:
        """The private key that signs now."""
        return self._current()[1]

    @property
    def key_id(self) -> str:
        """The name of that key, in `kid`."""
        return self._current()[0]

    def _current(self) -> tuple[str, RSAPrivateKey]:
        with self._lock:
            if self._pair is None:
                key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
                self._pair = secrets.token_hex(8), key
            return self._pair

    def rotate(self) -> None:
        """Let the next token be signed with a new key, and publish that one only."""
        with self._lock:
            self._pair = None

    @property
    def jwks(self) -> dict[str, Any]:
        """The document at the provider's jwks_uri (RFC 7517 section 5)."""
        key_id, key = self._current()
        public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": key_id, "alg": "RS256", "use": "sig"}]}

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """Return a token with these claims; header: names and values to add or change."""
        key_id, key = self._current()
        header = {"kid": key_id, **header}
        payload = json.dumps(dict(claims)).encode()
        return PyJWS().encode(payload, key, "RS256", headers=header)

    def issue(self, *, now: float, access_token: str, **claims: Any) -> str | None:
        """
        Return the ID token to send along with an access token, if any.

        now: seconds since the epoch. claims: who is meant, for whom; those that are None
        are left out.
        """
        moment = int(now)
        right = {
            **claims,
            "iat": moment,
            "exp": moment + self.lifetime,
            "at_hash": half_hash(access_token),
            **self.claims,
        }
        kept = {name: value for name, value in right.items() if value is not None}
        return self.sign(kept) if self.make is None else self.make(kept)


def half_hash(access_token: str) -> str:
    """Return at_hash for RS256 (OpenID Connect Core section 3.1.3.6)."""
    digest = hashlib.sha256(access_token.encode()).digest()
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
