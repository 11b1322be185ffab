"""
What an outcome of a refresh does to the account and to its provider.

Dead grant: the account needs reauthorisation. Client refused, too many requests: the provider
is paused and no account is marked. Anything that may pass: back-off. Each change of state is
one conditional UPDATE, one event and, after commit, one signal.
"""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, transaction
from django.db.models import F, Q

from oauth_accounts import clock, outages, signals
from oauth_accounts import lease as leases
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ReauthRequired,
    TokenError,
)
from oauth_accounts.schedule import backoff

if TYPE_CHECKING:
    from django.dispatch import Signal

    from oauth_accounts.models import ConnectedAccount, Provider

logger = logging.getLogger("oauth_accounts")

# A wrong configuration is not mended by asking again soon.
CONFIGURATION_BACKOFF_SECONDS = 3600.0
# Nothing was sent, so looking again costs nobody anything.
CONFIGURATION_RETRY_SECONDS = 300.0


def stored(
    account: ConnectedAccount,
    usable: bool,
    scopes_before: list[str] | None,
    failures_before: int,
    *,
    counted: bool = False,
) -> None:
    """
    Tell of a stored answer; what goes wrong here does not undo it, and is logged.

    counted: it is in the statistics already.
    """
    try:
        if usable:
            _succeeded(account, scopes_before, failures_before)
            if not counted:
                account.provider.refresh_statistics.record("success")
        else:
            account.provider.refresh_statistics.record("failure", "bad_answer")
    except DatabaseError as error:
        logger.warning(
            "A refresh of account %s is stored, but could not be recorded (%s).",
            account.pk,
            type(error).__name__,
        )


def _succeeded(
    account: ConnectedAccount,
    scopes_before: list[str] | None,
    failures_before: int,
) -> None:
    announce(account, signals.tokens_refreshed)
    outages.succeeded(account.provider)
    if failures_before:
        announce(account, signals.refresh_recovered)
        account.record_event("recovered")
    before, after = frozenset(scopes_before or ()), frozenset(account.scopes or ())
    if scopes_before is not None and before != after:
        announce(
            account,
            signals.scopes_changed,
            added=after - before,
            removed=before - after,
        )
        account.record_event("scopes_changed")


def failed(account: ConnectedAccount, lease: uuid.UUID, error: TokenError) -> None:
    """Record a failed call by what its error means."""
    result = "rate_limited" if error.code == "rate_limited" else "failure"
    account.provider.refresh_statistics.record(result, error.code)
    about_provider = outages.learn(account.provider, error)
    if isinstance(error, ReauthRequired):
        lost = account.status_reason == "outcome_unknown"
        reason = "rotation_lost" if lost else "invalid_grant"
        said = error.provider_code or error.code
        require_reauth(account, reason, lease=lease, last_error=said)
    elif error.code == "outcome_unknown":
        # The lease is kept to its end: the provider may still be at work on the request.
        _postpone(account, lease, error, "outcome_unknown", backoff(0) + 60, keep=True)
    elif about_provider:
        _wait_for_provider(account, lease, error)
    elif isinstance(error, ProviderMisconfigured):
        wait = max(CONFIGURATION_BACKOFF_SECONDS, backoff(account.failure_count))
        _postpone(account, lease, error, "retrying", wait)
    else:
        wait = max(backoff(account.failure_count), error.retry_after or 0)
        _postpone(account, lease, error, "retrying", wait)


def provider_unavailable(provider: Provider, retry_after: float | None = None) -> None:
    """Pause a provider whose last calls all went unanswered. retry_after: seconds."""
    outages.unavailable(provider, retry_after)


def configuration_failed(account: ConnectedAccount, error: TokenError) -> None:
    """
    Record that no call could be made at all.

    An undecryptable row is not marked: it recovers as it is when the key returns.
    """
    account.provider.refresh_statistics.record("failure", error.code)
    if error.code == "provider_changed":
        provider_changed(account)


def provider_changed(account: ConnectedAccount) -> None:
    """Stop an account whose provider is not the one that it was connected at."""
    disable(account, "provider_changed")
    outages.altered(account.provider)


def _wait_for_provider(
    account: ConnectedAccount, lease: uuid.UUID, error: TokenError
) -> None:
    """Let the account alone until its provider is back; it has not failed."""
    limited = error.code == "rate_limited"
    reason = "rate_limited" if limited else account.status_reason
    # Not all at once when the pause is over.
    seconds = account.provider.seconds_paused() + backoff(0)
    _postpone(account, lease, error, reason, seconds, counts=False)


def _postpone(
    account: ConnectedAccount,
    lease: uuid.UUID,
    error: TokenError,
    reason: str,
    seconds: float,
    *,
    keep: bool = False,
    counts: bool = True,
) -> None:
    """
    Let the sweep look at the account again later.

    keep: leave the lease as it is. counts: the failure is the account's own.
    """
    if account.status_reason == "outcome_unknown":
        # Stays until a refresh succeeds: it decides what an invalid_grant means.
        reason = "outcome_unknown"
    values: dict[str, Any] = {
        "status_reason": reason,
        # By the clock that the sweep goes by: one that is slow would ask again at once.
        "refresh_due_at": DatabaseNow() + timedelta(seconds=seconds),
        "attempt_started_at": None,
    }
    if counts:
        values["last_error"] = error.provider_code or error.code
        values["failure_count"] = F("failure_count") + 1
    if not keep:
        values |= {"lease": None, "lease_until": None}
    rows = account.stored_row().filter(lease=lease, status=account.Status.ACTIVE)
    first = counts and account.failure_count == 0
    if rows.update(**values) and first:
        account.record_event("refresh_failed", error.code)


def require_reauth(
    account: ConnectedAccount,
    reason: str,
    lease: uuid.UUID | None = None,
    last_error: str | None = None,
    actor: Any = None,
) -> bool:
    """
    Mark the account as needing its owner; return False when its state moved meanwhile.

    reason: one of the reasons of `needs_reauth`. lease: of the failed refresh, if any.
    last_error: the provider's own code, if it said one. actor: user for the audit.
    """
    rows = account.stored_row().filter(
        generation=account.generation, status=account.Status.ACTIVE
    )
    # Without a lease, somebody may be at work on it and come back with new tokens.
    rows = rows.filter(leases.free() if lease is None else Q(lease=lease))
    said = {} if last_error is None else {"last_error": last_error}
    changed = _change_state(
        account,
        rows,
        "reauth_required",
        actor,
        status=account.Status.NEEDS_REAUTH,
        status_reason=reason,
        lease=None,
        lease_until=None,
        attempt_started_at=None,
        **said,
    )
    if changed:
        announce(account, signals.reauth_required, reason=reason)
    return changed


def disable(account: ConnectedAccount, reason: str, actor: Any = None) -> bool:
    """Stop using the account until it is enabled; its tokens are kept."""
    status = account.Status
    stop = partial(_change_state, account, kind="disabled", actor=actor)
    # The lease stays: a refresh that is under way may still store what it gets.
    to = {"status": status.DISABLED, "status_reason": reason}
    if stop(account.stored_row().filter(status=status.ACTIVE), **to, reason_before=""):
        return True
    waiting = account.stored_row().filter(status=status.NEEDS_REAUTH)
    before = waiting.values_list("status_reason", flat=True).first()
    if before is None:
        return False
    return stop(waiting.filter(status_reason=before), **to, reason_before=before)


def enable(account: ConnectedAccount, actor: Any = None) -> bool:
    """
    Use a disabled account again; the sweep looks at it next.

    One that needed its owner when it was disabled still does.
    """
    status = account.Status
    start = partial(_change_state, account, kind="enabled", actor=actor)
    rows = account.stored_row().filter(status=status.DISABLED)
    if start(
        rows.filter(reason_before=""),
        status=status.ACTIVE,
        status_reason="",
        refresh_due_at=clock.utcnow(),
    ):
        return True
    before = rows.values_list("reason_before", flat=True).first()
    if not before:
        return False
    return start(
        rows.filter(reason_before=before),
        status=status.NEEDS_REAUTH,
        status_reason=before,
        reason_before="",
    )


def _change_state(
    account: ConnectedAccount, rows: Any, kind: str, actor: Any = None, **values: Any
) -> bool:
    values = {"refresh_due_at": None, **values}
    with transaction.atomic(using=account.write_alias):
        changed = rows.update(**values)
        if changed:
            account.record_event(kind, values["status_reason"], actor)
            account.notify(kind, values["status_reason"])
    if changed:
        for name, value in values.items():
            setattr(account, name, value)
    return bool(changed)


def announce(account: ConnectedAccount, signal: Signal, **arguments: Any) -> None:
    """Send a signal after commit; a receiver that raises is logged and harms nothing."""
    send = partial(signal.send_robust, type(account), account=account, **arguments)
    transaction.on_commit(send, using=account.write_alias)
