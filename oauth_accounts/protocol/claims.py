"""What ID tokens say, before any of it is believed."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

from oauth_accounts.fields import Secret
from oauth_accounts.frames import without_frames
from oauth_accounts.protocol.answers import read_object

# Beyond this nobody looks inside (a size that Authlib has too, since 1.6.5).
MAX_LENGTH = 32_768


def read_part(part: str) -> dict[str, Any] | None:
    """Return the JSON object in one part of a token, or None when there is none."""
    try:
        return read_object(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error):
        return None


@without_frames
def unverified_claims(id_token: Secret | None) -> dict[str, Any]:
    """Return what an ID token says; nothing when there is none, or it cannot be read."""
    text = id_token.get_value() if id_token is not None else ""
    parts = text.split(".") if len(text) <= MAX_LENGTH else []
    return read_part(parts[1]) or {} if len(parts) == 3 else {}


def is_continued(first: Mapping[str, Any], later: Mapping[str, Any]) -> bool:
    """
    Say whether the ID token of a refresh may follow the first one.

    OpenID Connect Core section 12.2: the same issuer and subject, the first one's audience
    among its own, and the same nonce, where there is one. No signature is needed for that:
    the later one is good enough to refuse, and only to refuse.

    first: claims, brought up to date. later: claims; a token that has none says nothing.
    """
    if not later:
        return True
    if any(later.get(name) != first.get(name) for name in ("iss", "sub")):
        return False
    if not _audience(first) <= _audience(later):
        return False
    return later.get("nonce") in (None, first.get("nonce"))


def _audience(claims: Mapping[str, Any]) -> set[str]:
    audience = claims.get("aud")
    names = audience if isinstance(audience, list) else [audience]
    return {name for name in names if isinstance(name, str)}
