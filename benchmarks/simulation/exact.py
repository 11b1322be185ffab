"""
The engine account by account and call by call: slow, and what cohorts are checked against.

Every beat, task, call and answer is an event. Nothing is shared with `cohorts` but the
parameters, so that an error in one shows as a difference.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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


@dataclass(slots=True)
class Batch:
    """One task at work."""

    todo: deque[int]
    full: bool
    window: int
    processor_free: float
    under_way: int = 0


@dataclass(slots=True)
class Circuit:
    """The provider's breaker, as the cluster sees it."""

    enabled: bool
    longest: float
    misses: int = 0
    paused_until: float = 0.0
    pause: float = PAUSE_FIRST
    open: bool = False
    probing: bool = False
    pauses: list[tuple[float, float]] = field(default_factory=list)

    def allowed(self, now: float, wanted: int) -> int:
        """Return how many calls may begin."""
        if now < self.paused_until:
            return 0
        if not self.open:
            return wanted
        return 0 if self.probing else min(1, wanted)

    def answered(self, now: float, ok: bool) -> None:
        if ok:
            self.misses, self.open, self.probing = 0, False, False
            self.pause = PAUSE_FIRST
            return
        self.misses += 1
        probed, self.probing = self.probing, False
        if not self.enabled or self.misses < TRIP_AFTER:
            return
        if probed or not self.open:
            self.hold(now, self.pause)
            self.pause = min(2 * self.pause, self.longest)
            self.open = True

    def hold(self, now: float, pause: float) -> None:
        if now + pause > self.paused_until:
            self.paused_until = now + pause
            self.pauses.append((now, now + pause))


class Exact:
    """
    One provider's accounts, for a while.

    until: end of the run, seconds. seed: of what is drawn.
    """

    def __init__(
        self,
        engine: Engine,
        provider: Provider,
        start: Start,
        until: float,
        seed: int = 1,
    ) -> None:
        self.engine, self.provider, self.until = engine, provider, until
        self.random = np.random.default_rng(seed)
        self.expires = start.issued + provider.life
        self.failures = np.zeros(len(self.expires), dtype=int)
        self.due = [(float(moment), key) for key, moment in enumerate(start.due)]
        heapq.heapify(self.due)
        self.circuit = Circuit(engine.breaker, engine.pause_longest)
        self.events: list[tuple[float, int, str, Any]] = []
        self.number = self.busy = self.tasks = 0
        self.paced = 0.0
        self.slots = engine.slots(provider.max_refreshes_per_minute)
        self.window = self.in_window = 0
        self.calls = np.zeros(seconds(until) + 1)
        self.missed = np.zeros(seconds(until) + 1)
        self.expired: list[float] = []

    def run(self) -> Trace:
        """Play every event and return what was recorded."""
        self._at(0.0, "beat", None)
        for second in range(seconds(self.until)):
            self._at(float(second), "sample", None)
        while self.events and self.events[0][0] < self.until:
            now, _, kind, payload = heapq.heappop(self.events)
            getattr(self, f"_{kind}")(now, payload)
        return Trace(
            accounts=len(self.expires),
            calls=self.calls[: seconds(self.until)],
            failures=self.missed[: seconds(self.until)],
            expired=np.array(self.expired),
            pauses=self.circuit.pauses,
        )

    def _at(self, moment: float, kind: str, payload: Any) -> None:
        self.number += 1
        heapq.heappush(self.events, (moment, self.number, kind, payload))

    def _sample(self, now: float, _: None) -> None:
        self.expired.append(float((self.expires <= now).mean()))

    def _beat(self, now: float, _: None) -> None:
        # Tasks that nobody took within a beat are dropped: they expire.
        self.tasks = min(self.engine.chains_per_beat, self.engine.processes)
        self._at(now + BEAT, "beat", None)
        self._staff(now, None)

    def _staff(self, now: float, _: None) -> None:
        while self.tasks and self.busy < self.engine.processes:
            self.tasks -= 1
            self._start(now)

    def _start(self, now: float) -> None:
        claimed = self._claim(now)
        if not claimed:
            return
        self.busy += 1
        batch = Batch(
            todo=claimed,
            full=len(claimed) == self.engine.batch or self.circuit.probing,
            window=min(self.engine.window_start, self.engine.concurrency),
            processor_free=now + self.engine.overhead,
        )
        self._send(now, batch)

    def _claim(self, now: float) -> deque[int]:
        claimed: deque[int] = deque()
        limit = self.circuit.allowed(now, self.engine.batch)
        probes = self.circuit.open and limit
        while len(claimed) < limit and self.due and self.due[0][0] <= now:
            claimed.append(heapq.heappop(self.due)[1])
        if probes and claimed:
            self.circuit.probing = True
        return claimed

    def _send(self, now: float, batch: Batch) -> None:
        if batch.todo and not batch.under_way and self._stopped(now):
            self._release(now, batch)
        while batch.todo and batch.under_way < batch.window and not self._stopped(now):
            key = batch.todo.popleft()
            start = max(now, batch.processor_free)
            start = self._slot(start)
            batch.processor_free = start + self.engine.cpu
            batch.under_way += 1
            self._at(batch.processor_free, "call", (batch, key))

    def _slot(self, start: float) -> float:
        """Return when the next call of the cluster may be sent."""
        burst, rate = self.slots
        if rate == np.inf:
            return start
        start = max(start, self.paced - (burst - 1) / rate)
        self.paced = max(self.paced, start) + 1 / rate
        return start

    def _stopped(self, now: float) -> bool:
        return not self.circuit.probing and not self.circuit.allowed(now, 1)

    def _release(self, now: float, batch: Batch) -> None:
        for key in batch.todo:
            heapq.heappush(self.due, (now, key))
        batch.todo.clear()

    def _call(self, now: float, payload: tuple[Batch, int]) -> None:
        self.calls[min(int(now), len(self.calls) - 1)] += 1
        window = int(now // self.provider.limit_window)
        self.in_window = self.in_window + 1 if window == self.window else 1
        self.window = window
        limited = bool(self.provider.limit and self.in_window > self.provider.limit)
        fails = self.provider.fails(now)
        latency = self.provider.outage_latency if fails else self.provider.latency
        what = "unavailable" if fails else "limited" if limited else "tokens"
        self._at(now + latency, "answer", (*payload, what, now))

    def _answer(self, now: float, payload: tuple[Batch, int, str, float]) -> None:
        batch, key, what, sent = payload
        batch.under_way -= 1
        if what == "tokens":
            self._store(key, sent)
            self.circuit.answered(now, True)
            batch.window = min(self.engine.concurrency, batch.window + 1)
        else:
            self._postpone(now, key, what)
            batch.window = max(
                min(self.engine.window_start, batch.window), batch.window // 2
            )
        self._send(now, batch)
        if not batch.todo and not batch.under_way:
            self._finish(now, batch)

    def _store(self, key: int, sent: float) -> None:
        self.failures[key] = 0
        self.expires[key] = sent + self.provider.life
        early = self.engine.early(self.provider.life, self.random.random(1))[0]
        heapq.heappush(self.due, (self.expires[key] - early, key))

    def _postpone(self, now: float, key: int, what: str) -> None:
        self.missed[min(int(now), len(self.missed) - 1)] += 1
        earlier = self.failures[key : key + 1] * (what == "unavailable")
        silent = self.provider.silent and what == "unavailable"
        wait = self.engine.backoff(earlier, self.random.random(1), silent=silent)[0]
        if what == "limited":
            self.circuit.hold(now, RATE_LIMIT_PAUSE)
            self.circuit.open = True
            wait += RATE_LIMIT_PAUSE
        else:
            self.circuit.answered(now, False)
        self.failures[key] += 1
        heapq.heappush(self.due, (now + wait, key))

    def _finish(self, now: float, batch: Batch) -> None:
        self.busy -= 1
        if batch.full:
            self.tasks += 2 if self.engine.forks else 1
        self._at(now, "staff", None)
