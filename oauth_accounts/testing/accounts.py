"""Connected accounts as if a provider had just answered, for factories and fixtures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from oauth_accounts import clock
from oauth_accounts.fields import Secret
from oauth_accounts.protocol.tokens import TokenSet

if TYPE_CHECKING:
    from oauth_accounts.models import ConnectedAccount


def give_tokens(
    account: ConnectedAccount,
    *,
    access_token: str,
    refresh_token: str | None,
    expires_in: int | None,
    age: float = 0,
    scopes: Sequence[str] | None = None,
) -> None:
    """
    Put tokens on an account that is not saved yet, sealed as the engine does it.

    expires_in: the token's life in seconds, counted from its issue; None for unknown.
    age: seconds since its issue. scopes: those granted; None for unknown.
    """
    issued_at = clock.utcnow() - timedelta(seconds=age)
    tokens = TokenSet(
        issued_at=issued_at,
        access_token=Secret(access_token),
        refresh_token=None if refresh_token is None else Secret(refresh_token),
        token_type="Bearer",
        expires_in=expires_in,
        scopes=None if scopes is None else tuple(scopes),
    )
    for name, value in account.token_values(tokens).items():
        setattr(account, name, value)
    account.last_refreshed_at = issued_at
