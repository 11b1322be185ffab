"""
One account: claim, re-check, renew, store. Every refresh goes through here.

Never two at once: a claim is one conditional UPDATE that sets a lease, so it holds on every
database and across machines. Never a lost token: the first thing after the provider's answer
is one UPDATE, fenced by lease and generation; whatever can fail comes later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, cast

from django.db import InterfaceError, OperationalError, connections
from django.db.models import Case, F, Value, When

from oauth_accounts import clock, durable, lease, reactions
from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
    TokenError,
    TokenUndecryptable,
)
from oauth_accounts.lease import Claim
from oauth_accounts.schedule import is_fresh

if TYPE_CHECKING:
    from oauth_accounts.fields import Secret
    from oauth_accounts.models import ConnectedAccount
    from oauth_accounts.protocol.tokens import TokenSet

# How long a caller waits for somebody else's refresh, which is bounded by the HTTP deadline.
WAIT_SECONDS = 20.0
POLL_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
# How far this process's clock may be behind the database's before claims come late.
CLOCK_SKEW = timedelta(seconds=1)


def obtain(account: ConnectedAccount, min_validity: float) -> None:
    """
    Leave a token on the account that is valid for so many seconds, refreshing if needed.

    min_validity: seconds. Raises TokenError, by the reaction it calls for; but while the
    old token is valid, a failed refresh is not an error.
    """
    _apart(account, partial(_obtain, account, min_validity))


def refresh(account: ConnectedAccount) -> None:
    """Refresh now, or join a refresh that is under way. Raises TokenError."""
    _apart(account, partial(_refresh, account))


def replace_rejected(account: ConnectedAccount, rejected: Secret) -> bool:
    """
    Refresh because the API refused this token, unless another one is stored by now.

    Return whether the account holds another token than the rejected one.
    """
    if account.reveal("access_token") == rejected:
        _apart(account, partial(_replace_rejected, account, rejected))
    return account.reveal("access_token") != rejected


def _apart(account: ConnectedAccount, work: Callable[[], None]) -> None:
    # The provider too: writing an account refers to it, and pausing it writes it.
    provider = type(account.provider)._base_manager.filter(pk=account.provider_id)
    durable.run(account.write_alias, work, locks=(account.stored_row(), provider))


def _obtain(account: ConnectedAccount, min_validity: float) -> None:
    account.reload()
    if is_fresh(account, min_validity):
        account.require_usable()
        return
    try:
        _refresh_once(account, account.generation, content_with_valid=True)
    except TokenError:
        if account.status != account.Status.ACTIVE or not is_fresh(account, 0):
            raise
    if account.failure_count and not is_fresh(account, 0):
        # A sibling's answer moved the generation, but held a refresh token only.
        raise ProviderUnavailable("bad_answer")


def _refresh(account: ConnectedAccount) -> None:
    seen = account.generation
    account.reload()
    _refresh_once(account, seen, content_with_valid=False)


def _replace_rejected(account: ConnectedAccount, rejected: Secret) -> None:
    account.reload()
    if account.reveal("access_token") != rejected:
        return
    try:
        _refresh_once(account, account.generation, content_with_valid=False)
    except ReauthRequired:
        if not _can_refresh(account):
            # Over before its date, and only the owner can get another.
            reactions.require_reauth(account, "refresh_token_expired")
        raise


def _refresh_once(
    account: ConnectedAccount, seen: int, *, content_with_valid: bool
) -> None:
    """
    Return when the generation is past the seen one, by our refresh or a sibling's.

    content_with_valid: also return while somebody else refreshes and the token is valid.
    """
    # Whoever holds the account for long has an old provider: its secret may have changed.
    account.provider.refresh_from_db(using=account.write_alias)
    started = time.monotonic()
    pauses = chain(POLL_SECONDS, repeat(POLL_SECONDS[-1]))
    while not _settle(account, seen, content_with_valid=content_with_valid):
        _raise_if_hopeless(account, time.monotonic() - started)
        time.sleep(next(pauses))
        account.reload()


def _settle(account: ConnectedAccount, seen: int, *, content_with_valid: bool) -> bool:
    """Refresh if nobody else does; return whether there is nothing to wait for."""
    account.require_usable()
    if account.generation != seen:
        return True
    require_refreshable(account)
    if _looks_free(account) and (claim := lease.take(account)):
        perform(account, claim)
        return True
    return content_with_valid and is_fresh(account, 0)


def _looks_free(account: ConnectedAccount) -> bool:
    """Say whether a claim is worth a write; only the database's clock decides."""
    until = account.lease_until
    return (
        account.lease is None or until is None or until <= clock.utcnow() + CLOCK_SKEW
    )


def _raise_if_hopeless(account: ConnectedAccount, waited: float) -> None:
    unknown = account.status_reason == "outcome_unknown"
    if unknown and account.lease and account.attempt_started_at is None:
        # The lease is kept to its end on purpose, so nobody is at work on it now.
        left = (account.lease_until or clock.utcnow()) - clock.utcnow()
        raise ProviderUnavailable(
            "outcome_unknown", retry_after=max(1.0, left.total_seconds())
        )
    if waited > WAIT_SECONDS:
        raise ProviderUnavailable("refresh_in_progress", retry_after=5)


def require_refreshable(account: ConnectedAccount) -> None:
    """Raise what stands in the way of a refresh, before anything is claimed or sent."""
    provider = account.provider
    if not provider.enabled:
        raise ProviderMisconfigured("provider_disabled")
    if provider.is_paused():
        wait = (provider.paused_until - clock.utcnow()).total_seconds()  # type: ignore[operator]
        raise ProviderUnavailable("provider_paused", retry_after=max(1.0, wait))
    if not account.owner_is_active():
        reactions.disable(account, "owner_inactive")
        raise ProviderMisconfigured("owner_inactive")
    if not _can_refresh(account):
        if is_fresh(account, 0):
            raise ReauthRequired("refresh_token_expired")
        if reactions.require_reauth(account, "refresh_token_expired"):
            raise ReauthRequired("refresh_token_expired")
        # Somebody is at work on it, and may come back with a new one.


def _can_refresh(account: ConnectedAccount) -> bool:
    return account.refresh_token is not None and not account.refresh_token_is_expired()


def perform(account: ConnectedAccount, claim: Claim) -> None:
    """
    Call the provider once and store what it answers.

    Raises TokenError after having recorded the reaction.
    """
    try:
        refresh_token = account.reveal("refresh_token")
        client = account.provider.oauth_client()
    except (TokenUndecryptable, ProviderMisconfigured) as error:
        lease.release(
            account, claim.lease, reactions.CONFIGURATION_RETRY_SECONDS, armed=True
        )
        reactions.configuration_failed(account, error)
        raise
    try:
        # require_refreshable() has seen that there is one.
        tokens = client.refresh(cast("Secret", refresh_token))
    except TokenError as error:
        failure = error
    else:
        if tokens.access_token or tokens.refresh_token:
            store(account, claim, tokens)
            return
        # Answered, but not in words: the refresh token may be spent.
        failure = ProviderUnavailable("outcome_unknown")
    react(account, claim, failure)


def react(account: ConnectedAccount, claim: Claim, error: TokenError) -> None:
    """Record a failed call by what it means, and raise it unless a sibling won."""
    account.reload()
    if account.generation != claim.generation:
        # A sibling's refresh made our refresh token invalid; theirs is stored.
        account.require_usable()
        return
    reactions.failed(account, claim.lease, error)
    account.reload()
    if isinstance(error, ReauthRequired):
        raise ReauthRequired(account.status_reason or error.code)
    raise error


def store(account: ConnectedAccount, claim: Claim, tokens: TokenSet) -> None:
    """
    Write the answer, fenced by lease and generation, and tell of it afterwards.

    Raises ProviderUnavailable when the answer held no usable access token; its refresh
    token is stored even then.
    """
    values = account.token_values(tokens)
    if not _write(account, claim, values):
        reactions.keep_for_revocation(account, values)
        account.reload()
        account.require_usable()
        return
    scopes_before, failures_before = account.scopes, account.failure_count
    for name, value in values.items():
        setattr(account, name, value)
    account.generation = claim.generation + 1
    account.lease = account.lease_until = account.attempt_started_at = None
    reactions.stored(account, tokens.usable, scopes_before, failures_before)
    if not tokens.usable:
        raise ProviderUnavailable("bad_answer")


def _write(account: ConnectedAccount, claim: Claim, values: dict[str, Any]) -> bool:
    """Write until the database answers: a rotated token exists nowhere but here."""
    rows = account.stored_row().filter(lease=claim.lease, generation=claim.generation)
    values = {
        **values,
        # A refresh of an account that was disabled meanwhile keeps its tokens alive, and
        # leaves its state alone.
        "status_reason": Case(
            When(status="active", then=Value(values["status_reason"])),
            default=F("status_reason"),
        ),
        "refresh_due_at": lease.while_active(values["refresh_due_at"]),
        "generation": F("generation") + 1,
        "lease": None,
        "lease_until": None,
        "attempt_started_at": None,
    }
    retried = False
    while True:
        try:
            return bool(rows.update(**values)) or (
                retried and _is_ours(account, values)
            )
        except (OperationalError, InterfaceError):
            if time.monotonic() > claim.deadline:
                raise
            retried = True
            connections[account.write_alias].close_if_unusable_or_obsolete()
            time.sleep(0.2)


def _is_ours(account: ConnectedAccount, values: dict[str, Any]) -> bool:
    """Say whether a write whose confirmation was lost did arrive."""
    names = [n for n in ("access_token", "refresh_token") if n in values]
    stored = account.stored_row().values(*names).first()
    return bool(stored == {name: values[name] for name in names})
