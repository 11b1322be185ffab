"""
One account: claim, re-check, renew, store. Every refresh goes through here.

Never two at once: a claim is one conditional UPDATE that sets a lease, so it holds on every
database and across machines. Never a lost token: the first thing after the provider's answer
is one UPDATE, fenced by lease and generation; whatever can fail comes later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING

from oauth_accounts import durable, flights, lease, reactions, renew, turnstile
from oauth_accounts.exceptions import ProviderUnavailable, ReauthRequired, TokenError
from oauth_accounts.lease import Claim
from oauth_accounts.schedule import is_fresh

if TYPE_CHECKING:
    from oauth_accounts.fields import Secret
    from oauth_accounts.models import ConnectedAccount

# How long a caller waits for somebody else's refresh, which is bounded by the HTTP deadline.
WAIT_SECONDS = 20.0
# One thread of a process looks for all of them, so that what they wait for in vain is
# short and the database hardly notices.
POLL_SECONDS = (*[0.025] * 20, *[0.05] * 10, 0.1, 0.2)
# Nothing was sent because another worker is trying out whether the provider is back.
PROBE_RETRY_SECONDS = 60.0


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


def _share(
    account: ConnectedAccount, work: Callable[[], None], *, content_with_valid: bool
) -> None:
    flights.share(
        account,
        work,
        seconds=WAIT_SECONDS,
        content=lambda: content_with_valid and is_fresh(account, 0),
    )


def _obtain(account: ConnectedAccount, min_validity: float) -> None:
    try:
        work = partial(_obtain_alone, account, min_validity)
        _share(account, work, content_with_valid=True)
    except TokenError:
        if account.status != account.Status.ACTIVE or not is_fresh(account, 0):
            raise
    account.require_usable()
    if account.failure_count and not is_fresh(account, 0):
        # A sibling's answer moved the generation, but held a refresh token only.
        raise ProviderUnavailable("bad_answer")


def _obtain_alone(account: ConnectedAccount, min_validity: float) -> None:
    account.reload()
    # Or by the database's clock: this process's may be ahead of those that wrote it.
    if not is_fresh(account, min_validity) and not is_fresh(
        account, min_validity, account.database_now()
    ):
        _refresh_once(account, account.generation, content_with_valid=True)


def _refresh(account: ConnectedAccount) -> None:
    seen = account.generation

    def work() -> None:
        account.reload()
        _refresh_once(account, seen, content_with_valid=False)

    _share(account, work, content_with_valid=False)


def _replace_rejected(account: ConnectedAccount, rejected: Secret) -> None:
    def work() -> None:
        account.reload()
        if account.reveal("access_token") == rejected:
            _refresh_rejected(account)

    _share(account, work, content_with_valid=False)


def _refresh_rejected(account: ConnectedAccount) -> None:
    try:
        _refresh_once(account, account.generation, content_with_valid=False)
    except ReauthRequired:
        if not renew.can_refresh(account):
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
    patient = not (content_with_valid and is_fresh(account, 0))
    with turnstile.turn(account.provider.slug, patient=patient):
        # Whoever holds the account for long has an old provider, perhaps an old secret.
        account.provider.refresh_from_db(using=account.write_alias)
        _wait_or_refresh(account, seen, content_with_valid=content_with_valid)


def _wait_or_refresh(
    account: ConnectedAccount, seen: int, *, content_with_valid: bool
) -> None:
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
    renew.require_refreshable(account)
    if _is_free(account) and (claim := lease.take(account)):
        _require_probe(account, claim)
        account.provider.count_slot()
        renew.perform(account, claim)
        return True
    return content_with_valid and is_fresh(account, 0)


def _is_free(account: ConnectedAccount) -> bool:
    """Say whether a claim is worth a write, by the clock that decides about it."""
    return account.lease is None or account.stored_row().filter(lease.free()).exists()


def _raise_if_hopeless(account: ConnectedAccount, waited: float) -> None:
    unknown = account.status_reason == "outcome_unknown"
    if unknown and account.lease and account.attempt_started_at is None:
        # The lease is kept to its end on purpose, so nobody is at work on it now.
        now = account.database_now()
        left = ((account.lease_until or now) - now).total_seconds()
        raise ProviderUnavailable("outcome_unknown", retry_after=max(1.0, left))
    if waited > WAIT_SECONDS:
        raise ProviderUnavailable("refresh_in_progress", retry_after=5)


def _require_probe(account: ConnectedAccount, claim: Claim) -> None:
    """Give the claim back when the provider may be down and somebody else is asking."""
    provider = account.provider
    if provider.is_half_open() and not provider.take_probe():
        lease.release(account, claim.lease, PROBE_RETRY_SECONDS, armed=True)
        raise ProviderUnavailable("provider_paused", retry_after=PROBE_RETRY_SECONDS)
