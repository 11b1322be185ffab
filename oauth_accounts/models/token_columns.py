"""From a provider's answer to the columns of an account."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from oauth_accounts import clock, fields, keyring, schedule
from oauth_accounts.exceptions import TokenError
from oauth_accounts.fields import SEALED_FIELDS

if TYPE_CHECKING:
    from oauth_accounts.fields import Sealed, Secret
    from oauth_accounts.models.account import ConnectedAccount
    from oauth_accounts.protocol.tokens import TokenSet


def token_columns(account: ConnectedAccount, tokens: TokenSet) -> dict[str, Any]:
    """
    Return the columns to write, tokens sealed.

    A refresh token that the answer leaves out is kept (RFC 6749 section 6). An answer
    without a usable access token still brings its refresh token, which may be the only
    one that works from now on. An ID token that nobody has verified is left out.
    """
    columns: dict[str, Any] = {**_sealed(account, refresh_token=tokens.refresh_token)}
    if tokens.refresh_token is not None:
        columns["refresh_token_expires_at"] = _after(
            tokens.issued_at, tokens.refresh_token_expires_in
        )
    if not tokens.usable:
        key = _resealed(account, columns) if columns else {}
        return {**columns, **_failure(account, tokens), **key}
    columns |= _sealed(account, access_token=tokens.access_token)
    if tokens.id_token_is_verified:
        columns |= _sealed(account, id_token=tokens.id_token)
    if tokens.scopes is not None:
        columns["scopes"] = list(tokens.scopes)
    return {
        **columns,
        **_success(account, tokens, columns),
        **_resealed(account, columns),
    }


def _success(
    account: ConnectedAccount, tokens: TokenSet, columns: dict[str, Any]
) -> dict[str, Any]:
    expires_at = schedule.expiry(tokens, account.provider.default_lifetime)
    granted = columns.get("scopes", account.scopes)
    narrowed = granted is not None and set(account.requested_scopes) - set(granted)
    return {
        "token_type": tokens.token_type,
        "issued_at": tokens.issued_at,
        "expires_at": expires_at,
        "last_refreshed_at": clock.utcnow(),
        "status_reason": "scopes_narrowed" if narrowed else "",
        "last_error": "",
        "failure_count": 0,
        "refresh_due_at": schedule.due_at(
            account.provider,
            issued_at=tokens.issued_at,
            expires_at=expires_at,
            has_refresh_token="refresh_token" in columns
            or account.refresh_token is not None,
            refresh_token_expires_at=columns.get(
                "refresh_token_expires_at", account.refresh_token_expires_at
            ),
        ),
    }


def _failure(account: ConnectedAccount, tokens: TokenSet) -> dict[str, Any]:
    wait = timedelta(seconds=schedule.backoff(account.failure_count))
    return {
        "status_reason": "retrying",
        "last_error": tokens.problem or "bad_answer",
        "failure_count": account.failure_count + 1,
        "refresh_due_at": clock.utcnow() + wait,
    }


def _sealed(account: ConnectedAccount, **secrets: Secret | None) -> dict[str, Sealed]:
    return {
        name: fields.seal(secret, account.sealing_context(name))
        for name, secret in secrets.items()
        if secret is not None
    }


def _resealed(account: ConnectedAccount, columns: dict[str, Any]) -> dict[str, Any]:
    """Bring the columns that stay under the newest key too: a row has one key id."""
    key_id = keyring.current_key_id()
    if account.key_id == key_id:
        # Named all the same: a rotation of keys may have written another one meanwhile.
        return {"key_id": key_id}
    if account.pinned_api_base_url is not None:
        # Sealed too, and none of a refresh's business: rotate-keys brings both along.
        return {}
    try:
        kept = {
            name: account.reveal(name) for name in SEALED_FIELDS if name not in columns
        }
    except TokenError:
        # What does not open now must stay as it is; the row keeps its old key id.
        return {}
    return {**_sealed(account, **kept), "key_id": key_id}


def _after(moment: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else moment + timedelta(seconds=seconds)
