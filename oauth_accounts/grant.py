"""From a grant to the account that holds it: new, known, or somebody else's."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F

from oauth_accounts.exceptions import (
    AccountInUse,
    AuthorizationError,
    IdentityMismatch,
    OAuthAccountsError,
)
from oauth_accounts.identity import Identity
from oauth_accounts.models import (
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
)
from oauth_accounts.protocol.tokens import TokenSet

logger = logging.getLogger("oauth_accounts")


def discard(
    attempt: AuthorizationAttempt,
    tokens: TokenSet,
    identity: Identity | None,
    failure: OAuthAccountsError,
) -> None:
    """Have tokens revoked that nobody is going to use."""
    if not isinstance(failure, AccountInUse) and _may_share_a_grant(attempt, identity):
        return
    unsaved = ConnectedAccount(provider=attempt.provider)
    sealed = unsaved.token_values(tokens)
    try:
        with transaction.atomic():
            attempt.provider.pending_revocations.create(
                account_key=unsaved.pk,
                access_token=sealed.get("access_token"),
                refresh_token=sealed.get("refresh_token"),
                reason=failure.code,
            )
    except DatabaseError as error:
        logger.warning(
            "Tokens of provider %s could not be kept for revocation (%s).",
            attempt.provider.slug,
            type(error).__name__,
        )


def _may_share_a_grant(
    attempt: AuthorizationAttempt, identity: Identity | None
) -> bool:
    """
    Say whether revoking new tokens could end a connection that lives.

    Some providers end every grant of a user at once: an account that is connected under
    the same subject would die with them. Who it is may not be known.
    """
    rows = ConnectedAccount.objects.filter(provider=attempt.provider)
    live = rows.exclude(status=ConnectedAccount.Status.REVOKED)
    if identity is not None:
        return live.filter(uid=identity.uid).exists()
    return live.filter(owner=attempt.owner_id).exists()


def store(
    alias: str, attempt: AuthorizationAttempt, tokens: TokenSet, identity: Identity
) -> tuple[ConnectedAccount, bool]:
    account = attempt.account or _find(alias, attempt, identity)
    if account is None:
        try:
            with transaction.atomic(using=alias):
                return _create(alias, attempt, tokens, identity), True
        except IntegrityError:
            # A parallel callback for the same subject was faster.
            account = _find(alias, attempt, identity)
    if account is None:
        raise AuthorizationError("not_stored")
    _replace(alias, account, attempt, tokens, identity)
    return account, False


def _prospect(attempt: AuthorizationAttempt, identity: Identity) -> ConnectedAccount:
    return ConnectedAccount(
        provider=attempt.provider,
        owner_id=attempt.owner_id,
        connected_by_id=attempt.user_id,
        uid=identity.uid,
        label=identity.label,
        profile=identity.profile,
        requested_scopes=attempt.scopes,
    )


def _find(
    alias: str, attempt: AuthorizationAttempt, identity: Identity
) -> ConnectedAccount | None:
    key = _prospect(attempt, identity).compute_identity_key()
    rows = ConnectedAccount.objects.using(alias).select_related("provider")
    return rows.filter(identity_key=key).first()


def _create(
    alias: str, attempt: AuthorizationAttempt, tokens: TokenSet, identity: Identity
) -> ConnectedAccount:
    account = _prospect(attempt, identity)
    for name, value in account.token_values(tokens).items():
        setattr(account, name, value)
    account.save(using=alias, force_insert=True)
    account.record_event("connected", actor=attempt.user)
    return account


def _replace(
    alias: str,
    account: ConnectedAccount,
    attempt: AuthorizationAttempt,
    tokens: TokenSet,
    identity: Identity,
) -> None:
    """Give an account new tokens; a refresh that is under way loses to them."""
    rows = ConnectedAccount.objects.using(alias).filter(pk=account.pk)
    with transaction.atomic(using=alias):
        # The first write locks the row: what is read and decided after it holds.
        if not rows.update(
            generation=F("generation") + 1,
            lease=None,
            lease_until=None,
            attempt_started_at=None,
        ):
            raise AuthorizationError("account_deleted")
        account.refresh_from_db(using=alias)
        _check_replaceable(account, attempt, identity)
        rows.update(**_replacement(account, attempt, tokens, identity))
        account.record_event("reconnected", actor=attempt.user)
        _forget_old_tokens(account)
    account.refresh_from_db(using=alias)


def _check_replaceable(
    account: ConnectedAccount, attempt: AuthorizationAttempt, identity: Identity
) -> None:
    if account.uid != identity.uid:
        raise IdentityMismatch
    if account.owner_id != attempt.owner_id:
        raise AccountInUse
    if account.status_reason == "by_admin" and account.status == "disabled":
        raise AuthorizationError("disabled_by_admin")


def _replacement(
    account: ConnectedAccount,
    attempt: AuthorizationAttempt,
    tokens: TokenSet,
    identity: Identity,
) -> dict[str, Any]:
    fresh: dict[str, Any] = {
        "requested_scopes": attempt.scopes,
        "scopes": None,
        "refresh_token_expires_at": None,
    }
    if account.status != ConnectedAccount.Status.ACTIVE:
        # Should the answer bring no refresh token, the dead one must not be kept.
        fresh["refresh_token"] = None
    for name, value in fresh.items():
        setattr(account, name, value)
    return {
        **fresh,
        "label": identity.label,
        "profile": identity.profile,
        "connected_by_id": attempt.user_id,
        **account.token_values(tokens),
        "status": ConnectedAccount.Status.ACTIVE,
    }


def _forget_old_tokens(account: ConnectedAccount) -> None:
    """Close what still waits in the outbox: revoking it could end the new grant too."""
    waiting = PendingRevocation.objects.filter(account_key=account.pk)
    for pending in waiting.filter(status=PendingRevocation.Status.PENDING):
        pending.finish(PendingRevocation.Status.SUPERSEDED)
