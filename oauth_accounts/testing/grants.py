"""What the fake provider remembers: authorization codes, grants and their tokens."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

# RFC 6749 section 4.1.2 recommends ten minutes at most; nobody here is that slow.
CODE_SECONDS = 60


class Refusal(Exception):
    """An OAuth error response (RFC 6749 section 5.2): code, then HTTP status."""

    def __init__(self, error: str, status: int = 400, reason: str = "") -> None:
        super().__init__(error, status, reason)
        self.error = error
        self.status = status
        self.reason = reason


@dataclass(kw_only=True, eq=False)
class Grant:
    """What one user allowed once: a family of tokens that lives and dies together."""

    subject: str
    """The user at the provider."""
    scopes: tuple[str, ...]
    """Scopes granted."""
    nonce: str | None = None
    """That the client sent along, for the ID token."""
    alive: bool = True
    """False once revoked, or after a refresh token was replayed."""
    access_tokens: list[str] = field(default_factory=list, repr=False)
    """Every access token issued, oldest first."""
    refresh_tokens: list[str] = field(default_factory=list, repr=False)
    """Every refresh token issued, oldest first; the last one is current."""


@dataclass(kw_only=True, eq=False)
class AccessToken:
    grant: Grant
    scopes: tuple[str, ...]
    expires_at: float
    revoked: bool = False


@dataclass(kw_only=True, eq=False)
class RefreshToken:
    grant: Grant
    superseded_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class AuthorizationCode:
    subject: str
    scopes: tuple[str, ...]
    redirect_uri: str
    challenge: str
    expires_at: float
    nonce: str | None = None


def s256(verifier: str) -> str:
    """Return the code challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class GrantBook:
    """
    Codes, grants and tokens of one provider; every method is atomic.

    clock: returns seconds since the epoch; tests may move it.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.replays = 0
        self.grants: list[Grant] = []
        self._lock = threading.RLock()
        self._codes: dict[str, AuthorizationCode] = {}
        self._redeemed: dict[str, Grant] = {}
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}

    def add_code(
        self,
        subject: str,
        scopes: Iterable[str],
        redirect_uri: str,
        challenge: str,
        nonce: str | None = None,
    ) -> str:
        """Return a new code for what the user has just allowed."""
        code = f"code-{secrets.token_hex(16)}"
        with self._lock:
            self._codes[code] = AuthorizationCode(
                subject=subject,
                scopes=tuple(scopes),
                redirect_uri=redirect_uri,
                challenge=challenge,
                expires_at=self.clock() + CODE_SECONDS,
                nonce=nonce,
            )
        return code

    def redeem(self, code: str, redirect_uri: str, verifier: str) -> Grant:
        """
        Return the new grant of a code, which is used up even when this refuses.

        Raises Refusal; a second use ends the first one's grant (RFC 6749 section 4.1.2).
        """
        with self._lock:
            spent = self._redeemed.get(code)
            if spent is not None:
                spent.alive = False
            known = self._codes.pop(code, None)
            if known is None or known.expires_at <= self.clock():
                raise Refusal("invalid_grant", reason="code")
            if known.redirect_uri != redirect_uri:
                raise Refusal("invalid_grant", reason="redirect_uri")
            if s256(verifier) != known.challenge:
                raise Refusal("invalid_grant", reason="code_verifier")
            grant = self._redeemed[code] = self.add_grant(known.subject, known.scopes)
            grant.nonce = known.nonce
            return grant

    def add_grant(self, subject: str, scopes: Iterable[str]) -> Grant:
        """Return a new grant that has no tokens yet."""
        grant = Grant(subject=subject, scopes=tuple(scopes))
        with self._lock:
            self.grants.append(grant)
        return grant

    def add_access_token(
        self, grant: Grant, lifetime: float, scopes: tuple[str, ...] | None = None
    ) -> str:
        """Return a new access token of a grant; lifetime in seconds."""
        token = f"at-{secrets.token_hex(20)}"
        with self._lock:
            self._access[token] = AccessToken(
                grant=grant,
                scopes=grant.scopes if scopes is None else scopes,
                expires_at=self.clock() + lifetime,
            )
            grant.access_tokens.append(token)
        return token

    def add_refresh_token(self, grant: Grant) -> str:
        """Return a new refresh token of a grant, now its current one."""
        token = f"rt-{secrets.token_hex(20)}"
        with self._lock:
            self._refresh[token] = RefreshToken(grant=grant)
            grant.refresh_tokens.append(token)
        return token

    def present(self, refresh_token: str, grace: float) -> Grant:
        """
        Return the grant that a refresh token stands for.

        grace: seconds for which a superseded token is still taken.
        Raises Refusal; a replay beyond the grace ends the family (RFC 9700 section 4.14.2).
        """
        with self._lock:
            known = self._refresh.get(refresh_token)
            if known is None:
                raise Refusal("invalid_grant")
            superseded = known.superseded_at
            if superseded is not None and self.clock() >= superseded + grace:
                self.replays += 1
                known.grant.alive = False
            if not known.grant.alive:
                raise Refusal("invalid_grant")
            return known.grant

    def rotate(self, refresh_token: str, grace: float) -> tuple[Grant, str]:
        """Supersede a refresh token; return its grant and the successor."""
        with self._lock:
            grant = self.present(refresh_token, grace)
            known = self._refresh[refresh_token]
            if known.superseded_at is None:
                known.superseded_at = self.clock()
            return grant, self.add_refresh_token(grant)

    def bearer(self, access_token: str) -> AccessToken | None:
        """Return what an access token stands for, or None when it is dead."""
        with self._lock:
            known = self._access.get(access_token)
            if known is None or known.revoked or not known.grant.alive:
                return None
            return known if known.expires_at > self.clock() else None

    def is_live(self, token: str) -> bool:
        """Tell whether a token, access or refresh, would be taken now."""
        with self._lock:
            known = self._refresh.get(token)
            if known is None:
                return self.bearer(token) is not None
            return known.grant.alive and known.superseded_at is None

    def revoke(self, token: str) -> None:
        """End a token; a refresh token takes its whole family along (RFC 7009 section 2.1)."""
        with self._lock:
            if token in self._refresh:
                self._refresh[token].grant.alive = False
            elif token in self._access:
                self._access[token].revoked = True

    def expire(self, access_token: str) -> None:
        """Let the lifetime of an access token be over now."""
        with self._lock:
            self._access[access_token].expires_at = self.clock()
