"""Which accounts an administrator's action is about, and what keeps it from the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Case, Q, Value, When

from oauth_accounts import keyring
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
    if code := own_obstacle(kind, account.status, _token_of(account)):
        return code
    if kind == Kind.ENABLE and not account.owner_is_active():
        return "owner_inactive"
    return closed_to_refreshes(account.provider) if kind == Kind.REFRESH else ""


def own_obstacle(kind: str, status: str, token: str) -> str:
    """Return the same by what the account's own row says. token: see `token_state`."""
    if status not in ABOUT[kind]:
        return status
    return token if kind == Kind.REFRESH else ""


def token_state() -> Case:
    """Return what keeps a row's refresh token from being used, as a database sees it."""
    cases = [When(refresh_token__isnull=True, then=Value("no_refresh_token"))]
    if (known := _known_keys()) is not None:
        cases.append(When(~Q(key_id__in=known), then=Value("undecryptable")))
    return Case(*cases, default=Value(""))


def _token_of(account: ConnectedAccount) -> str:
    if account.refresh_token is None:
        return "no_refresh_token"
    known = _known_keys()
    return "" if known is None or account.key_id in known else "undecryptable"


def _known_keys() -> tuple[str, ...] | None:
    """Return what a row may name as its key; None where FERNET_KEYS is wrong."""
    known = keyring.ids_at_hand()
    # Nothing is known of a row that names no key.
    return None if known is None else ("", *known)


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
