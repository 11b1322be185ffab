"""How long one process takes for one batch: the only place where throughput comes from."""

from __future__ import annotations

import heapq
from functools import cache

from benchmarks.simulation.model import Engine


def batch_seconds(engine: Engine, latency: float, *, failing: bool = False) -> float:
    """
    Return the seconds from a task's start to its end, with a full batch.

    latency: of the provider, seconds. failing: no call succeeds, so the window stays.
    """
    cap = engine.window_start if failing else engine.concurrency
    return _batch_seconds(
        engine.batch,
        latency,
        engine.cpu,
        engine.overhead,
        min(engine.window_start, cap),
        cap,
    )


def pace(engine: Engine, latency: float, *, failing: bool = False) -> float:
    """Return the calls a second of one process that always finds a full batch."""
    return engine.batch / batch_seconds(engine, latency, failing=failing)


def in_flight(engine: Engine, latency: float) -> float:
    """Return the calls of one process that are under way at a time (Little's law)."""
    return min(float(engine.concurrency), pace(engine, latency) * latency)


@cache
def _batch_seconds(
    count: int, latency: float, cpu: float, overhead: float, window: int, cap: int
) -> float:
    """Send call after call; each answer widens the window by one, as slow start does."""
    moment = processor_free = overhead
    under_way: list[float] = []
    for _ in range(count):
        if len(under_way) >= window:
            moment = max(moment, heapq.heappop(under_way))
            window = min(cap, window + 1)
            # What else has been answered by then makes room too.
            while under_way and under_way[0] <= moment:
                heapq.heappop(under_way)
                window = min(cap, window + 1)
        processor_free = max(moment, processor_free) + cpu
        heapq.heappush(under_way, processor_free + latency)
    return max(under_way)
