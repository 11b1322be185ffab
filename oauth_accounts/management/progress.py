"""A progress bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Self

WIDTH = 30
# Drawing costs more than many a unit.
REDRAW_SECONDS = 0.1


class Progress:
    """
    Draws one line over and over.

    stream: of a command; its style for errors is left out. label: what is being done.
    count: called for the number of units, on a terminal only.
    """

    def __init__(self, stream: Any, label: str, *, count: Callable[[], int]) -> None:
        self.stream = stream
        self.label = label
        self.total = count() if stream.isatty() else 0
        self.active = bool(self.total)
        self.done = self.drawn = 0
        self.redraw_at = 0.0

    def __enter__(self) -> Self:
        return self

    def show(self, done: int) -> None:
        """Draw the bar for so many units done, unless it was drawn just now."""
        self.done = done
        if self.active and time.monotonic() >= self.redraw_at:
            self._draw()

    def __exit__(self, *exception: object) -> None:
        if self.active:
            if self.drawn != self.done:
                self._draw()
            self.stream.write("")

    def _draw(self) -> None:
        total = max(self.total, self.done)
        filled = WIDTH * self.done // total
        bar = "#" * filled + "." * (WIDTH - filled)
        self.stream.write(
            f"\r{self.label} [{bar}] {self.done}/{total}", ending="", style_func=str
        )
        self.stream.flush()
        self.drawn = self.done
        self.redraw_at = time.monotonic() + REDRAW_SECONDS
