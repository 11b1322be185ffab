"""How many processes and machines so many accounts need."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.simulation.measured import Measured
from benchmarks.simulation.pace import pace

ACCOUNTS = (100_000, 1_000_000, 10_000_000, 100_000_000)
LIVES = (3600.0, 8 * 3600.0)
LATENCIES = (0.05, 0.2, 1.0)
HEADROOM = 1.5
CONCURRENCY = (8, 16, 32, 64, 128)
# Of a worker machine; a quarter is left for whatever else it does.
CORES = 8
USED = 0.75


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one row of the table says."""

    accounts: int
    life: float
    latency: float
    rate: float
    """Refreshes a second, all day long."""

    processes: int
    concurrency: int
    writes: float
    """Row writes a second in the database, when the workers are at full speed."""

    machines: int
    """For the workers."""

    database_cores: float


def size(measured: Measured, accounts: int, life: float, latency: float) -> Size:
    """Return what keeps so many accounts fresh and has HEADROOM for a backlog."""
    rate = accounts / measured.engine().cycle(life)
    wanted = HEADROOM * rate
    # Twice what is under way at a time: windows are not always full.
    concurrency = next(
        (c for c in CONCURRENCY if c >= 2 * wanted * latency), CONCURRENCY[-1]
    )
    engine = measured.engine(concurrency=concurrency)
    processes = max(1, math.ceil(wanted / pace(engine, latency)))
    busy = wanted * measured.cpu_ms_per_refresh / 1000
    return Size(
        accounts=accounts,
        life=life,
        latency=latency,
        rate=rate,
        processes=processes,
        concurrency=concurrency,
        writes=wanted * measured.row_writes_per_refresh,
        machines=max(1, math.ceil(busy / (CORES * USED))),
        database_cores=wanted * measured.database_ms_per_refresh / 1000,
    )


def sizes(measured: Measured) -> list[Size]:
    """Return the whole table."""
    return [
        size(measured, accounts, life, latency)
        for accounts in ACCOUNTS
        for life in LIVES
        for latency in LATENCIES
    ]
