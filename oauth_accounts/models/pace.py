"""How fast a provider may be asked: `max_refreshes_per_minute` for the whole cluster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models.functions import Coalesce, Greatest, Least

from oauth_accounts import clock
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models.provider_columns import ProviderColumns

WINDOW = timedelta(seconds=60)
# Each lost race means that somebody else got a slot, so that few rounds are ever needed.
ROUNDS = 100


@dataclass(frozen=True, slots=True)
class _Slots:
    """Where the queue of slots stands."""

    stored: datetime | None
    """The column, to compare with when it is written."""

    begins: datetime
    """When the next slot would come if all were evenly spaced."""

    now: datetime
    """By the database's clock."""

    @classmethod
    def at(cls, stored: datetime | None, now: datetime) -> _Slots:
        # A date further ahead than can be owed was written under another clock.
        return cls(stored, min(max(stored or now, now), now + WINDOW), now)


class Pace(ProviderColumns):
    """
    Hands out slots for refreshes, so that no 60 seconds hold more than the limit.

    The generic cell rate algorithm: one date says how far the slots are taken, and a few
    of them (a sixth of a minute's) may be taken at once.
    """

    class Meta:
        abstract = True

    def reserve_slots(self, wanted: int) -> int:
        """
        Take up to so many slots; return how many refreshes may be sent now.

        Without a limit these are all, and the database is not asked.
        """
        if self.max_refreshes_per_minute is None or wanted <= 0:
            return max(0, wanted)
        for _round in range(ROUNDS):
            slots = self._slots()
            granted = min(wanted, self._free(slots))
            if granted <= 0 or self._take(slots, granted):
                return max(0, granted)
        return 0

    def seconds_until_slot(self) -> float:
        """Return in how many seconds a slot will be free; 0.0 when one is."""
        if self.max_refreshes_per_minute is None:
            return 0.0
        if not self.max_refreshes_per_minute:
            return WINDOW.total_seconds()
        slots = self._slots()
        wait = slots.begins - slots.now - self._interval() * (self._burst() - 1)
        return max(0.0, wait.total_seconds())

    def count_slot(self) -> None:
        """
        Count a refresh that somebody waits for, and which the limit does not refuse.

        No more than a minute's worth is owed, so that such refreshes cannot keep the
        sweep from working for longer than the limit is about.
        """
        if not self.max_refreshes_per_minute:
            return
        now: Any = DatabaseNow()
        begins = Greatest(Coalesce("refresh_slots_at", now), now)
        self.stored_row().update(
            refresh_slots_at=Least(begins + self._interval(), now + WINDOW)
        )

    def _burst(self) -> int:
        return max(1, (self.max_refreshes_per_minute or 0) // 6)

    def _interval(self) -> timedelta:
        # So that a burst and what follows it in the same minute make up the limit; upwards
        # to the microsecond, for many that are a little short would make room for one.
        limit = self.max_refreshes_per_minute or 1
        return -(-WINDOW // (limit - self._burst() + 1))

    def _free(self, slots: _Slots) -> int:
        if not self.max_refreshes_per_minute:
            return 0
        taken = slots.begins - slots.now
        return int((self._interval() * self._burst() - taken) // self._interval())

    def _take(self, slots: _Slots, count: int) -> bool:
        row = self.stored_row().filter(refresh_slots_at=slots.stored)
        if slots.stored is None:
            row = self.stored_row().filter(refresh_slots_at__isnull=True)
        until = slots.begins + self._interval() * count
        return bool(row.update(refresh_slots_at=until))

    def _slots(self) -> _Slots:
        row: Any = self.stored_row().values_list("refresh_slots_at", DatabaseNow())
        stored, now = row.first() or (None, None)
        if now is None:
            # Deleted meanwhile: nothing may be sent.
            now = clock.utcnow()
            return _Slots(None, now + 2 * WINDOW, now)
        return _Slots.at(stored, now)
