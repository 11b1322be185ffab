"""
A hundred million accounts: cohorts that share their dates, in steps of one second.

A cohort stands for `weight` accounts. Calls, pauses and probes are counted in accounts; what
is smaller than a cohort is carried over to the next second.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.model import (
    BEAT,
    PAUSE_FIRST,
    RATE_LIMIT_PAUSE,
    TRIP_AFTER,
    Engine,
    Provider,
    Start,
    Trace,
    seconds,
)
from benchmarks.simulation.pace import in_flight, pace

# Dates this near are sorted into seconds; shorter than the shortest back-off.
HORIZON = 10

Keys = NDArray[np.int64]


class Cohorts:
    """
    One provider's accounts, for a while.

    weight: accounts in a cohort. until: end of the run, seconds. seed: of what is drawn.
    """

    def __init__(
        self,
        engine: Engine,
        provider: Provider,
        start: Start,
        *,
        weight: float,
        until: float,
        seed: int = 1,
    ) -> None:
        self.engine, self.provider, self.weight = engine, provider, weight
        self.length = seconds(until)
        self.random = np.random.default_rng(seed)
        self.expires, self.due = start.issued + provider.life, start.due.copy()
        self.failures = np.zeros(len(self.due), dtype=np.int64)
        self.buckets: dict[int, list[Keys]] = {}
        self.ready: deque[Keys] = deque()
        self.waiting = 0
        self.chains = self.carry = 0.0
        self.slot_rule = engine.slots(provider.max_refreshes_per_minute)
        self.slots, self.slots_at = self.slot_rule[0], 0
        self.window, self.in_window = 0, 0.0
        self.open = False
        self.paused_until, self.pause = 0.0, PAUSE_FIRST
        self.calls, self.missed = np.zeros(self.length), np.zeros(self.length)
        self.expired = np.zeros(self.length)
        self.pauses: list[tuple[float, float]] = []
        self.paces = {
            failing: pace(
                engine,
                provider.outage_latency if failing else provider.latency,
                failing=failing,
            )
            for failing in (False, True)
        }

    def run(self) -> Trace:
        """Play every second and return what was recorded."""
        for second in range(self.length):
            self._fall_due(second)
            if not second % int(BEAT):
                self._beat()
            self._work(second)
            self._sample(second)
        return Trace(
            accounts=round(len(self.due) * self.weight),
            calls=self.calls,
            failures=self.missed,
            expired=self.expired,
            pauses=self.pauses,
        )

    def _sample(self, second: int) -> None:
        # Ten seconds are near enough for a share, and counting all is what costs.
        if second % HORIZON:
            self.expired[second] = self.expired[second - 1]
        else:
            self.expired[second] = np.count_nonzero(self.expires <= second) / len(
                self.due
            )

    def _fall_due(self, second: int) -> None:
        if not second % HORIZON:
            self._sort(second)
        for keys in self.buckets.pop(second, ()):
            self.ready.append(keys)
            self.waiting += len(keys)

    def _sort(self, second: int) -> None:
        """Put the dates of the next seconds into buckets."""
        # A date that lies behind belongs to a cohort that waits already.
        first = second - 1 if second else -np.inf
        near = np.flatnonzero((self.due > first) & (self.due <= second + HORIZON - 1))
        moments = np.maximum(np.ceil(self.due[near]).astype(np.int64), second)
        order = np.argsort(moments, kind="stable")
        near, moments = near[order], moments[order]
        edges = np.flatnonzero(np.diff(moments)) + 1
        for keys in np.split(near, edges) if len(near) else ():
            moment = max(second, int(np.ceil(self.due[keys[0]])))
            self.buckets.setdefault(moment, []).append(keys)

    def _beat(self) -> None:
        # Who finds nothing to claim ends at once.
        batches = float(np.ceil(self.waiting * self.weight / self.engine.batch))
        more = min(self.engine.chains_per_beat, max(0.0, batches - self.chains))
        self.chains = min(float(self.engine.processes), self.chains + more)

    def _work(self, second: int) -> None:
        if second < self.paused_until or not self.waiting:
            self.chains = 0.0
            return
        if not self.chains:
            return
        failing = self.provider.fails(second)
        if self.open:
            self._probe(second, failing)
        elif failing:
            self._miss(second)
        else:
            self._refresh(second)
        if not self.waiting:
            # Whoever finds less than a full batch is the last of its chain.
            self.chains = 0.0
        self._fork()

    def _probe(self, second: int, failing: bool) -> None:
        """Half open: one call in the whole cluster, and the others' chains end."""
        self.calls[second] += 1
        self.chains = 1.0
        if failing:
            self.missed[second] += 1
            self._trip(second + self.provider.outage_latency)
        else:
            self.open, self.pause = False, PAUSE_FIRST

    def _trip(self, moment: float) -> None:
        self.open = True
        self.paused_until = moment + self.pause
        self.pauses.append((moment, self.paused_until))
        self.pause = min(2 * self.pause, self.engine.pause_longest)

    def _miss(self, second: int) -> None:
        budget, rounds = self.chains * self.paces[True], 1.0
        if self.engine.breaker:
            # Whatever is under way when the tenth answer arrives fails too.
            rounds = np.ceil(TRIP_AFTER / (self.chains * self._window(second)))
            budget = self.chains * self._window(second) * rounds
        keys, calls = self._take(budget)
        self.calls[second] += calls
        self.missed[second] += calls
        answered = second + rounds * self.provider.outage_latency
        self._postpone(keys, answered, silent=self.provider.silent)
        if self.engine.breaker:
            self._trip(answered)

    def _window(self, second: int) -> float:
        """Return the calls that one process has under way."""
        if second % int(BEAT):
            return in_flight(self.engine, self.provider.latency)
        return float(min(self.engine.window_start, self.engine.concurrency))

    def _refresh(self, second: int) -> None:
        budget = min(self.chains * self.paces[False], self._slots(second))
        left = self._left(second)
        over = min(budget, self.waiting * self.weight) > left
        keys, calls = self._take(min(budget, left))
        self.calls[second] += calls
        self.slots -= calls
        self.in_window += calls
        self.failures[keys] = 0
        self.expires[keys] = second + self.provider.life
        early = self.engine.early(self.provider.life, self.random.random(len(keys)))
        self.due[keys] = self.expires[keys] - early
        if over:
            self._exceed(second, budget - left)

    def _slots(self, second: int) -> float:
        """Return how many calls the engine's own limit has room for."""
        burst, rate = self.slot_rule
        if rate == np.inf:
            return np.inf
        self.slots = min(burst, self.slots + rate * (second - self.slots_at))
        self.slots_at = second
        return self.slots

    def _left(self, second: int) -> float:
        """Return how many calls the provider still answers in this window."""
        if self.provider.limit is None:
            return np.inf
        if second // self.provider.limit_window != self.window:
            self.window, self.in_window = second // self.provider.limit_window, 0.0
        return max(0.0, self.provider.limit - self.in_window)

    def _exceed(self, second: int, more: float) -> None:
        """The provider says 429: to what is under way, and then it is left alone."""
        under_way = self.chains * in_flight(self.engine, self.provider.latency)
        keys, calls = self._take(min(more, under_way))
        self.calls[second] += calls
        self.missed[second] += calls
        self.failures[keys] = 0
        self._postpone(keys, second + RATE_LIMIT_PAUSE)
        self.open = True
        self.paused_until = second + self.provider.latency + RATE_LIMIT_PAUSE
        self.pauses.append((second, self.paused_until))

    def _postpone(self, keys: Keys, moment: float, *, silent: bool = False) -> None:
        draws = self.random.random(len(keys))
        wait = self.engine.backoff(self.failures[keys], draws, silent=silent)
        self.failures[keys] += 1
        self.due[keys] = moment + wait

    def _take(self, budget: float) -> tuple[Keys, float]:
        """Take the longest due, as many cohorts as the calls are worth."""
        calls = min(budget, self.waiting * self.weight)
        self.carry += calls
        wanted = min(self.waiting, int(self.carry / self.weight + 1e-9))
        self.carry -= wanted * self.weight
        self.waiting -= wanted
        taken, left = [], wanted
        while left:
            keys = self.ready.popleft()
            if len(keys) > left:
                self.ready.appendleft(keys[left:])
                keys = keys[:left]
            taken.append(keys)
            left -= len(keys)
        if not self.waiting:
            self.carry = 0.0
        return np.concatenate(taken) if taken else np.empty(0, np.int64), calls

    def _fork(self) -> None:
        if self.engine.forks and self.chains:
            batches = self.paces[False] / self.engine.batch
            grown = self.chains * 2.0 ** min(batches, 10.0)
            self.chains = min(float(self.engine.processes), grown)
