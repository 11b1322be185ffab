"""Stop locally first, then revoke at the provider (RFC 7009)."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F

from oauth_accounts import clock, outages, reactions, signals
from oauth_accounts.conf import LEASE_SECONDS
from oauth_accounts.exceptions import TokenError
from oauth_accounts.fields import SEALED_FIELDS
from oauth_accounts.schedule import BACKOFF_MAX_SECONDS, backoff

if TYPE_CHECKING:
    from oauth_accounts.models import ConnectedAccount, PendingRevocation

# Tries before the outbox gives up and wipes the token: two to three days with back-off.
MAX_ATTEMPTS = 20


def revoke(
    account: ConnectedAccount,
    *,
    reason: str,
    actor: Any = None,
    wait: bool = False,
    due_at: datetime | None = None,
) -> None:
    """
    Mark the account as revoked and put its tokens in the outbox, in one transaction.

    reason: "by_owner", "by_admin" or "at_provider" (then nothing is left to revoke).
    actor: user for the audit. wait: deliver before returning, unless the caller is inside
        a transaction, which could still be rolled back. due_at: when the provider is to
        be told; None for now.
    """
    with transaction.atomic(using=account.write_alias):
        if not (tokens := _stop(account, reason)):
            return
        account.record_event("revoked", reason, actor)
        account.notify("revoked", reason)
        pending = None
        if reason != "at_provider" and any(tokens.values()):
            pending = keep(account, tokens, reason, held=wait, due_at=due_at)
        reactions.announce(account, signals.account_revoked, reason=reason)
        if wait and pending is not None:
            transaction.on_commit(partial(deliver, pending), using=account.write_alias)


def _stop(account: ConnectedAccount, reason: str) -> dict[str, Any]:
    """Take the tokens off the row as they are now; {} when it was revoked already."""
    # The first write locks the row, so the read after it is of the newest tokens whatever
    # the isolation level; the generation and the lease tell a refresh to give way.
    stopped = (
        account.stored_row()
        .exclude(status=account.Status.REVOKED)
        .update(
            status=account.Status.REVOKED,
            status_reason=reason,
            refresh_due_at=None,
            lease=None,
            lease_until=None,
            attempt_started_at=None,
            generation=F("generation") + 1,
        )
    )
    account.reload()
    if not stopped:
        return {}
    tokens = {
        name: getattr(account, name) for name in ("access_token", "refresh_token")
    }
    wiped = dict.fromkeys(SEALED_FIELDS)
    account.stored_row().update(**wiped)
    for name in wiped:
        setattr(account, name, None)
    return tokens


def keep(
    account: ConnectedAccount,
    tokens: dict[str, Any],
    reason: str,
    *,
    held: bool,
    due_at: datetime | None = None,
) -> PendingRevocation:
    """
    Put tokens of an account in the outbox as they are, without opening them.

    held: lease the row to the caller, who is going to deliver it. due_at: None for now.
    """
    until = clock.utcnow() + timedelta(seconds=LEASE_SECONDS) if held else None
    pending: PendingRevocation = account.pending_revocations.create(
        provider_id=account.provider_id,
        account_key=account.pk,
        reason=reason,
        lease=uuid.uuid4() if held else None,
        lease_until=until,
        due_at=due_at or clock.utcnow(),
        **tokens,
    )
    return pending


def deliver(pending: PendingRevocation) -> None:
    """
    Revoke the tokens of one outbox row at the provider and record what came of it.

    Errors are recorded on the row, never raised: nobody waits for them.
    """
    pending.attempts += 1
    pending.save(update_fields=["attempts"])
    conclude(pending, ask(pending))


def ask(pending: PendingRevocation) -> str | TokenError:
    """
    Call the provider; return the outcome, or why there is none yet.

    Works on the instance as it is loaded with its provider, without the database.
    """
    try:
        return _revoke_tokens(pending)
    except TokenError as error:
        return error.with_traceback(None)


def conclude(pending: PendingRevocation, outcome: str | TokenError) -> None:
    """Record what came of a call; its try is counted already."""
    if not isinstance(outcome, TokenError):
        finish(pending, outcome)
    elif outcome.code == "provider_changed":
        _wait_for_rebind(pending)
    elif pending.attempts >= MAX_ATTEMPTS:
        finish(pending, pending.Status.FAILED, outcome.code)
    else:
        seconds = max(backoff(pending.attempts), outcome.retry_after or 0)
        pending.postpone(clock.utcnow() + timedelta(seconds=seconds), outcome.code)


def _wait_for_rebind(pending: PendingRevocation) -> None:
    """Keep tokens whose provider has moved; nothing was sent, so it was no try."""
    outages.altered(pending.provider)
    pending.attempts -= 1
    pending.save(update_fields=["attempts"])
    until = clock.utcnow() + timedelta(seconds=BACKOFF_MAX_SECONDS)
    pending.postpone(until, "provider_changed")


def _revoke_tokens(pending: PendingRevocation) -> str:
    client = pending.provider.oauth_client()
    # RFC 7009 section 2.1: revoking the refresh token should end the whole grant; the
    # access token is sent as well, because "should" is not "must".
    outcomes = [
        client.revoke(token, hint)
        for hint in ("refresh_token", "access_token")
        if (token := pending.reveal(hint)) is not None
    ]
    confirmed = pending.Status.CONFIRMED in outcomes
    return pending.Status.CONFIRMED if confirmed else pending.Status.UNSUPPORTED


def finish(pending: PendingRevocation, status: str, error: str = "") -> None:
    """Close the row, wipe its tokens and record the outcome in the account's history."""
    # Of the outbox's transaction for many rows, or one of its own.
    with transaction.atomic(using=pending._state.db, savepoint=False):
        pending.finish(status, error)
        confirmed = status == pending.Status.CONFIRMED
        pending.provider.events.create(
            kind="revocation_confirmed" if confirmed else "revocation_failed",
            reason=error or status,
            account_id=pending.account_id,
            account_key=pending.account_key,
        )
