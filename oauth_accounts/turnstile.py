"""
How many callers of this process may be busy with one provider at a time.

One that hangs would otherwise hold every thread of a web server. While it answers quickly the
others wait for their turn; once it does not, they are told at once to come back later.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from oauth_accounts.conf import LEASE_SECONDS, conf
from oauth_accounts.exceptions import ProviderUnavailable

# Nobody waits for a turn behind a call that takes longer, nor longer than that at all.
SLOW_SECONDS = 2.0
WAIT_SECONDS = 10.0
RETRY_SECONDS = 5.0
# Of a thread that was interrupted before it could leave; no call takes as long.
FORGOTTEN_SECONDS = 2.0 * LEASE_SECONDS

# By slug: who is inside, and since when.
_inside: dict[str, dict[int, float]] = {}
_left = threading.Condition()


@contextmanager
def turn(slug: str, *, patient: bool = True) -> Iterator[None]:
    """
    Hold one of a provider's OAUTH_ACCOUNTS_CALLS_PER_PROVIDER turns.

    slug: of the provider. patient: wait for a turn, if one comes soon.
    Who has one already, such as a receiver of a signal, needs no second.
    Raises ProviderUnavailable "provider_busy" when there is none.
    """
    me = threading.get_ident()
    if me in _inside.get(slug, ()):
        yield
        return
    _enter(slug, me, patient)
    try:
        yield
    finally:
        _leave(slug, me)


def _enter(slug: str, me: int, patient: bool) -> None:
    until = monotonic() + (WAIT_SECONDS if patient else 0.0)
    # Check E005 says that none at all is wrong; here one is the least.
    limit = max(1, conf.OAUTH_ACCOUNTS_CALLS_PER_PROVIDER)
    with _left:
        while len(inside := _those_inside(slug)) >= limit:
            slow_at = min(inside.values()) + SLOW_SECONDS
            left = min(until, slow_at) - monotonic()
            if left <= 0:
                raise ProviderUnavailable("provider_busy", retry_after=RETRY_SECONDS)
            _left.wait(left)
        inside[me] = monotonic()


def _those_inside(slug: str) -> dict[int, float]:
    forgotten = monotonic() - FORGOTTEN_SECONDS
    inside = _inside.setdefault(slug, {})
    for caller in [one for one, since in inside.items() if since < forgotten]:
        del inside[caller]
    return inside


def _leave(slug: str, me: int) -> None:
    with _left:
        inside = _inside.get(slug, {})
        inside.pop(me, None)
        if not inside:
            # The slug comes from a URL: there may be any number of them.
            _inside.pop(slug, None)
        _left.notify_all()


def _forget() -> None:
    # The threads that would have left are not in the child.
    global _left  # noqa: PLW0603
    _left = threading.Condition()
    _inside.clear()


os.register_at_fork(after_in_child=_forget)
