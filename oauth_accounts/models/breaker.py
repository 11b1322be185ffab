"""The circuit breaker of a provider: closed, open for a while, or half open."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, Q

from oauth_accounts.clock import DatabaseNow
from oauth_accounts.exceptions import ProviderUnavailable
from oauth_accounts.models.provider_columns import ProviderColumns

# A pause in a row lasts twice as long as the one before it, up to this.
LONGEST_PAUSE_SECONDS = 900.0
# No pause is longer, whatever a provider asks for.
MAX_PAUSE_SECONDS = 86_400.0
# For one trial call: a lease (60 s) would keep everybody waiting for a worker that died.
PROBE_SECONDS = 30.0


def open_now() -> Q:
    """Return the condition that no call may be made, by the database's clock."""
    return Q(paused_until__gt=DatabaseNow())


def half_open_now() -> Q:
    """Return the condition that a pause ran out and no success has come since."""
    return Q(paused_until__lte=DatabaseNow()) & ~Q(pause_reason="")


def probed_now() -> Q:
    """Return the condition that somebody makes a trial call at the moment."""
    return Q(probe_until__gt=DatabaseNow())


class Breaker(ProviderColumns):
    """
    Pauses all calls to a provider that refuses or cannot answer.

    Closed: calls are made. Open: none is, until `paused_until`. Half open: the pause is
    over, and one caller at a time may try; its success closes the breaker, its failure
    opens it for longer. Every change is one conditional UPDATE judged by the database's
    clock, so that workers whose clocks differ agree.
    """

    if TYPE_CHECKING:
        events: Any

    class Meta:
        abstract = True

    def seconds_paused(self) -> float:
        """Return for how many more seconds no call may be made; asks the database."""
        if self.paused_until is None:
            return 0.0
        row: Any = self.stored_row().values_list("paused_until", DatabaseNow())
        until, now = row.first() or (None, None)
        if until is None:
            return 0.0
        left: timedelta = until - now
        return max(0.0, left.total_seconds())

    def is_paused(self) -> bool:
        """Say whether the circuit breaker is open."""
        return self.seconds_paused() > 0

    def require_unpaused(self) -> None:
        """Raise ProviderUnavailable while the circuit breaker is open."""
        if (left := self.seconds_paused()) > 0:
            raise ProviderUnavailable("provider_paused", retry_after=max(1.0, left))

    def is_half_open(self) -> bool:
        """Say whether a pause is over and no success has closed the breaker since."""
        if not self.pause_reason:
            return False
        return self.stored_row().filter(half_open_now()).exists()

    def pause(
        self, seconds: float, reason: str, *, longest: float = LONGEST_PAUSE_SECONDS
    ) -> bool:
        """
        Open the circuit breaker; return False when it was open for this reason already.

        seconds: how long no call is made, at least; an open breaker stays open for so
        long from now. A pause that follows others without a success between lasts twice
        as long with each, up to `longest` seconds. reason: code to show to
        administrators.
        """
        # Read before the transaction: SQLite lets none begin with a read and then write
        # what another has written meanwhile.
        count = self.stored_row().values_list("pause_count", flat=True).first() or 0
        with transaction.atomic(using=self.write_alias):
            lasting = _escalated(seconds, count, longest)
            changed = self._open(lasting, reason, count) or self._prolong(
                seconds, reason
            )
            if changed:
                self._record("provider_paused", reason)
        self._read_state()
        return changed

    def _open(self, seconds: float, reason: str, count: int) -> bool:
        """Open a breaker that is closed or half open, after so many pauses in a row."""
        rows = self.stored_row().exclude(open_now()).filter(pause_count=count)
        opened = rows.update(
            paused_until=_after(seconds),
            pause_reason=reason,
            pause_count=F("pause_count") + 1,
            probe_until=None,
        )
        return bool(opened)

    def _prolong(self, seconds: float, reason: str) -> bool:
        """Keep an open breaker open for as long as another answer asks for."""
        until = _after(min(seconds, MAX_PAUSE_SECONDS))
        rows = self.stored_row().filter(open_now(), paused_until__lt=until)
        # What was refused for another reason is news, which somebody has to be told.
        if rows.exclude(pause_reason=reason).update(
            paused_until=until, pause_reason=reason
        ):
            return True
        rows.update(paused_until=until)
        return False

    def resume(self, actor: Any = None, reason: str = "by_admin") -> bool:
        """
        Close the circuit breaker by hand; return False when it was closed already.

        actor: user for the audit. reason: code for the audit.
        """
        paused = ~Q(pause_reason="") | Q(paused_until__isnull=False)
        return self._close(paused, reason, actor)

    def take_probe(self) -> bool:
        """
        Take the right to make one trial call; return whether this caller got it.

        A half-open breaker gives it to one caller in the whole cluster. It runs out
        after PROBE_SECONDS, so that the next may try when its holder died.
        """
        rows = self.stored_row().filter(half_open_now()).exclude(probed_now())
        return bool(rows.update(probe_until=_after(PROBE_SECONDS)))

    def proved(self) -> bool:
        """
        Close a half-open breaker, because the provider answered as it should.

        Return whether this call closed it; an open one stays open, for it was opened
        after the answer's request was sent.
        """
        return self._close(half_open_now(), "answered")

    def _close(self, condition: Q, reason: str, actor: Any = None) -> bool:
        with transaction.atomic(using=self.write_alias):
            changed = (
                self.stored_row()
                .filter(condition)
                .update(
                    paused_until=None, pause_reason="", pause_count=0, probe_until=None
                )
            )
            if changed:
                self._record("provider_resumed", reason, actor)
        self._read_state()
        return bool(changed)

    def _record(self, kind: str, reason: str, actor: Any = None) -> None:
        events = self.events.using(self.write_alias)
        events.create(kind=kind, reason=reason, actor=actor, provider=self)

    def _read_state(self) -> None:
        names = ("paused_until", "pause_reason", "pause_count", "probe_until")
        for name, value in (self.stored_row().values(*names).first() or {}).items():
            setattr(self, name, value)


def _escalated(seconds: float, count: int, longest: float) -> float:
    doubled = seconds * 2.0 ** min(count, 20)
    return min(max(seconds, min(doubled, longest)), MAX_PAUSE_SECONDS)


def _after(seconds: float) -> Any:
    return DatabaseNow() + timedelta(seconds=seconds)
