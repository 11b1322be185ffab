"""Makes ID tokens with any header, any claims and any key."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

from jwt import PyJWS
from jwt.algorithms import get_default_algorithms


def encode(value: Any) -> str:
    """Return one part of a token: bytes as they are, anything else as JSON."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def sign(key: Any, claims: Any, algorithm: str = "RS256", **header: Any) -> str:
    """Return a token that was signed as said, whether that makes sense or not."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return PyJWS().encode(payload, key, algorithm, headers=header)


def sign_by_hand(key: Any, header: dict[str, Any], payload: bytes) -> str:
    """Return a token with exactly this header, signed by its `alg`."""
    text = f"{encode(header)}.{encode(payload)}"
    algorithm = get_default_algorithms()[header["alg"]]
    return f"{text}.{encode(algorithm.sign(text.encode(), key))}"
