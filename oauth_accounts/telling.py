"""What a sweep tells of stored answers: signals, events and numbers, off the writer's way."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from django.db import DatabaseError, connections

from oauth_accounts import durable, outages, reactions, signals
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import ConnectedAccount, Provider

logger = logging.getLogger("oauth_accounts")

# A count for each refresh would make one row of the database the busiest of all.
COUNT_SECONDS = 1.0
# What waits for receivers is held in memory, and outlasts the sweep's own time.
LONGEST_QUEUE = 200


class Telling:
    """
    Tells of successes, in a thread of its own: a slow receiver must not delay a write.

    alias: the database that accounts are written to.
    """

    def __init__(self, alias: str) -> None:
        self._alias = alias
        # A test's transaction, or a database in memory, is seen by this thread only.
        self._is_alone = durable.is_inline() or durable.is_in_memory(alias)
        self._thread: ThreadPoolExecutor | None = None
        self._submitted = self._told = 0
        self._counts: Counter[Provider] = Counter()
        self._counted_at = monotonic()

    def succeeded(
        self, account: ConnectedAccount, before: tuple[list[str] | None, int]
    ) -> None:
        """Tell of one stored answer. before: scopes, and failures in a row."""
        self._counts[account.provider] += 1
        outages.succeeded(account.provider)
        if not self._is_news(account, *before):
            return
        if self._is_alone:
            reactions.stored(account, True, *before, counted=True)
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "oauth_accounts.telling")
        self._submitted += 1
        self._thread.submit(self._tell, account, before)

    def is_behind(self) -> bool:
        """Say whether the receivers are too slow for further calls."""
        return self._submitted - self._told > LONGEST_QUEUE

    def _tell(
        self, account: ConnectedAccount, before: tuple[list[str] | None, int]
    ) -> None:
        try:
            reactions.stored(account, True, *before, counted=True)
        finally:
            self._told += 1
            # What broke the connection is not to break the rest of them.
            connections[self._alias].close_if_unusable_or_obsolete()

    def count(self, *, now: bool = False) -> None:
        """Write the numbers, once a second, or now."""
        if not now and monotonic() - self._counted_at < COUNT_SECONDS:
            return
        self._counted_at = monotonic()
        counts, self._counts = self._counts, Counter()
        for provider, count in counts.items():
            try:
                provider.refresh_statistics.record("success", count=count)
            except DatabaseError as error:
                logger.warning(
                    "%s refreshes are stored, but could not be counted (%s).",
                    count,
                    type(error).__name__,
                )

    def stop(self) -> None:
        """Write what is left, and wait for the receivers."""
        self.count(now=True)
        if self._thread is not None:
            self._thread.submit(connections.close_all)
            self._thread.shutdown()

    def _is_news(
        self, account: ConnectedAccount, scopes: list[str] | None, failures: int
    ) -> bool:
        return bool(
            failures
            or signals.tokens_refreshed.has_listeners(ConnectedAccount)
            or (scopes is not None and set(scopes) != set(account.scopes or ()))
        )


def attempt(work: Callable[[], None], account: object = None) -> bool:
    """Do what must not end the sweep; its outcome is recorded on the row."""
    try:
        work()
    except OAuthAccountsError:
        return False
    except Exception as error:  # noqa: BLE001  # a mistake is no reason either
        log_failure(account, error)
        return False
    return True


def log_failure(account: object, error: Exception) -> None:
    """Name an account whose refresh went wrong, and never what it holds."""
    # The lease of the row runs out, and it is looked at again.
    logger.warning(
        "The refresh of account %s ended with %s.",
        getattr(account, "pk", None),
        type(error).__name__,
    )
