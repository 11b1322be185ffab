"""Which accounts an administrator's action is about, and what keeps it from the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oauth_accounts.models import BulkAction, ConnectedAccount, Provider

Kind, Status = BulkAction.Kind, ConnectedAccount.Status

# The statuses that an action is about.
ABOUT: dict[str, set[str]] = {
    Kind.REFRESH: {Status.ACTIVE},
    Kind.REVOKE: {Status.ACTIVE, Status.NEEDS_REAUTH, Status.DISABLED},
    Kind.REQUIRE_REAUTH: {Status.ACTIVE},
    Kind.DISABLE: {Status.ACTIVE, Status.NEEDS_REAUTH},
    Kind.ENABLE: {Status.DISABLED},
}


def obstacle(kind: str, account: ConnectedAccount) -> str:
    """Return the code of what keeps an action from an account; "" for nothing."""
    if code := own_obstacle(
        kind, account.status, can_refresh=account.refresh_token is not None
    ):
        return code
    if kind == Kind.ENABLE and not account.owner_is_active():
        return "owner_inactive"
    return closed_to_refreshes(account.provider) if kind == Kind.REFRESH else ""


def own_obstacle(kind: str, status: str, *, can_refresh: bool) -> str:
    """Return the same by what the account's own row says. can_refresh: it has the token."""
    if status not in ABOUT[kind]:
        return status
    return "no_refresh_token" if kind == Kind.REFRESH and not can_refresh else ""


def closed_to_refreshes(provider: Provider, *, waits: bool = False) -> str:
    """
    Return the code of why a provider is not called; "" when it is.

    waits: whoever asks comes again when a pause is over.
    """
    # The refresh would stop the account, and putting the addresses right not start it.
    if provider.is_in_doubt():
        return "provider_in_doubt"
    if not provider.enabled:
        return "provider_disabled"
    return "provider_paused" if provider.is_paused() and not waits else ""


def closed_providers(keys: Iterable[Any], alias: str, *, waits: bool) -> dict[Any, str]:
    """Return the codes of those that are not called, by key."""
    rows = Provider.objects.using(alias).filter(pk__in=set(keys))
    found = {row.pk: closed_to_refreshes(row, waits=waits) for row in rows}
    return {key: code for key, code in found.items() if code}
