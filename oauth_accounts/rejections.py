"""Callbacks that were refused, in the audit; a flood of them does not fill the table."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from oauth_accounts import clock
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import AccountEvent, AuthorizationAttempt, Provider

# A callback without an attempt costs its sender nothing, not even a log-in. Of each reason
# so many are recorded in any minute, and then one event that there were more.
MAX_STRAYS = 30
STRAYS_WINDOW = timedelta(minutes=1)
MORE_STRAYS = "many_rejected"


def record(
    request: HttpRequest,
    slug: str,
    attempt: AuthorizationAttempt | None,
    error: OAuthAccountsError,
) -> None:
    """
    Append the event of a refused callback.

    slug: of the provider in the path. attempt: the one its state belonged to; None for a
    stray callback, of which a flood is not recorded one by one.
    """
    reason = error.code if attempt else _reason_of_stray(error.code)
    if reason is None:
        return
    references = {
        "provider": attempt.provider
        if attempt
        else Provider.objects.filter(slug=slug).first(),
        "account_id": attempt.account_id if attempt else None,
        "actor": request.user if request.user.is_authenticated else None,
    }
    values = {
        "kind": AccountEvent.Kind.REJECTED,
        "reason": reason,
        "account_key": references["account_id"],
    }
    try:
        with transaction.atomic():
            AccountEvent.objects.create(**values, **references)
    except IntegrityError:
        # Something it refers to was deleted during the exchange.
        AccountEvent.objects.create(**values)


def _reason_of_stray(code: str) -> str | None:
    """Return what to record of a stray callback, None for nothing."""
    if _recent(code)[:MAX_STRAYS].count() < MAX_STRAYS:
        return code
    return None if _recent(MORE_STRAYS).exists() else MORE_STRAYS


def _recent(reason: str) -> QuerySet[AccountEvent]:
    since = clock.utcnow() - STRAYS_WINDOW
    return AccountEvent.objects.filter(
        kind=AccountEvent.Kind.REJECTED, reason=reason, created_at__gt=since
    )
