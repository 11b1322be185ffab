"""FERNET_KEYS as validated keys with ids; the only place that encrypts or decrypts."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from string import ascii_letters, digits
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from fernet_fields.hkdf import derive_fernet_key

from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.frames import without_frames

MIN_KEY_LENGTH = 32
# A key of random bytes in hex has up to 16 different characters; one typed by hand,
# or the same letter held down, rarely reaches half of that.
MIN_DISTINCT_CHARACTERS = 8
_ALPHABET = f"{ascii_letters}{digits}-_".encode()


@dataclass(frozen=True)
class Keyring:
    """Keys ready for use: the first one writes, every one reads."""

    fernets: tuple[Fernet, ...]
    ids: tuple[str, ...]
    reader: MultiFernet
    orders: Mapping[str, tuple[Fernet, ...]]
    """All keys, by the id of the one to try first."""
    digest_key: bytes = field(repr=False)
    """What fingerprints are made with; of the newest key, and not the key itself."""

    @property
    def current_id(self) -> str:
        return self.ids[0]

    def id_of(self, ciphertext: bytes) -> str | None:
        """Return the id of the key that opens the ciphertext, or None."""
        if not _is_canonical(ciphertext):
            return None
        for key_id, fernet in zip(self.ids, self.fernets, strict=True):
            try:
                fernet.decrypt(ciphertext)
            except InvalidToken:
                continue
            return key_id
        return None

    @without_frames
    def reseal(self, ciphertext: bytes, likely: str = "") -> bytes:
        """
        Return the same value under the newest key, as it is when it is under it already.

        likely: id of the key to try first. What is inside is not looked at, and so stays
            bound to its place.

        Raises TokenUndecryptable when no key opens it.
        """
        order = self.orders.get(likely, self.fernets)
        newest = self.fernets[0]
        for fernet in order if _is_canonical(ciphertext) else ():
            try:
                plaintext = fernet.decrypt(ciphertext)
            except InvalidToken:
                continue
            return ciphertext if fernet is newest else newest.encrypt(plaintext)
        raise TokenUndecryptable


def seal(plaintext: bytes) -> bytes:
    """Encrypt under the newest key and return a Fernet token."""
    return current().fernets[0].encrypt(plaintext)


def open_sealed(ciphertext: bytes) -> bytes:
    """
    Decrypt a Fernet token with any configured key.

    Raises TokenUndecryptable when no key opens it.
    """
    ring = current()
    with suppress(InvalidToken):
        if _is_canonical(ciphertext):
            return ring.reader.decrypt(ciphertext)
    # Raised outside the except block: no traceback carries the ciphertext along.
    raise TokenUndecryptable


def _is_canonical(ciphertext: bytes) -> bool:
    # Readers of base64 pass over what is none, and over the last bits of the last character.
    if len(ciphertext) % 4 or ciphertext[:-4].translate(None, _ALPHABET):
        return False
    end = ciphertext[-4:]
    try:
        return urlsafe_b64encode(urlsafe_b64decode(end)) == end
    except ValueError:
        return False


@without_frames
def fingerprint(secret: bytes, place: str) -> str:
    """
    Return eight hex digits that stay the same as long as a secret does, and tell nothing.

    They are keyed: who has no key of FERNET_KEYS cannot try out secrets against them. They
    change with the newest key. place: what the secret is for, so that equal secrets in two
    places do not look alike.
    """
    message = place.encode() + b"\0" + secret
    return hmac.new(current().digest_key, message, hashlib.sha256).hexdigest()[:8]


def key_id_of(ciphertext: bytes) -> str | None:
    """Return the id of the key that opens the ciphertext, or None."""
    return current().id_of(ciphertext)


def current_key_id() -> str:
    """Return the id of the key that new values are sealed with."""
    return current().current_id


def ids_at_hand() -> tuple[str, ...] | None:
    """Return the ids of the keys in force; None where FERNET_KEYS is wrong."""
    try:
        return tuple(current().ids)
    except ImproperlyConfigured:
        return None


def current() -> Keyring:
    """
    Return the keys in force now, read from settings on each call.

    Raises ImproperlyConfigured when FERNET_KEYS is missing or malformed.
    """
    keys = getattr(settings, "FERNET_KEYS", None)
    use_hkdf = bool(getattr(settings, "FERNET_USE_HKDF", True))
    if keys is None:
        if not settings.DEBUG:
            raise ImproperlyConfigured(
                "FERNET_KEYS is not set: the tokens of connected accounts cannot be "
                "encrypted. Set it to a list with one long random key."
            )
        return _build((settings.SECRET_KEY,), use_hkdf)
    if isinstance(keys, Sequence) and not isinstance(keys, str | bytes):
        # On the way of every token: looked at once, not at each call.
        with suppress(TypeError):  # what is no text may have no hash
            return _validated(tuple(keys), use_hkdf, settings.SECRET_KEY)
    raise ImproperlyConfigured(key_problems(keys)[0])


def key_problems(keys: Any) -> list[str]:
    """Return what is wrong with a value of FERNET_KEYS, without quoting any of it."""
    if isinstance(keys, str | bytes) or not isinstance(keys, Sequence):
        # A str is a sequence of one-letter keys for the field package.
        return ["FERNET_KEYS must be a list of keys, not a single value."]
    if not keys:
        return ["FERNET_KEYS is empty."]
    problems = [
        f"FERNET_KEYS[{position}] {problem}"
        for position, key in enumerate(keys)
        if (problem := _key_problem(key))
    ]
    if not problems and len({_as_bytes(key) for key in keys}) < len(keys):
        problems.append("FERNET_KEYS holds the same key twice.")
    return problems


def _key_problem(key: Any) -> str | None:
    if not isinstance(key, str | bytes):
        return "is not a str or bytes; is an environment variable unset?"
    if len(key) < MIN_KEY_LENGTH:
        return f"is shorter than {MIN_KEY_LENGTH} characters."
    if len(set(key)) < MIN_DISTINCT_CHARACTERS:
        return "repeats a few characters; use a random key."
    if _as_bytes(key) == _as_bytes(settings.SECRET_KEY):
        return "is SECRET_KEY; use a key of its own, so that either can be changed."
    if not getattr(settings, "FERNET_USE_HKDF", True) and not _is_fernet_key(key):
        return "is not a Fernet key, which FERNET_USE_HKDF = False requires."
    return None


def _is_fernet_key(key: str | bytes) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def _as_bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


@lru_cache(maxsize=8)
def _validated(
    keys: tuple[str | bytes, ...], use_hkdf: bool, secret_key: str | bytes
) -> Keyring:
    """Return what `current` returns; the arguments are all that it depends on."""
    if problems := key_problems(keys):
        raise ImproperlyConfigured(problems[0])
    return _build(keys, use_hkdf)


@lru_cache(maxsize=8)
def _build(keys: tuple[str | bytes, ...], use_hkdf: bool) -> Keyring:
    derived = [derive_fernet_key(key) if use_hkdf else _as_bytes(key) for key in keys]
    fernets = tuple(Fernet(key) for key in derived)
    ids = tuple(
        hmac.new(key, b"kid", hashlib.sha256).hexdigest()[:8] for key in derived
    )
    return Keyring(
        fernets=fernets,
        ids=ids,
        reader=MultiFernet(fernets),
        orders={
            key_id: (fernet, *(other for other in fernets if other is not fernet))
            for key_id, fernet in zip(ids, fernets, strict=True)
        },
        digest_key=hmac.new(derived[0], b"fingerprint", hashlib.sha256).digest(),
    )
