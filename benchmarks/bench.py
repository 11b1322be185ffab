"""What every line works with: options, the stub server, children, figures, progress."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import Progress, TaskID

from benchmarks.children import Stub, enter


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number that was measured."""

    value: float
    """The median of the rounds, unless the name says otherwise."""

    unit: str
    """"/s", "ms", "MB", "x" (a ratio), "queries", "%" or ""."""

    rounds: Sequence[float] = ()
    """Each round's number, in order."""


@dataclass(kw_only=True)
class Bench:
    """One run of the suite."""

    quick: bool
    """Fewer and shorter rounds: for development, never for publication."""

    stub: Stub
    """The token endpoint."""

    stack: ExitStack
    """Ends every child, whatever happens."""

    progress: Progress
    """What is shown while it runs."""

    contestants: str = ""
    """Beginning of the names that take part in the throughput line."""

    latencies: Sequence[int] = (0, 50, 200)
    """Milliseconds that the provider takes in that line."""

    figures: dict[str, Figure] = field(default_factory=dict)
    """By name: "line/variant/what"."""

    notes: list[str] = field(default_factory=list)
    """What a reader of the figures has to know."""

    task: TaskID | None = None

    @property
    def console(self) -> Console:
        return self.progress.console

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 5

    def child(self, made: Any) -> Any:
        """Let a child be stopped at the end of the run."""
        return enter(self.stack, made)

    def begin(self, what: str, steps: int) -> None:
        """Show a new bar. steps: how often `step` is called."""
        self.task = self.progress.add_task(what, total=steps, detail="")

    def step(self, detail: str = "") -> None:
        """Move the bar by one."""
        assert self.task is not None
        self.progress.update(self.task, advance=1, detail=detail)

    def add(self, name: str, rounds: Iterable[float], unit: str) -> float:
        """Keep the median of the rounds as a figure and return it."""
        values = [float(value) for value in rounds]
        median = statistics.median(values)
        self.figures[name] = Figure(value=median, unit=unit, rounds=values)
        return median

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the figures so far, as they are stored."""
        return {name: asdict(figure) for name, figure in self.figures.items()}

    def value(self, name: str) -> float | None:
        """Return a figure's value, None when its line did not run."""
        figure = self.figures.get(name)
        return None if figure is None else figure.value
