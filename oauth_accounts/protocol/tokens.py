"""TokenSet: what a token endpoint handed out, read without ever raising."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from oauth_accounts.fields import Secret
from oauth_accounts.protocol.answers import read_object

MAX_LIFETIME = 365 * 86_400
MAX_REFRESH_TOKEN_LIFETIME = 10 * MAX_LIFETIME
MAX_TOKEN_LENGTH = 65_536
MAX_RAW_BODY = 65_536
MAX_SCOPES = 500

# RFC 6749 appendix A.12: VSCHAR. A blank at an end would not survive in a header.
_ACCESS_TOKEN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_SCOPE = re.compile(r"[!-~]{1,500}")
_TOKEN_TYPE = re.compile(r"[A-Za-z0-9._:/-]{1,40}")
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    issued_at: datetime
    """The moment the request was sent, UTC: lifetimes count from here."""
    access_token: Secret | None = None
    """None when there is a problem with it."""
    refresh_token: Secret | None = None
    """None when the answer had none: keep the old one (RFC 6749 section 6)."""
    id_token: Secret | None = None
    """As received."""
    id_token_is_verified: bool = False
    """False: good for nothing but to find a contradiction; it is not stored."""
    token_type: str = ""
    """"Bearer", or the foreign type that was refused."""
    scopes: tuple[str, ...] | None = None
    """Granted scopes; None when the answer named none."""
    expires_in: int | None = None
    """Seconds, 0 to one year."""
    refresh_token_expires_in: int | None = None
    """Seconds, 1 to ten years."""
    problem: str | None = None
    """Why the access token must not be used: unparsable, missing_access_token,
    invalid_access_token, token_type."""
    raw_body: Secret | None = None
    """The unparsable answer, cut to 64 kB, to be sealed for recovery."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Members a provider's quirk keeps; never a secret."""

    @property
    def usable(self) -> bool:
        return self.problem is None


def parse_token_answer(
    body: bytes, *, issued_at: datetime, scope_separator: str = " "
) -> TokenSet:
    """
    Read a successful answer of a token endpoint (RFC 6749 section 5.1).

    By now the provider may have rotated the refresh token, so nothing in here may
    raise, whatever the bytes: what cannot be used is left out or named in `problem`.
    A server-sent `expires_at` is ignored: it is in the server's clock and zone.

    issued_at: the moment the request was sent, UTC.
    scope_separator: what the provider puts between scopes.
    """
    document = read_object(body)
    if document is None:
        text = body[:MAX_RAW_BODY].decode("utf-8", "backslashreplace")
        raw_body = Secret(text[:MAX_RAW_BODY]) if text else None
        return TokenSet(issued_at=issued_at, problem="unparsable", raw_body=raw_body)
    problem = _problem(document)
    return TokenSet(
        issued_at=issued_at,
        access_token=None if problem else _secret(document.get("access_token")),
        refresh_token=_secret(document.get("refresh_token")),
        id_token=_secret(document.get("id_token")),
        token_type=_token_type(document.get("token_type")),
        scopes=_scopes(document.get("scope"), scope_separator),
        expires_in=_lifetime(document.get("expires_in"), MAX_LIFETIME),
        # 0 is how some servers say "never": a refresh token born dead makes no sense.
        refresh_token_expires_in=_lifetime(
            document.get("refresh_token_expires_in"), MAX_REFRESH_TOKEN_LIFETIME
        )
        or None,
        problem=problem,
    )


def _problem(document: Mapping[str, Any]) -> str | None:
    token = document.get("access_token")
    if token is None or token == "":
        return "missing_access_token"
    if not isinstance(token, str) or len(token) > MAX_TOKEN_LENGTH:
        return "invalid_access_token"
    if not _ACCESS_TOKEN.fullmatch(token):
        return "invalid_access_token"
    # RFC 6749 section 7.1: a client MUST NOT use a token of a type it does not know.
    if _token_type(document.get("token_type")) != "Bearer":
        return "token_type"
    return None


def _secret(value: object) -> Secret | None:
    if not isinstance(value, str) or not value:
        return None
    # Lone surrogates (JSON allows "\ud800") can be neither stored nor sent.
    if not value.isascii() and value.encode("utf-8", "replace").decode() != value:
        return None
    return Secret(value)


def _token_type(value: object) -> str:
    if not isinstance(value, str) or not _TOKEN_TYPE.fullmatch(value):
        return ""
    return "Bearer" if value.lower() == "bearer" else value


def _scopes(value: object, separator: str) -> tuple[str, ...] | None:
    if isinstance(value, str):
        parts: list[Any] = _split(value, separator)
    elif isinstance(value, list):
        parts = value
    else:
        return None
    # RFC 6749 section 3.3 allows printable ASCII only; the rest would break columns.
    valid = (p for p in parts if isinstance(p, str) and _SCOPE.fullmatch(p))
    return tuple(dict.fromkeys(valid))[:MAX_SCOPES]


def _split(text: str, separator: str) -> list[str]:
    words = text.split()
    # A single word with commas is a list: some ask with blanks and answer with commas.
    if separator.strip():
        return [part for word in words for part in word.split(separator)]
    return words[0].split(",") if len(words) == 1 else words


def _lifetime(value: object, maximum: int) -> int | None:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An integer too long to convert is infinite by now.
    if isinstance(value, float) and not (value.is_integer() or math.isinf(value)):
        return None
    return int(max(0, min(value, maximum)))
