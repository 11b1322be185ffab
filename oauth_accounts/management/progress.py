"""A progress bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

from typing import Any, Self

WIDTH = 30


class Progress:
    """
    Draws one line over and over.

    stream: of a command; its style for errors is left out. label: what is being done.
    total: of units.
    """

    def __init__(self, stream: Any, label: str, *, total: int) -> None:
        self.stream = stream
        self.label = label
        self.total = total
        self.active = bool(total) and stream.isatty()

    def __enter__(self) -> Self:
        return self

    def show(self, done: int) -> None:
        """Draw the bar for so many units done."""
        if not self.active:
            return
        total = max(self.total, done)
        filled = WIDTH * done // total
        bar = "#" * filled + "." * (WIDTH - filled)
        self.stream.write(
            f"\r{self.label} [{bar}] {done}/{total}", ending="", style_func=str
        )
        self.stream.flush()

    def __exit__(self, *exception: object) -> None:
        if self.active:
            self.stream.write("")
