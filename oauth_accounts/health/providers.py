"""In which state each provider is, and what stops it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Subquery

from oauth_accounts import clock, moving
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models import Health, Provider
from oauth_accounts.models.provider import missing_configuration


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """One provider and the state it is in."""

    provider: Provider

    code: str
    """"ready", "disabled", "in_doubt", "incomplete", "paused" or "trial"."""

    missing: tuple[str, ...] = ()
    """Names of the fields that an incomplete one lacks."""

    altered: tuple[str, ...] = ()
    """Names of the columns that are in doubt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Register:
    """All providers at one moment, and what else is known from the same query."""

    states: tuple[State, ...]
    """In the order of their names."""

    now: datetime
    """By the database's clock, which decides about pauses."""

    swept_at: datetime | None
    """When the last sweep of all providers began."""

    def keys(self, *, enabled: bool = False) -> list[Any]:
        """Return the primary keys. enabled: of those only that accounts refresh at."""
        return [
            state.provider.pk
            for state in self.states
            if state.provider.enabled or not enabled
        ]


def read() -> Register:
    """Read all providers, with one query however many there are."""
    swept = Health.objects.values("swept_at")[:1]
    # Neither is needed to tell the state, and what is not read cannot leak.
    rows = Provider.objects.defer("previous_client_secret", "private_key")
    found: list[Any] = list(
        rows.annotate(_now=DatabaseNow(), _swept_at=Subquery(swept))
    )
    now = found[0]._now if found else clock.utcnow()
    return Register(
        states=tuple(state_of(provider, now) for provider in found),
        now=now,
        # Where there are no providers, nothing is to be swept.
        swept_at=found[0]._swept_at if found else None,
    )


def state_of(provider: Provider, now: datetime) -> State:
    """Return the state of a provider. now: by the database's clock."""
    if not provider.enabled:
        return State(provider=provider, code="disabled")
    if altered := tuple(moving.altered_addresses(provider)):
        return State(provider=provider, code="in_doubt", altered=altered)
    if missing := tuple(missing_configuration(provider)):
        return State(provider=provider, code="incomplete", missing=missing)
    if not provider.pause_reason:
        return State(provider=provider, code="ready")
    until = provider.paused_until
    is_open = until is not None and until > now
    return State(provider=provider, code="paused" if is_open else "trial")
