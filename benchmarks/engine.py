"""Where the engine keeps what is measured apart; nothing else here knows its rooms."""

from __future__ import annotations

from collections.abc import Sized

from django.db.models.functions import Now

from oauth_accounts.batch import claim_due
from oauth_accounts.models import ConnectedAccount, Provider


def claim(provider: Provider, limit: int) -> Sized:
    """Lease so many due accounts of a provider, as a sweep does."""
    return claim_due(provider, limit)


def give_back(provider: Provider) -> None:
    """Make leased accounts claimable again."""
    due = ConnectedAccount.objects.filter(provider=provider, refresh_due_at__lte=Now())
    leased = due.filter(lease__isnull=False)
    leased.update(lease=None, lease_until=None, attempt_started_at=None)
