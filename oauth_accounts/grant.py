"""From a grant to the account that holds it: new, known, or somebody else's."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

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
    AccountEvent,
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
    """Have tokens revoked that nobody is going to use; an answer may hold none."""
    if tokens.access_token is None and tokens.refresh_token is None:
        return
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
        # Again in Python: some collations find the accounts of others, too.
        uids = live.filter(uid=identity.uid).values_list("uid", flat=True)
        return identity.uid in uids
    return live.filter(owner=attempt.owner_id).exists()


def store(
    alias: str, attempt: AuthorizationAttempt, tokens: TokenSet, identity: Identity
) -> tuple[ConnectedAccount, bool]:
    """
    Give the grant to the account it belongs to; return that, and whether it is new.

    alias: database to write to, where no transaction is open. Raises AuthorizationError
    when the grant may not be kept, DatabaseError when it cannot be.
    """
    pk = attempt.account_id or _find(alias, attempt, identity)
    if pk is None:
        try:
            return _create(alias, attempt, tokens, identity), True
        except IntegrityError:
            # A parallel callback for the same subject was faster.
            attempt.owner_is_known = True
            pk = _find(alias, attempt, identity)
    if pk is None:
        raise AuthorizationError("not_stored")
    return _replace(alias, pk, attempt, tokens, identity), False


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


def _find(alias: str, attempt: AuthorizationAttempt, identity: Identity) -> UUID | None:
    """Return the key of the account that has this identity already."""
    exclusive = attempt.provider.exclusive_subjects
    if not (exclusive or attempt.owner_id is None or attempt.owner_is_known):
        return None
    key = _prospect(attempt, identity).compute_identity_key()
    rows = ConnectedAccount.objects.using(alias).filter(identity_key=key)
    found: UUID | None = rows.values_list("pk", flat=True).first()
    return found


def _create(
    alias: str, attempt: AuthorizationAttempt, tokens: TokenSet, identity: Identity
) -> ConnectedAccount:
    account = _prospect(attempt, identity)
    for name, value in account.token_values(tokens).items():
        setattr(account, name, value)
    with transaction.atomic(using=alias):
        account.save(using=alias, force_insert=True)
        _record(alias, account, attempt, AccountEvent.Kind.CONNECTED)
    return account


def _record(
    alias: str, account: ConnectedAccount, attempt: AuthorizationAttempt, kind: str
) -> None:
    # Without a savepoint: the account and its event are written together or not at all.
    AccountEvent.objects.using(alias).create(
        kind=kind,
        account_id=account.pk,
        account_key=account.pk,
        provider_id=attempt.provider_id,
        actor_id=attempt.user_id,
    )
    account.notify(kind)


def _replace(
    alias: str,
    pk: UUID,
    attempt: AuthorizationAttempt,
    tokens: TokenSet,
    identity: Identity,
) -> ConnectedAccount:
    """Give an account new tokens; a refresh that is under way loses to them."""
    rows = ConnectedAccount.objects.using(alias).filter(pk=pk)
    with transaction.atomic(using=alias):
        # The first write locks the row: what is read and decided after it holds.
        if not rows.update(
            generation=F("generation") + 1,
            lease=None,
            lease_until=None,
            attempt_started_at=None,
        ):
            raise AuthorizationError("account_deleted")
        account: ConnectedAccount = rows.get()
        _check_replaceable(account, attempt, identity)
        account.provider = attempt.provider
        values = _replacement(account, attempt, tokens, identity)
        rows.update(**values)
        _record(alias, account, attempt, AccountEvent.Kind.RECONNECTED)
        _forget_old_tokens(alias, account)
    for name, value in values.items():
        setattr(account, name, value)
    return account


def _check_replaceable(
    account: ConnectedAccount, attempt: AuthorizationAttempt, identity: Identity
) -> None:
    if (account.provider_id, account.uid) != (attempt.provider_id, identity.uid):
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
        "id_token": None,
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
        "reason_before": "",
    }


def _forget_old_tokens(alias: str, account: ConnectedAccount) -> None:
    """Close what still waits in the outbox: revoking it could end the new grant too."""
    waiting = PendingRevocation.objects.using(alias).filter(account_key=account.pk)
    for pending in waiting.filter(status=PendingRevocation.Status.PENDING):
        pending.finish(PendingRevocation.Status.SUPERSEDED)
