"""
One refresh of an account at a time in this process, and all who want it share its outcome.

The lease does that between processes, at the price of looking at the database over and
over; threads of one process wait for each other without any.
"""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oauth_accounts import turnstile
from oauth_accounts.exceptions import ProviderUnavailable, TokenError

if TYPE_CHECKING:
    from oauth_accounts.models import ConnectedAccount


@dataclass(slots=True)
class Flight:
    """A refresh that is under way, and what became of it."""

    landed: threading.Event = field(default_factory=threading.Event)
    leader: int = field(default_factory=threading.get_ident)
    began: float = field(default_factory=time.monotonic)
    state: dict[str, Any] | None = field(default=None, repr=False)
    """The account's columns afterwards; None when nobody knows."""
    error: TokenError | None = None


_flights: dict[tuple[str, Any], Flight] = {}
_lock = threading.Lock()


def share(
    account: ConnectedAccount,
    work: Callable[[], None],
    *,
    seconds: float,
    content: Callable[[], bool],
) -> None:
    """
    Do the work, or wait for the thread that is doing it and take over its outcome.

    work: refreshes the account. seconds: to wait at most.
    content: whether the account's present token will do, so that nobody need be waited for.

    Raises what the work raises, also to those who waited, and ProviderUnavailable
    "refresh_in_progress" when it takes longer, "provider_busy" when many wait long.
    """
    key = (account.write_alias, account.pk)
    deadline = time.monotonic() + seconds
    while True:
        mine = Flight()
        try:
            with _lock:
                flight = _flights.setdefault(key, mine)
            if flight is mine:
                _lead(account, mine, work)
                return
        finally:
            # Here, so that a signal at any moment leaves none that never lands.
            _land(key, mine)
        if flight.leader == threading.get_ident():
            # A receiver of a signal asks from within the refresh that it was told of.
            work()
            return
        if content():
            return
        if not _wait(flight, account.provider.slug, deadline):
            raise ProviderUnavailable("refresh_in_progress", retry_after=5)
        if _join(account, flight):
            return


def _wait(flight: Flight, slug: str, deadline: float) -> bool:
    """Wait for a flight to land; for one that takes long, as one of a few."""
    quick = min(flight.began + turnstile.SLOW_SECONDS, deadline)
    if flight.landed.wait(max(0.0, quick - time.monotonic())):
        return True
    with turnstile.turn(slug, patient=False):
        return flight.landed.wait(max(0.0, deadline - time.monotonic()))


def _land(key: tuple[str, Any], flight: Flight) -> None:
    with _lock:
        if _flights.get(key) is flight:
            del _flights[key]
    flight.landed.set()


def _lead(account: ConnectedAccount, flight: Flight, work: Callable[[], None]) -> None:
    try:
        work()
        flight.state = account.engine_state()
    except TokenError as error:
        flight.state, flight.error = account.engine_state(), error
        raise


def _join(account: ConnectedAccount, flight: Flight) -> bool:
    """Take over what became of a flight; return False when it was nothing."""
    if flight.state is None:
        return False
    moved: bool = flight.state["generation"] != account.generation
    account.adopt(flight.state)
    if flight.error is not None:
        # A copy: a traceback belongs to one thread.
        raise copy.copy(flight.error)
    return moved


def _forget() -> None:
    # The threads that would have landed them are not in the child.
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _flights.clear()


os.register_at_fork(after_in_child=_forget)
