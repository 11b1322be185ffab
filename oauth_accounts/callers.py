"""Threads that call providers and do nothing else: no database, no signals."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from oauth_accounts.exceptions import ProviderUnavailable
from oauth_accounts.lease import Claim
from oauth_accounts.models import ConnectedAccount
from oauth_accounts.protocol.client import OAuth2Client
from oauth_accounts.renew import Reply, ask

logger = logging.getLogger("oauth_accounts")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One refresh that is under way."""

    account: ConnectedAccount
    """As it was read under its lease."""
    claim: Claim
    """What the write of its answer is fenced by."""
    client: OAuth2Client | None
    """Speaks to the account's provider; None makes one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a call."""

    call: Call
    reply: Reply
    values: dict[str, Any] | None = field(default=None, repr=False)
    """The columns of a usable answer, tokens sealed."""
    landed_at: float = field(default_factory=time.monotonic)
    """Monotonic seconds: an answer is stored soon after, whatever else there is to do."""


class Callers:
    """
    A pool of threads, started as they are needed.

    limit: threads at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._threads: list[threading.Thread] = []
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self.landed: deque[Outcome] = deque()
        """What has come of calls; whoever has dealt with the first one removes it."""

    def start(self, call: Call, flying: int) -> None:
        """Hand over a call. flying: calls under way, this one included."""
        if len(self._threads) < min(flying, self._limit):
            thread = threading.Thread(
                target=self._work, name="oauth_accounts.caller", daemon=True
            )
            self._start(thread)
        self._calls.put(call)

    def _start(self, thread: threading.Thread) -> None:
        try:
            thread.start()
        except RuntimeError:
            # The machine gives no more; those that run take its calls in turn.
            if not self._threads:
                raise
            self._limit = len(self._threads)
        else:
            self._threads.append(thread)

    def wait(self, seconds: float) -> None:
        """Return when something has landed, or when so much time is over."""
        try:
            # Unlike a wait for a thread, one for a queue is safely interrupted by signals.
            if not self.landed:
                self._bell.get(timeout=max(0.0, seconds))
            while True:
                self._bell.get_nowait()
        except Empty:
            return

    def stop(self) -> None:
        """Let the threads end, each after the call it is making."""
        for _thread in self._threads:
            self._calls.put(None)
        self._threads = []

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            self.landed.append(_make(call))
            self._bell.put(None)


def _make(call: Call) -> Outcome:
    # Whatever happens, a call has to land: the sweep waits for it.
    reply = Reply(error=ProviderUnavailable("outcome_unknown"))
    values = None
    try:
        reply = ask(call.account, call.claim, call.client)
        values = _values(call.account, reply)
    except Exception as error:  # noqa: BLE001
        logger.error(  # noqa: TRY400  # a message may hold what the provider sent
            "The call for account %s ended with %s.",
            call.account.pk,
            type(error).__name__,
        )
    return Outcome(call=call, reply=reply, values=values)


def _values(account: ConnectedAccount, reply: Reply) -> dict[str, Any] | None:
    """Seal a usable answer here already: the writer has enough to do."""
    tokens = reply.tokens
    if tokens is None or not tokens.usable or reply.for_another:
        return None
    return account.token_values(tokens)
