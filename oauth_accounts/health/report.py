"""How things stand, all of it at one moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from oauth_accounts import keyring, rotate
from oauth_accounts.health import sweeps
from oauth_accounts.health.census import Census
from oauth_accounts.health.day import Day
from oauth_accounts.health.outbox import Outbox
from oauth_accounts.health.providers import Register, State

# The states in which a provider's accounts are refreshed.
CALLED = frozenset({"ready", "trial"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What the overview tells, and what follows from it."""

    register: Register
    census: Census
    day: Day
    outbox: Outbox

    def is_empty(self) -> bool:
        """Say whether there is neither a provider nor an account."""
        return not self.register.states

    def is_unswept(self) -> bool:
        """Say whether something should be swept, and nobody does it."""
        missing = sweeps.are_missing(self.register.swept_at, self.register.now)
        return missing and any(s.provider.enabled for s in self.register.states)

    def overdue(self) -> int:
        """Return how many accounts wait too long where nothing but work is missing."""
        called = {s.provider.pk for s in self.register.states if s.code in CALLED}
        queues = self.census.queues.items()
        return sum(queue.overdue for key, queue in queues if key in called)

    def of_code(self, code: str) -> list[State]:
        """Return the providers in one state."""
        return [state for state in self.register.states if state.code == code]

    def keys_by_age(self) -> Counter[str]:
        """
        Return how many accounts are under the newest, older and unknown keys.

        Raises ImproperlyConfigured when FERNET_KEYS is not usable.
        """
        ring = keyring.current()
        ages: Counter[str] = Counter()
        for key_id, count in self.census.keys.items():
            ages[rotate.age_of(key_id, ring)] += count
        return ages

    def keys_problem(self) -> str:
        """Return what is wrong with FERNET_KEYS, "" for nothing."""
        try:
            keyring.current()
        except ImproperlyConfigured as error:
            return str(error)
        return ""

    def failed_as(self, code: str) -> int:
        """Return how many refreshes of the last day failed with a code."""
        failures: Counter[tuple[Any, str]] = self.day.failures
        return sum(
            count for (_key, reason), count in failures.items() if reason == code
        )
