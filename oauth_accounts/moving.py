"""
Who may send a provider's tokens elsewhere, and what that does to the accounts.

Whoever changes an address has to know the stored secret (CVE-2026-19541), which must not
be younger than the tokens. Accounts stop where the provider moves to a host it was not at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils.crypto import constant_time_compare

from oauth_accounts import clock, fields
from oauth_accounts.exceptions import TokenError, TokenUndecryptable
from oauth_accounts.fields import Secret
from oauth_accounts.models import (
    AccountEvent,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.models.provider import binding_of, origin_of
from oauth_accounts.models.provider_columns import ENDPOINT_FIELDS, PINNED_FIELDS

BATCH_SIZE = 500
# Somebody waits for the number; beyond it, "more than" is enough to know.
MOST_COUNTED = 10_000

# Wrong secrets that may be entered for one provider; then nothing is compared for a while.
MAX_GUESSES = 10
GUESSES_WINDOW = timedelta(hours=1)


def holds_tokens(provider: Provider) -> bool:
    """Say whether there are tokens that calls to the provider's addresses would carry."""
    if provider._state.adding:
        return False
    return provider.accounts.exists() or _unfinished(provider).exists()


def holds_older_tokens(provider: Provider) -> bool:
    """
    Say whether there are tokens from before the client secret was last changed.

    Otherwise somebody could replace the secret with one of their own and thereby know it.
    """
    events = provider.events
    changes = events.filter(
        kind=AccountEvent.Kind.SECRET_CHANGED, reason="client_secret"
    )
    changed = changes.aggregate(at=Max("created_at"))["at"]
    if changed is None:
        return False
    accounts = provider.accounts.filter(
        Q(access_token__isnull=False) | Q(refresh_token__isnull=False)
    ).exclude(issued_at__gt=changed)
    connected_since = events.filter(
        kind=AccountEvent.Kind.CONNECTED,
        created_at__gt=changed,
        account_key__isnull=False,
    )
    revocations = _unfinished(provider).exclude(
        account_key__in=connected_since.values("account_key")
    )
    return accounts.exists() or revocations.exists()


def _unfinished(provider: Provider) -> QuerySet[PendingRevocation]:
    return provider.pending_revocations.filter(status=PendingRevocation.Status.PENDING)


def is_stored(provider: Provider, name: str, entered: Secret) -> bool | None:
    """
    Say whether this is the secret that is stored; None when that cannot be read.

    provider: with its old addresses still. name: of the column. What was sealed for the
    addresses that are pinned counts too: the row may have been altered by SQL since.
    """
    stored = stored_secret(provider, name)
    if stored is None:
        return None
    return constant_time_compare(entered.get_value(), stored.get_value())


def record_guesses(provider: Provider, names: list[str], actor: Any) -> None:
    """Append an event for each secret that was entered and is not the stored one."""
    for name in names:
        provider.events.create(
            kind=AccountEvent.Kind.SECRET_REFUSED, reason=name, actor=actor
        )


def has_too_many_guesses(provider: Provider) -> bool:
    """Say whether somebody seems to be looking for a secret."""
    guesses = provider.events.filter(
        kind=AccountEvent.Kind.SECRET_REFUSED,
        created_at__gt=clock.utcnow() - GUESSES_WINDOW,
    )
    return guesses.count() >= MAX_GUESSES


def stored_secret(provider: Provider, name: str) -> Secret | None:
    """
    Return the secret of a stored row, None when there is none that can be read.

    Raises nothing but ImproperlyConfigured, where FERNET_KEYS is wrong.
    """
    if getattr(provider, name) is None:
        return None
    try:
        return provider.reveal(name)
    except ImproperlyConfigured:
        return None
    except TokenError:
        pass
    try:
        pinned = provider.pinned_values() or {}
        binding = binding_of(pinned.get("issuer", ""), pinned.get("token_endpoint", ""))
        place = {**provider.sealing_context(name), **binding}
        return fields.reveal(getattr(provider, name), place)
    except TokenUndecryptable:
        return None


def altered_addresses(provider: Provider) -> dict[str, str]:
    """
    Return what was pinned of the columns that were changed by SQL; "" for nothing.

    Of a pin that does not open nothing is known, so all of them are in doubt.
    """
    try:
        altered = provider.altered_columns()
        pinned = (provider.pinned_values() or {}) if altered else {}
    except (TokenUndecryptable, ImproperlyConfigured):
        altered, pinned = list(PINNED_FIELDS), {}
    return {name: pinned.get(name, "") for name in altered}


def addresses_before(provider: Provider) -> dict[str, str]:
    """Return where a stored provider is, as it was pinned, or else as its row says."""
    try:
        pinned = provider.pinned_values()
    except TokenUndecryptable:
        pinned = None
    if pinned is not None:
        return {name: pinned.get(name, "") for name in ENDPOINT_FIELDS}
    stored: dict[str, str] = provider.stored_row().values(*ENDPOINT_FIELDS).get()
    return stored


def is_elsewhere(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """
    Say whether an address is at a host where the provider was not, or the issuer another.

    before, after: the values of ENDPOINT_FIELDS. Nobody is asked again because a path
    changed, or an endpoint was added beside the others.
    """
    if before["issuer"] != after["issuer"]:
        return True
    known = {origin_of(address) for address in before.values()}
    now = {origin_of(address) for address in after.values()}
    return not now <= known | {""}


def addresses_with(provider: Provider, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the addresses of a provider, those among `values` changed."""
    return {n: values.get(n, getattr(provider, n)) for n in ENDPOINT_FIELDS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stake:
    """What a change of a provider does to its accounts."""

    kind: Literal["elsewhere", "client_id"]
    """They stop, or the service is going to refuse their refresh tokens."""
    number: int
    """Active accounts, counted up to one more than MOST_COUNTED."""


def at_stake(
    provider: Provider, values: Mapping[str, Any], *, accepts: bool
) -> Stake | None:
    """
    Return what saving new values would do to active accounts; None for nothing.

    provider: as it was read. accepts: whether addresses in doubt are taken for right;
    otherwise they can only be put back, which stops nobody.
    """
    if provider._state.adding:
        return None
    after = addresses_with(provider, values)
    in_doubt = bool(altered_addresses(provider)) and not accepts
    if not in_doubt and _moves(provider, after):
        kind: Literal["elsewhere", "client_id"] = "elsewhere"
    elif values.get("client_id", provider.client_id) != provider.client_id:
        kind = "client_id"
    else:
        return None
    active = provider.accounts.filter(status=ConnectedAccount.Status.ACTIVE)
    number = count_up_to_bound(active)
    return Stake(kind=kind, number=number) if number else None


def _moves(provider: Provider, after: Mapping[str, str]) -> bool:
    try:
        return is_elsewhere(addresses_before(provider), after)
    except ImproperlyConfigured:
        # Nothing can be saved without keys, and somebody else says so.
        return False


def count_up_to_bound(rows: QuerySet[Any]) -> int:
    """Return how many rows there are, one more than MOST_COUNTED for any that are more."""
    return rows.order_by()[: MOST_COUNTED + 1].count()


def pause_accounts(provider: Provider, actor: Any = None) -> int:
    """
    Stop the active accounts of a provider that has moved; return how many there were.

    actor: user for the audit. They come back by connecting again, or by `rebind`.
    """
    active = provider.accounts.filter(status=ConnectedAccount.Status.ACTIVE)
    stopped = 0
    with transaction.atomic(using=provider.write_alias):
        locked = active.select_for_update().order_by("pk")
        keys = list(locked.values_list("pk", flat=True))
        for start in range(0, len(keys), BATCH_SIZE):
            stopped += _pause(provider, keys[start : start + BATCH_SIZE], actor)
    return stopped


def _pause(provider: Provider, keys: list[Any], actor: Any) -> int:
    # The leases stay: a refresh that is under way may still store what it gets.
    number = provider.accounts.filter(pk__in=keys).update(
        status=ConnectedAccount.Status.DISABLED,
        status_reason="provider_changed",
        reason_before="",
        refresh_due_at=None,
    )
    AccountEvent.objects.using(provider.write_alias).bulk_create(
        AccountEvent(
            kind=AccountEvent.Kind.DISABLED,
            reason="provider_changed",
            provider=provider,
            account_id=key,
            account_key=key,
            actor=actor,
        )
        for key in keys
    )
    return number
