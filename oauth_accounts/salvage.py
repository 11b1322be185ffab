"""Answers that no account can use, and that must not be forgotten all the same."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, IntegrityError, transaction

if TYPE_CHECKING:
    from oauth_accounts.fields import Secret
    from oauth_accounts.models import ConnectedAccount

logger = logging.getLogger("oauth_accounts")


def keep_for_revocation(account: ConnectedAccount, values: dict[str, Any]) -> None:
    """
    Hand tokens that came too late to the outbox, unless the account has newer ones.

    Revoking them after a reconnect could end the new grant along with the old one.
    """
    current = account.stored_row().values_list("status", flat=True).first()
    if current in (None, account.Status.REVOKED):
        _to_outbox(account, values, "superseded", exists=current is not None)


def refuse(account: ConnectedAccount, values: dict[str, Any], reason: str) -> None:
    """Hand tokens to the outbox that the account must not have."""
    _to_outbox(account, values, reason, exists=True)


def _to_outbox(
    account: ConnectedAccount, values: dict[str, Any], reason: str, *, exists: bool
) -> None:
    tokens = {
        "account_key": account.pk,
        "access_token": values.get("access_token"),
        "refresh_token": values.get("refresh_token"),
        "reason": reason,
    }
    outbox = account.provider.pending_revocations
    try:
        with transaction.atomic(using=account.write_alias):
            outbox.create(account_id=account.pk if exists else None, **tokens)
    except IntegrityError:
        # Deleted meanwhile.
        outbox.create(**tokens)


def keep_unread(account: ConnectedAccount, raw_body: Secret) -> None:
    """
    Keep the sealed body of an answer that made no sense, for a week.

    It may hold the only refresh token that works. Nothing depends on it: what goes wrong
    is logged.
    """
    answers = account.unread_answers.using(account.write_alias)
    try:
        with transaction.atomic(using=account.write_alias):
            answers.create(account=account, body=raw_body)
    except DatabaseError as error:
        logger.warning(
            "An unreadable answer for account %s could not be kept (%s).",
            account.pk,
            type(error).__name__,
        )
