"""Primary keys of the demo data, the same on every site; may be imported without Django."""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.UUID("9d3c2f0a-5c7e-4a51-8f6b-2f7f0a1e1842")


def account_key(case: str) -> uuid.UUID:
    """Return the primary key of the account of a case."""
    return uuid.uuid5(_NAMESPACE, f"account {case}")


def provider_key(slug: str) -> uuid.UUID:
    """Return the primary key of a made-up provider."""
    return uuid.uuid5(_NAMESPACE, f"provider {slug}")
