"""Revocations in each outcome, authorisations under way, and mails about accounts."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from oauth_accounts import fields
from oauth_accounts.models import (
    AuthorizationAttempt,
    ConnectedAccount,
    Notice,
    PendingRevocation,
    Provider,
)

RETRY = timedelta(hours=6)


def revocation(
    account: ConnectedAccount, outcome: str, now: datetime
) -> PendingRevocation:
    """Return the revocation of an account, as it stands. outcome: its status."""
    waiting = outcome == "pending"
    began = account.created_at + (now - account.created_at) / 2
    return PendingRevocation(
        pk=uuid.uuid5(account.pk, "revocation"),
        provider_id=account.provider_id,
        account=account,
        account_key=account.pk,
        reason=account.status_reason,
        status=outcome,
        attempts=20 if outcome == "failed" else 3 if waiting else 1,
        last_error="unreachable" if outcome in {"failed", "pending"} else "",
        refresh_token=fields.seal("made-up", account.sealing_context("refresh_token"))
        if waiting
        else None,
        due_at=now + RETRY if waiting else None,
        created_at=began,
        finished_at=None if waiting else began + timedelta(seconds=4),
    )


def attempts(
    providers: dict[str, Provider], users: list[Any], now: datetime
) -> Iterator[AuthorizationAttempt]:
    """Yield authorisations under way, and one whose callback has come."""
    for number, (slug, user) in enumerate(
        zip(("octoforge", "harbor-drive", "pigeon-mail"), users, strict=False)
    ):
        provider = providers[slug]
        began = now - timedelta(minutes=2 * number)
        yield AuthorizationAttempt(
            pk=uuid.uuid5(provider.pk, f"attempt {number}"),
            state_hash=hashlib.sha256(f"state {slug}".encode()).hexdigest(),
            browser_hash=hashlib.sha256(f"browser {slug}".encode()).hexdigest(),
            user=user,
            owner=user,
            provider=provider,
            issuer=provider.issuer,
            client_id=provider.client_id,
            authorization_endpoint=provider.authorization_endpoint,
            token_endpoint=provider.token_endpoint,
            redirect_uri="",
            scopes=provider.scopes,
            created_at=began,
            expires_at=began + timedelta(minutes=10),
            consumed_at=began + timedelta(seconds=40) if number else None,
        )


def notice(account: ConnectedAccount, status: str, kind: str, now: datetime) -> Notice:
    """Return a mail about a change of the account, and what became of it."""
    waiting = status == "waiting"
    return Notice(
        pk=uuid.uuid5(account.pk, "notice"),
        kind=kind,
        reason=account.status_reason,
        account_key=account.pk,
        generation=account.generation,
        provider_id=account.provider_id,
        status=status,
        attempts={"sent": 1, "failed": 3}.get(status, 0),
        last_error="refused" if status == "failed" else "",
        # Not while somebody looks.
        due_at=now + RETRY if waiting else None,
        created_at=now - timedelta(hours=5),
        finished_at=None if waiting else now - timedelta(hours=4, minutes=59),
    )
