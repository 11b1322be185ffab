"""
The error tree. Each leaf is named for what the caller should do about it.

OAuthAccountsError
├── AuthorizationError          the connect flow did not end in an account
│   ├── InvalidState            stale, replayed or foreign callback: start again
│   ├── AuthorizationDenied     the user or the provider said no
│   ├── IdentityMismatch        reconnect answered for somebody else
│   └── AccountInUse            the remote account belongs to another owner
└── TokenError                  no token can be handed out
    ├── ReauthRequired          ask the user to connect again
    ├── ProviderUnavailable     try again later
    ├── ProviderMisconfigured   a person has to change the configuration
    ├── TokenUndecryptable      the key is missing or the ciphertext was moved
    └── RefreshInTransaction    call again outside the transaction

Messages are fixed texts: nothing a provider or a browser sent gets into one.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal

Recovery = Literal["retry", "reauth", "configure", "none"]

# RFC 6749 section 5.2: error codes are printable ASCII. Anything longer or stranger
# than the registered ones is not worth showing and may carry a secret.
_PROVIDER_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")


def clean_provider_code(value: object) -> str | None:
    """Return an OAuth error code that is safe to store and to show, or None."""
    if isinstance(value, str) and _PROVIDER_CODE.match(value):
        return value
    return None if value is None else "unknown"


class OAuthAccountsError(Exception):
    """
    Base of all errors of this app; do not raise directly.

    code: stable reason, one of those in the documentation of the class.
    recovery: what helps: "retry", "reauth", "configure" or "none".
    retry_after: seconds to wait before the next try, when that is known.
    provider_code: the provider's own error code (RFC 6749 section 5.2), cleaned.
    next_path: where its user was to go after connecting, on this site; empty if unknown.
    """

    next_path: str = ""
    code: str = "error"
    recovery: Recovery = "none"
    message: ClassVar[str] = "The operation failed."

    def __init__(
        self,
        code: str | None = None,
        *,
        retry_after: float | None = None,
        provider_code: str | None = None,
    ) -> None:
        if code is not None:
            self.code = code
        self.retry_after = retry_after
        self.provider_code = clean_provider_code(provider_code)
        super().__init__(self.code)

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"


class AuthorizationError(OAuthAccountsError):
    """The authorisation did not end in a connected account."""

    code = "authorization_failed"
    recovery: Recovery = "reauth"
    message = "The account could not be connected."


class InvalidState(AuthorizationError):
    """The callback does not belong to an authorisation that is under way here."""

    code = "invalid_state"
    message = "This authorisation is unknown, has expired or was already used."


class AuthorizationDenied(AuthorizationError):
    """The provider ended the authorisation with an error response."""

    code = "access_denied"
    message = "The provider did not grant access."


class IdentityMismatch(AuthorizationError):
    """A reconnect was answered by another account at the provider."""

    code = "identity_mismatch"
    message = "The provider answered for a different account."


class AccountInUse(AuthorizationError):
    """The provider allows each of its accounts one owner, and it has one."""

    code = "account_in_use"
    recovery: Recovery = "none"
    message = "This account is already connected by somebody else."


class TokenError(OAuthAccountsError):
    """No usable token can be handed out."""

    code = "token_error"
    message = "No usable token is available."


class ReauthRequired(TokenError):
    """The grant is gone: only the user can bring it back, by connecting again."""

    code = "invalid_grant"
    recovery: Recovery = "reauth"
    message = "The connection has to be authorised again by its owner."


class ProviderUnavailable(TokenError):
    """The provider could not answer now; `retry_after` says when to ask again."""

    code = "unavailable"
    recovery: Recovery = "retry"
    message = "The provider is not available at the moment."


class ProviderMisconfigured(TokenError):
    """The provider, or our record of it, needs a person to change something."""

    code = "misconfigured"
    recovery: Recovery = "configure"
    message = "The provider refused this client or is not configured correctly."


class TokenUndecryptable(TokenError):
    """The sealed value does not open with any key of FERNET_KEYS, or not in this place."""

    code = "undecryptable"
    recovery: Recovery = "configure"
    message = "The stored token cannot be decrypted with the configured keys."


class RefreshInTransaction(TokenError):
    """A refresh is needed, but a rollback of the caller's transaction would lose it."""

    code = "refresh_in_transaction"
    recovery: Recovery = "retry"
    message = (
        "The token has to be refreshed, which cannot be done inside this transaction. "
        "Ask for the token before the transaction begins."
    )
