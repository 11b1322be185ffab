"""
The call itself and what follows from its answer, for one account whose lease is held.

Nothing stands between the answer and its write: what can fail, or is slow, comes later.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from oauth_accounts import lease, reactions, salvage, writeback
from oauth_accounts.conf import conf
from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
    TokenError,
    TokenUndecryptable,
)
from oauth_accounts.lease import Claim
from oauth_accounts.protocol.claims import is_continued, unverified_claims
from oauth_accounts.schedule import is_fresh
from oauth_accounts.writeback import Answered

if TYPE_CHECKING:
    from oauth_accounts.fields import Secret
    from oauth_accounts.models import ConnectedAccount
    from oauth_accounts.protocol.client import OAuth2Client
    from oauth_accounts.protocol.tokens import TokenSet

# When a claim was over before anything was sent.
LATE_RETRY_SECONDS = 5.0


def require_refreshable(
    account: ConnectedAccount, held: uuid.UUID | None = None
) -> None:
    """
    Raise what stands in the way of a refresh, before anything is sent.

    held: the lease, where the row is claimed already.
    """
    provider = account.provider
    if not provider.enabled:
        raise ProviderMisconfigured("provider_disabled")
    provider.require_unpaused()
    if not account.owner_is_active():
        reactions.disable(account, "owner_inactive")
        raise ProviderMisconfigured("owner_inactive")
    if not can_refresh(account):
        if is_fresh(account, 0):
            raise ReauthRequired("refresh_token_expired")
        if reactions.require_reauth(account, "refresh_token_expired", held):
            raise ReauthRequired("refresh_token_expired")
        # Somebody is at work on it, and may come back with a new one.


def can_refresh(account: ConnectedAccount) -> bool:
    if account.refresh_token is None:
        return False
    # Or by the database's clock: this process's may be ahead of those that wrote it.
    return not account.refresh_token_is_expired() or not (
        account.refresh_token_is_expired(account.database_now())
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """
    What came of asking a provider: tokens or an error, never both.

    Neither when it was too late to ask.
    """

    tokens: TokenSet | None = field(default=None, repr=False)
    error: TokenError | None = None
    sent: bool = True
    """False when something stood in the way of asking."""
    for_another: bool = False
    """The ID token beside the tokens is about somebody else."""


def perform(account: ConnectedAccount, claim: Claim) -> None:
    """
    Call the provider once and store what it answers.

    Raises TokenError after having recorded the reaction.
    """
    settle(account, claim, ask(account, claim))


def ask(
    account: ConnectedAccount, claim: Claim, client: OAuth2Client | None = None
) -> Reply:
    """
    Call the provider once, without a look at the database.

    client: speaks to the account's provider; made here when there is none.
    """
    if not lease.outlives(claim, conf.OAUTH_ACCOUNTS_HTTP_TIMEOUT):
        # Something stood between the claim and the call, such as a lock in the database
        # or a process that was stopped; another worker may be sending this token.
        return Reply(sent=False)
    try:
        refresh_token = account.reveal("refresh_token")
        client = client or account.provider.oauth_client()
    except (TokenUndecryptable, ProviderMisconfigured) as error:
        return Reply(error=error, sent=False)
    # Opened before the call: nothing that can fail stands between an answer and its write.
    first = _first_claims(account)
    try:
        # require_refreshable() has seen that there is one.
        tokens = client.refresh(cast("Secret", refresh_token))
    except TokenError as error:
        return Reply(error=error)
    return Reply(tokens=tokens, for_another=_is_for_another(account, first, tokens))


def _first_claims(account: ConnectedAccount) -> dict[str, Any]:
    """Return what an ID token has to repeat of the one the account was connected with."""
    try:
        first = unverified_claims(account.reveal("id_token"))
    except TokenError:
        first = {}
    if not first:
        return {}
    provider = account.provider
    # As of now: a provider that has moved is followed by `rebind`.
    return {**first, "iss": provider.issuer, "aud": provider.client_id}


def _is_for_another(
    account: ConnectedAccount, first: dict[str, Any], tokens: TokenSet
) -> bool:
    """Say whether an answer brought the ID token of somebody else."""
    later = unverified_claims(tokens.id_token)
    if first:
        return not is_continued(first, later)
    # OpenID Connect was not spoken, but a subject is a subject.
    subject = later.get("sub") if account.provider.uid_path == "sub" else None
    return isinstance(subject, str) and subject != account.uid


def settle(account: ConnectedAccount, claim: Claim, reply: Reply) -> None:
    """Store a provider's answer, or record the reaction to it and raise TokenError."""
    tokens, error = reply.tokens, reply.error
    if tokens is not None and reply.for_another:
        _refuse(account, claim, tokens)
        raise ReauthRequired("identity_changed")
    if tokens is not None and (tokens.access_token or tokens.refresh_token):
        store(account, claim, tokens)
        return
    if error is None and not reply.sent:
        lease.release(account, claim.lease, LATE_RETRY_SECONDS, armed=True)
        raise ProviderUnavailable("refresh_in_progress", retry_after=LATE_RETRY_SECONDS)
    if error is not None and not reply.sent:
        lease.release(
            account, claim.lease, reactions.CONFIGURATION_RETRY_SECONDS, armed=True
        )
        reactions.configuration_failed(account, error)
        raise error
    if tokens is not None and tokens.raw_body is not None:
        salvage.keep_unread(account, tokens.raw_body)
    # Answered, but not in words: the refresh token may be spent.
    react(account, claim, error or ProviderUnavailable("outcome_unknown"))


def _refuse(account: ConnectedAccount, claim: Claim, tokens: TokenSet) -> None:
    # A stranger's tokens: the account keeps its own, which will not do for long.
    values = account.token_values(tokens)
    if reactions.require_reauth(account, "identity_changed", claim.lease):
        salvage.refuse(account, values, "identity_changed")
    else:
        # Connected again, revoked or deleted meanwhile: as with any answer that is late.
        salvage.keep_for_revocation(account, values)


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
    answered = Answered(
        account=account, claim=claim, values=account.token_values(tokens)
    )
    if not writeback.write(answered):
        superseded(answered)
        account.require_usable()
        return
    before = take_over(answered)
    reactions.stored(account, tokens.usable, *before)
    if not tokens.usable:
        raise ProviderUnavailable("bad_answer")


def superseded(answered: Answered) -> None:
    """Hand over tokens that came too late, and read what the account is by now."""
    salvage.keep_for_revocation(answered.account, answered.values)
    answered.account.reload()


def take_over(answered: Answered) -> tuple[list[str] | None, int]:
    """Bring the instance to what was written; return its scopes and failures before."""
    account = answered.account
    before = account.scopes, account.failure_count
    for name, value in answered.values.items():
        setattr(account, name, value)
    account.generation = answered.claim.generation + 1
    account.lease = account.lease_until = account.attempt_started_at = None
    return before
