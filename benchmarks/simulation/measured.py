"""What the benchmarks measured on real parts; everything else here is computed from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.simulation.model import Engine
from benchmarks.simulation.pace import pace

HERE = Path(__file__).parent
# Two processes share two cores with the servers, which the model leaves out.
TOLERANCE = 0.4


@dataclass(frozen=True, kw_only=True)
class Point:
    """
    Throughput of a whole machine that was kept busy for a while.

    What a refresh costs a process is taken from the point without latency; the others are
    foretold from it.
    """

    latency_ms: float
    """Of the provider."""

    processes: int
    concurrency: int
    cpu_ms_per_refresh: float
    """Of a worker process, from the measurement without latency."""

    batch: int
    window_start: int
    refreshes_per_second: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Figures of one machine."""

    machine: str
    cpu_ms_per_refresh: float
    """Of a worker process."""

    database_ms_per_refresh: float
    """Of the database server."""

    task_overhead_ms: float
    window_start: int
    """Calls that a batch begins with."""

    batch: int
    """Accounts in it at most."""

    row_writes_per_refresh: float
    points: tuple[Point, ...]

    @classmethod
    def load(cls, path: Path | None = None) -> Measured:
        """Read a file like measured.json, or that one."""
        values: dict[str, Any] = json.loads(
            (path or HERE / "measured.json").read_text()
        )
        points = tuple(Point(**point) for point in values.pop("points"))
        return cls(**values, points=points)

    def engine(self, *, processes: int = 1, concurrency: int = 64) -> Engine:
        """Return the engine on as many processes, at the speed that was measured."""
        return Engine(
            processes=processes,
            concurrency=concurrency,
            cpu=self.cpu_ms_per_refresh / 1000,
            overhead=self.task_overhead_ms / 1000,
            window_start=min(self.window_start, concurrency),
            batch=self.batch,
        )

    def predicted(self, point: Point) -> float:
        """Return the refreshes a second that the model expects at a point."""
        engine = Engine(
            processes=point.processes,
            concurrency=point.concurrency,
            cpu=point.cpu_ms_per_refresh / 1000,
            overhead=self.task_overhead_ms / 1000,
            window_start=point.window_start,
            batch=point.batch,
        )
        return point.processes * pace(engine, point.latency_ms / 1000)
