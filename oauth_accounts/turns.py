"""One provider's part in a sweep: what is claimed, and how many calls it gets at a time."""

from __future__ import annotations

import math
import time
import uuid
from collections import deque
from dataclasses import dataclass

from oauth_accounts import batch, renew
from oauth_accounts.callers import Call, Outcome
from oauth_accounts.conf import conf
from oauth_accounts.exceptions import (
    OAuthAccountsError,
    ProviderMisconfigured,
    TokenUndecryptable,
)
from oauth_accounts.lease import holds
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.protocol.client import OAuth2Client

BATCH_SIZE = 250
FIRST_BATCH = 100
# A batch that is sent faster than this may be larger next time, one slower smaller: what
# is leased and waits for its turn could be refreshed by another worker meanwhile.
QUICK_SECONDS, SLOW_SECONDS = 1.0, 3.0
# Calls to begin with: a provider that refuses this client, or asks for fewer calls, has
# answered before the third is sent.
FIRST_WINDOW = 2.0
# Calls in a row without an answer, after which nobody else is called.
UNHEARD_LIMIT = 10
# What the write may take on top of the call, before the lease is over.
WRITE_SECONDS = 15.0
# When a due account cannot be refreshed now, and nothing was sent.
REFUSED_RETRY_SECONDS = 60.0

# How many calls at a time a provider has proved to bear, in this process.
_windows: dict[uuid.UUID, float] = {}


@dataclass(kw_only=True, slots=True)
class Result:
    """What one sweep did, in accounts."""

    refreshed: int = 0
    """A new token is stored."""

    failed: int = 0
    """A reaction was recorded: back-off, reauthorisation, pause."""

    skipped: int = 0
    """Somebody else took it meanwhile."""

    @property
    def done(self) -> int:
        return self.refreshed + self.failed + self.skipped


class Turn:
    """
    The accounts of one provider that this sweep has leased, and their calls.

    provider: as it was read now; it may be called. limit: calls at a time at most.
    result: to count those that cannot be called.
    """

    def __init__(self, provider: Provider, limit: int, result: Result) -> None:
        self.provider = provider
        self.limit = limit
        self.result = result
        self.claimed = 0
        self.flying = 0
        self.unheard = 0
        self.closed = False
        self.exhausted = False
        self.not_before = 0.0
        self.called_at = 0.0
        # None of those that were looked at last could be called: there may be others.
        self.in_vain = False
        self._client: OAuth2Client | None = None
        self._ready: deque[ConnectedAccount] = deque()
        self._armed: deque[Call] = deque()
        self._slots = 0
        self._batch_size = FIRST_BATCH
        self._batch_began = 0.0
        self._probing = provider.is_half_open()
        self.window = 1.0 if self._probing else _windows.get(provider.pk, FIRST_WINDOW)
        if self._probing and not provider.take_probe():
            self.closed = True

    @property
    def has_work(self) -> bool:
        """Say whether calls are under way or can still be made."""
        return bool(self.flying or self.waiting)

    @property
    def waiting(self) -> bool:
        """Say whether something is left to be called."""
        return not self.closed and bool(
            self._armed or self._ready or not self.exhausted
        )

    def next_calls(self, share: int, left: float) -> list[Call]:
        """
        Return the calls to make now.

        share: calls at a time that this provider may have. left: accounts that may still
        be claimed.
        """
        self.in_vain = False
        room = int(min(self.window, share)) - self.flying
        if room <= 0 or not self.waiting or time.monotonic() < self.not_before:
            return []
        self._prepare(room, left)
        wanted = min(room, len(self._armed))
        if wanted and not self._slots:
            self._slots = self.provider.reserve_slots(wanted)
            if not self._slots:
                wait = max(0.05, self.provider.seconds_until_slot())
                self.not_before = time.monotonic() + wait
        calls = [self._armed.popleft() for _ in range(min(wanted, self._slots))]
        self._slots -= len(calls)
        self.flying += len(calls)
        if calls:
            self.called_at = time.monotonic()
        return calls

    def learn(self, outcome: Outcome) -> None:
        """Open the window with each success, and close it with what goes unheard."""
        self.flying -= 1
        if outcome.values is not None:
            self.unheard = 0
            self._probing = False
            # Twice as many with each round of answers.
            self.window = min(self.window + 1, self.limit)
            _windows[self.provider.pk] = self.window

    def slow_down(self) -> None:
        """Go on with half as many calls at a time, after one that was not answered."""
        self.unheard += 1
        self.window = max(1.0, self.window / 2)
        _windows[self.provider.pk] = self.window

    def close(self) -> None:
        """Make no further call, and give back what was claimed for one."""
        self.closed = True
        _windows.pop(self.provider.pk, None)
        self.give_back()

    def give_back(self) -> None:
        """Release what was claimed and not sent."""
        armed = [call.account for call in self._armed]
        ready = list(self._ready)
        self._armed.clear()
        self._ready.clear()
        batch.release(armed, armed=True)
        batch.release(ready, armed=False)

    def _prepare(self, room: int, left: float) -> None:
        """Have enough armed calls, so that none waits for the database."""
        self._renew_armed()
        if len(self._armed) >= room:
            return
        if not self._ready and not self.exhausted:
            self._claim(left)
        # As many again, so that the next calls need no query of their own.
        wanted = max(room, int(self.window))
        chosen = [self._ready.popleft() for _ in range(min(wanted, len(self._ready)))]
        self._arm([account for account in chosen if self._is_refreshable(account)])
        self.in_vain = bool(chosen) and not self._armed

    def _claim(self, left: float) -> None:
        self._learn_pace()
        if not self._read_provider():
            self.exhausted = True
            return
        size = int(min(1 if self._probing else self._batch_size, left, self._pace()))
        if not self.provider.enabled or self.provider.is_paused() or size <= 0:
            self.exhausted = True
            return
        self._client = self._make_client()
        accounts = batch.claim_due(self.provider, size)
        self._batch_began = time.monotonic()
        self.exhausted = len(accounts) < size
        self._ready.extend(accounts)
        self.claimed += len(accounts)

    def _read_provider(self) -> bool:
        """Read the provider again; return False when it is gone or another by now."""
        stored = Provider.objects.using(batch.alias()).filter(pk=self.provider.pk)
        fresh = stored.first()
        # Answers under way are sealed for what they were asked of, and nothing else.
        if fresh is None or fresh.binding() != self.provider.binding():
            return False
        self.provider.take_over(fresh)
        return True

    def _pace(self) -> float:
        """Return how many accounts can be sent in half of a lease."""
        limit = self.provider.max_refreshes_per_minute
        # What waits for a slot under a lease keeps those waiting who want it now.
        return math.inf if limit is None else min(limit, max(1, limit // 2))

    def _make_client(self) -> OAuth2Client | None:
        try:
            return self.provider.oauth_client()
        except (TokenUndecryptable, ProviderMisconfigured):
            # Found out again, and recorded, for each account.
            return None

    def _learn_pace(self) -> None:
        """Claim what is sent in good time before the leases run out."""
        if not self._batch_began:
            return
        took = time.monotonic() - self._batch_began
        if took < QUICK_SECONDS:
            self._batch_size = min(BATCH_SIZE, self._batch_size * 2)
        elif took > SLOW_SECONDS:
            self._batch_size = max(1, self._batch_size // 2)

    def _is_refreshable(self, account: ConnectedAccount) -> bool:
        try:
            renew.require_refreshable(account, account.lease)
        except OAuthAccountsError:
            self.result.failed += 1
            batch.release([account], armed=False, retry_in=REFUSED_RETRY_SECONDS)
            return False
        return True

    def _arm(self, accounts: list[ConnectedAccount]) -> None:
        if not accounts:
            return
        armed = batch.arm(accounts)
        self.result.skipped += len(accounts) - len(armed)
        self._armed.extend(
            Call(account=account, claim=claim, client=self._client)
            for account, claim in armed
        )

    def _renew_armed(self) -> None:
        """Renew the leases of calls that had to wait for their turn."""
        needed = conf.OAUTH_ACCOUNTS_HTTP_TIMEOUT + WRITE_SECONDS
        if not self._armed or holds(self._armed[0].claim, needed):
            return
        waited = list(self._armed)
        self._armed.clear()
        for lease in dict.fromkeys(call.claim.lease for call in waited):
            group = [call.account for call in waited if call.claim.lease == lease]
            kept = batch.extend(group)
            self.result.skipped += len(group) - len(kept)
            self._armed.extend(
                Call(account=account, claim=claim, client=self._client)
                for account, claim in kept
            )
