"""
What an outcome of a refresh does to the account and to its provider.

Dead grant: the account needs reauthorisation. Client refused: the provider is paused and no
account is marked. Anything that may pass: back-off. Each change of state is one conditional
UPDATE, one event and, after commit, one signal.
"""

from __future__ import annotations

import logging
import random
import uuid
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import F

from oauth_accounts import clock, signals
from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ReauthRequired,
    TokenError,
    TokenUndecryptable,
)
from oauth_accounts.schedule import backoff

if TYPE_CHECKING:
    from django.dispatch import Signal

    from oauth_accounts.models import ConnectedAccount

logger = logging.getLogger("oauth_accounts")

# A wrong configuration is not mended by asking again soon.
CONFIGURATION_BACKOFF_SECONDS = 3600.0
CLIENT_REFUSED_PAUSE_SECONDS = 900.0
RATE_LIMIT_PAUSE_SECONDS = 60.0
CLIENT_REFUSED = frozenset({"invalid_client", "unauthorized_client"})


def succeeded(
    account: ConnectedAccount,
    scopes_before: list[str] | None,
    failures_before: int,
) -> None:
    """Tell of a stored refresh: statistics, signals and events of what changed."""
    account.provider.refresh_statistics.record("success")
    announce(account, signals.tokens_refreshed)
    if failures_before:
        account.record_event("recovered")
        announce(account, signals.refresh_recovered)
    before, after = frozenset(scopes_before or ()), frozenset(account.scopes or ())
    if scopes_before is not None and before != after:
        account.record_event("scopes_changed")
        announce(
            account,
            signals.scopes_changed,
            added=after - before,
            removed=before - after,
        )


def failed(account: ConnectedAccount, lease: uuid.UUID, error: TokenError) -> None:
    """Record a failed call by what its error means."""
    result = "rate_limited" if error.code == "rate_limited" else "failure"
    account.provider.refresh_statistics.record(result, error.code)
    if isinstance(error, ReauthRequired):
        lost = account.status_reason == "outcome_unknown"
        reason = "rotation_lost" if lost else "invalid_grant"
        require_reauth(account, reason, lease=lease)
    elif error.code == "outcome_unknown":
        # The lease is kept to its end: the provider may still be at work on the request.
        _postpone(account, lease, error, "outcome_unknown", backoff(0) + 60, keep=True)
    elif error.code in CLIENT_REFUSED:
        _pause_provider(account, error.code)
        _postpone(account, lease, error, account.status_reason, backoff(3), count=0)
    elif error.code == "rate_limited":
        seconds = error.retry_after or RATE_LIMIT_PAUSE_SECONDS
        account.provider.pause(seconds, "rate_limited")
        _postpone(account, lease, error, "rate_limited", seconds + backoff(0))
    elif isinstance(error, ProviderMisconfigured):
        wait = max(CONFIGURATION_BACKOFF_SECONDS, backoff(account.failure_count))
        _postpone(account, lease, error, "retrying", wait)
    else:
        wait = max(backoff(account.failure_count), error.retry_after or 0)
        _postpone(account, lease, error, "retrying", wait)


def configuration_failed(account: ConnectedAccount, error: TokenError) -> None:
    """Record that no call could be made at all."""
    account.provider.refresh_statistics.record("failure", error.code)
    if error.code == "provider_changed":
        disable(account, "provider_changed")
        return
    # An undecryptable row is not marked: it recovers as it is when the key returns.
    wait = timedelta(seconds=CONFIGURATION_BACKOFF_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311
    if isinstance(error, TokenUndecryptable):
        wait = timedelta(seconds=backoff(3))
    _rows(account).filter(generation=account.generation, lease__isnull=True).filter(
        status=account.Status.ACTIVE
    ).update(refresh_due_at=clock.utcnow() + wait)


def _pause_provider(account: ConnectedAccount, code: str) -> None:
    if account.provider.pause(CLIENT_REFUSED_PAUSE_SECONDS, code):
        logger.error(
            "Provider %s refused this client (%s): check its client ID and secret. "
            "Its refreshes are paused.",
            account.provider.slug,
            code,
        )


def _postpone(
    account: ConnectedAccount,
    lease: uuid.UUID,
    error: TokenError,
    reason: str,
    seconds: float,
    *,
    keep: bool = False,
    count: int = 1,
) -> None:
    if account.status_reason == "outcome_unknown":
        # Stays until a refresh succeeds: it decides what an invalid_grant means.
        reason = "outcome_unknown"
    values: dict[str, Any] = {
        "status_reason": reason,
        "last_error": error.provider_code or error.code,
        "failure_count": F("failure_count") + count,
        "refresh_due_at": clock.utcnow() + timedelta(seconds=seconds),
        "attempt_started_at": None,
    }
    if not keep:
        values |= {"lease": None, "lease_until": None}
    rows = _rows(account).filter(lease=lease, status=account.Status.ACTIVE)
    first = account.failure_count == 0 and count
    if rows.update(**values) and first:
        account.record_event("refresh_failed", error.code)


def require_reauth(
    account: ConnectedAccount, reason: str, lease: uuid.UUID | None = None
) -> bool:
    """
    Mark the account as needing its owner; return False when its state moved meanwhile.

    reason: one of the reasons of `needs_reauth`. lease: of the failed refresh, if any.
    """
    rows = _rows(account).filter(
        generation=account.generation, status=account.Status.ACTIVE
    )
    if lease is not None:
        rows = rows.filter(lease=lease)
    changed = _change_state(
        account, rows, account.Status.NEEDS_REAUTH, reason, "reauth_required"
    )
    if changed:
        announce(account, signals.reauth_required, reason=reason)
    return changed


def disable(account: ConnectedAccount, reason: str, actor: Any = None) -> bool:
    """Stop using the account until it is enabled; its tokens are kept."""
    rows = _rows(account).exclude(
        status__in=(account.Status.REVOKED, account.Status.DISABLED)
    )
    return _change_state(
        account, rows, account.Status.DISABLED, reason, "disabled", actor
    )


def _change_state(
    account: ConnectedAccount,
    rows: Any,
    status: str,
    reason: str,
    kind: str,
    actor: Any = None,
) -> bool:
    with transaction.atomic(using=account.write_alias):
        changed = rows.update(
            status=status,
            status_reason=reason,
            refresh_due_at=None,
            lease=None,
            lease_until=None,
            attempt_started_at=None,
        )
        if changed:
            account.record_event(kind, reason, actor)
    if changed:
        account.status, account.status_reason = status, reason
    return bool(changed)


def keep_for_revocation(account: ConnectedAccount, values: dict[str, Any]) -> None:
    """
    Hand tokens that came too late to the outbox, unless the account has newer ones.

    Revoking them after a reconnect could end the new grant along with the old one.
    """
    current = _rows(account).values_list("status", flat=True).first()
    if current in (account.Status.ACTIVE, account.Status.NEEDS_REAUTH):
        return
    tokens = {
        "account_key": account.pk,
        "access_token": values.get("access_token"),
        "refresh_token": values.get("refresh_token"),
        "reason": "superseded",
    }
    outbox = account.provider.pending_revocations
    try:
        with transaction.atomic(using=account.write_alias):
            outbox.create(account_id=account.pk if current else None, **tokens)
    except IntegrityError:
        outbox.create(**tokens)


def announce(account: ConnectedAccount, signal: Signal, **arguments: Any) -> None:
    """Send a signal after commit; a receiver that raises is logged and harms nothing."""
    send = partial(signal.send_robust, type(account), account=account, **arguments)
    transaction.on_commit(send, using=account.write_alias)


def _rows(account: ConnectedAccount) -> Any:
    return type(account)._base_manager.using(account.write_alias).filter(pk=account.pk)
