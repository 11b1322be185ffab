"""
The keys that providers sign ID tokens with: fetched when needed, and kept for a while.

They are public, so the memory of the process is good enough a place. A provider is asked at
most once a minute, whatever tokens name.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from jwt import PyJWK, PyJWTError

from oauth_accounts.exceptions import AuthorizationError, ProviderUnavailable
from oauth_accounts.protocol.published_keys import read_keys

# A key that a provider has taken back is not used for longer (seconds).
FRESH_SECONDS = 3600.0
REFETCH_SECONDS = 60.0
MAX_PROVIDERS = 100

# RFC 7518 section 6, RFC 8037: the kind of key that an algorithm works with.
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class KeySet:
    """
    What one provider has published.

    uri: its jwks_uri.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._lock = threading.Lock()
        self._keys: tuple[Mapping[str, Any], ...] = ()
        self._read_at: float | None = None
        self._asked_at: float | None = None

    @property
    def is_fresh(self) -> bool:
        """Say whether the keys that are known may be used."""
        return _within(self._read_at, FRESH_SECONDS)

    def find(self, algorithm: str, key_id: str | None) -> PyJWK | None:
        """Return the one key for an algorithm that has this ID; None names none."""
        if not self.is_fresh:
            return None
        fitting = [
            key
            for key in self._keys
            if key_id in (None, key.get("kid")) and _fits(key, algorithm)
        ]
        # OpenID Connect Core section 10.1: with several keys a token has to name one.
        return _load(fitting[0], algorithm) if len(fitting) == 1 else None

    def ask(self) -> None:
        """
        Read the keys again, unless somebody has just done so.

        Raises ProviderMisconfigured when the address is refused.
        """
        with self._lock:
            if _within(self._asked_at, REFETCH_SECONDS):
                return
            started = monotonic()
            try:
                keys = read_keys(self.uri)
            except ProviderUnavailable:
                keys = None
            self._asked_at = started
            if keys is not None:
                self._keys, self._read_at = keys, started

    def seconds_until_asked(self) -> float:
        """Return how long the keys that are known, or none, have to do."""
        waited = monotonic() - (self._asked_at or 0.0)
        return max(1.0, REFETCH_SECONDS - waited)


_sets: dict[str, KeySet] = {}
# A lock that another thread holds at the fork would stay locked in the child.
os.register_at_fork(after_in_child=_sets.clear)


def find_key(uri: str, *, algorithm: str, key_id: str | None) -> PyJWK:
    """
    Return the key that a token says it was signed with.

    uri: the provider's jwks_uri; the token has no say in it. algorithm: one of those that
    are allowed. key_id: `kid` of the token, None where it names none.

    Raises AuthorizationError "id_token_key" when the provider has no such key,
    ProviderUnavailable "keys_unavailable" when its keys could not be read,
    ProviderMisconfigured when the address is refused.
    """
    keys = key_set(uri)
    key = keys.find(algorithm, key_id)
    if key is None:
        keys.ask()
        key = keys.find(algorithm, key_id)
    if key is not None:
        return key
    if keys.is_fresh:
        raise AuthorizationError("id_token_key")
    wait = keys.seconds_until_asked()
    raise ProviderUnavailable("keys_unavailable", retry_after=wait)


def key_set(uri: str) -> KeySet:
    """Return what this process knows of a provider's keys, perhaps nothing yet."""
    if uri not in _sets and len(_sets) >= MAX_PROVIDERS:
        # Whoever changes addresses a hundred times fetches some keys anew.
        _sets.clear()
    return _sets.setdefault(uri, KeySet(uri))


def _within(moment: float | None, seconds: float) -> bool:
    return moment is not None and monotonic() - moment < seconds


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    kind, own = key.get("kty"), key.get("alg", algorithm)
    return (kind, own) == (_KINDS[algorithm[:2]], algorithm)


def _load(key: Mapping[str, Any], algorithm: str) -> PyJWK | None:
    try:
        return PyJWK(dict(key), algorithm)
    except (PyJWTError, UnsupportedAlgorithm):
        return None
