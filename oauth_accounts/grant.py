"""From a grant to the account that holds it: new, known, or somebody else's."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import F

from oauth_accounts.exceptions import (
    AccountInUse,
    AuthorizationError,
    IdentityMismatch,
    OAuthAccountsError,
)
from oauth_accounts.identity import Identity
from oauth_accounts.models import AuthorizationAttempt, ConnectedAccount, Provider
from oauth_accounts.protocol.tokens import TokenSet


def discard(
    provider: Provider,
    tokens: TokenSet,
    identity: Identity | None,
    failure: OAuthAccountsError,
) -> None:
    """Have tokens revoked that nobody is going to use."""
    if identity is not None and not isinstance(failure, AccountInUse):
        known = ConnectedAccount.objects.filter(provider=provider, uid=identity.uid)
        if known.exists():
            # Some providers end every grant of a user at once: an account that is
            # connected under the same subject would die with these tokens.
            return
    unsaved = ConnectedAccount(provider=provider)
    sealed = unsaved.token_values(tokens)
    provider.pending_revocations.create(
        account_key=unsaved.pk,
        access_token=sealed.get("access_token"),
        refresh_token=sealed.get("refresh_token"),
        reason=failure.code,
    )


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
    if account.uid != identity.uid:
        raise IdentityMismatch
    if account.owner_id != attempt.owner_id:
        raise AccountInUse
    if account.status_reason == "by_admin" and account.status == "disabled":
        raise AuthorizationError("disabled_by_admin")
    account.requested_scopes = attempt.scopes
    if account.status != ConnectedAccount.Status.ACTIVE:
        # Should the answer bring no refresh token, the dead one must not be kept.
        account.refresh_token = None
    values = {
        "refresh_token": account.refresh_token,
        "label": identity.label,
        "profile": identity.profile,
        "requested_scopes": attempt.scopes,
        "connected_by_id": attempt.user_id,
        "scopes": None,
        "refresh_token_expires_at": None,
        **account.token_values(tokens),
        "status": ConnectedAccount.Status.ACTIVE,
        "lease": None,
        "lease_until": None,
        "attempt_started_at": None,
    }
    with transaction.atomic(using=alias):
        rows = ConnectedAccount.objects.using(alias).filter(pk=account.pk)
        if not rows.update(**values, generation=F("generation") + 1):
            raise AuthorizationError("account_deleted")
        account.record_event("reconnected", actor=attempt.user)
    account.refresh_from_db(using=alias)
