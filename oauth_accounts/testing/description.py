"""What a fake provider is: its addresses, its rules, and what it has done so far."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from oauth_accounts.testing.client_check import ClientAuth
from oauth_accounts.testing.grants import Grant, GrantBook
from oauth_accounts.testing.id_tokens import IdTokens

JWKS_PATH = "/jwks/"
# Tokens that never expire are given this many seconds.
_FOR_EVER = 10 * 365 * 24 * 3600


class ProviderDescription:
    """What the provider is set to do; every attribute may be changed at any time."""

    issuer: str = ""
    """Identifier of the server and beginning of all its addresses."""
    subject: str = "alice"
    """The user who is sitting at GET /authorize."""
    deny: bool = False
    """True: that user says no."""
    scopes: Sequence[str] = ("read", "write")
    """Scopes granted where the client asks for none."""
    redirect_uris: Sequence[str] | None = None
    """Redirect URIs registered, compared exactly; None takes any."""
    token_endpoint_auth_method: ClientAuth = "client_secret_basic"
    """The one way in which the client may authenticate."""
    expires_in: float | None = 3600
    """Lifetime of access tokens in seconds; None leaves it out of the answer."""
    rotate: bool = True
    """True: each refresh token works once and a replay ends the grant."""
    grace: float = 0
    """Seconds for which a superseded refresh token is still taken."""

    def __init__(self) -> None:
        self.client_id = f"client-{secrets.token_hex(4)}"
        # Characters that HTTP Basic carries only when form-urlencoded first.
        self.client_secret = f"secret:%+ é-{secrets.token_hex(16)}"
        self.profiles: dict[str, dict[str, Any]] = {}
        self.book = GrantBook()
        self.id_tokens = IdTokens()
        self._revoked: list[str] = []

    # -- addresses ---------------------------------------------------------------

    @property
    def authorization_endpoint(self) -> str:
        return f"{self.issuer}/authorize"

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/token"

    @property
    def revocation_endpoint(self) -> str:
        return f"{self.issuer}/revoke"

    @property
    def userinfo_endpoint(self) -> str:
        return f"{self.issuer}/userinfo"

    @property
    def jwks_uri(self) -> str:
        # Clients keep keys by their address, and a later provider may get the same port.
        return f"{self.issuer}{JWKS_PATH}{self.id_tokens.name}"

    @property
    def api_base_url(self) -> str:
        return f"{self.issuer}/api/"

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata document (RFC 8414 section 2)."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.authorization_endpoint,
            "token_endpoint": self.token_endpoint,
            "revocation_endpoint": self.revocation_endpoint,
            "userinfo_endpoint": self.userinfo_endpoint,
            "jwks_uri": self.jwks_uri,
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [self.token_endpoint_auth_method],
            "authorization_response_iss_parameter_supported": True,
        }

    # -- what tests look at ------------------------------------------------------

    @property
    def grants(self) -> list[Grant]:
        """Every grant there ever was, oldest first."""
        return list(self.book.grants)

    @property
    def replays(self) -> int:
        """Number of refresh tokens presented after they had been superseded."""
        return self.book.replays

    @property
    def revoked(self) -> list[str]:
        """Tokens that the client asked to revoke, in order."""
        return list(self._revoked)

    def is_live(self, token: str) -> bool:
        """Tell whether a token, access or refresh, would be taken now."""
        return self.book.is_live(token)

    def issue(
        self,
        subject: str = "alice",
        expires_in: float | None = None,
        scopes: Sequence[str] | None = None,
    ) -> tuple[str, str]:
        """
        Return an access and a refresh token granted outside the flow, to seed accounts.

        expires_in: lifetime in seconds, 0 or less for one that is over; None as usual.
        """
        lifetime = self.lifetime if expires_in is None else expires_in
        grant = self.book.add_grant(subject, self.scopes if scopes is None else scopes)
        access_token = self.book.add_access_token(grant, lifetime)
        return access_token, self.book.add_refresh_token(grant)

    @property
    def lifetime(self) -> float:
        """Seconds that a new access token really lives."""
        return _FOR_EVER if self.expires_in is None else self.expires_in
