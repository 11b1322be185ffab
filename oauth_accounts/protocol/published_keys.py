"""What a provider publishes at its jwks_uri; signatures are none of its business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oauth_accounts.protocol.documents import fetch_document

MAX_KEYS = 100


def read_keys(uri: str) -> tuple[Mapping[str, Any], ...] | None:
    """
    Return the keys that could verify a signature, None when there is no list of keys.

    uri: the provider's jwks_uri. Raises ProviderMisconfigured when the address is
    refused, ProviderUnavailable when no complete answer came.
    """
    keys = (fetch_document(uri) or {}).get("keys")
    if not isinstance(keys, list):
        return None
    return tuple(key for key in keys[:MAX_KEYS] if _is_usable(key))


def _is_usable(key: Any) -> bool:
    """Say whether something is a public key for signatures."""
    # Whoever publishes a private key ("d") has signed with it for the last time.
    return isinstance(key, dict) and "d" not in key and key.get("use", "sig") == "sig"
