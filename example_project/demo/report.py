"""How the demo looks on a terminal, and in a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

Progress = Callable[[str], None]
"""Called with a few words on what is being waited for."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one step."""

    title: str
    """What was to hold."""

    held: bool
    """Whether it did."""

    evidence: str
    """How anybody can tell; no secret is in it in full."""

    seconds: float
    """How long it took."""


class Report:
    """
    Prints steps as they are taken and a table of them at the end.

    console: where to. total: number of steps, for the progress.
    """

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.total = total
        self.outcomes: list[Outcome] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:
        """Show that a step is under way; yield what tells how far it is."""
        number = f"{len(self.outcomes) + 1}/{self.total}"
        started = time.monotonic()
        if not self.console.is_terminal:
            # A log gets one line; a spinner would be noise there.
            self.console.print(f"{number:>5}  {title} ...", markup=False)
            yield lambda words: None
            return
        with self.console.status("") as status:

            def progress(words: str) -> None:
                seconds = time.monotonic() - started
                status.update(Text(f"{number:>5}  {title}  {seconds:3.0f} s  {words}"))

            progress("")
            yield progress

    def add(self, outcome: Outcome) -> None:
        """Note an outcome; on a terminal it takes the place of the spinner."""
        self.outcomes.append(outcome)
        if self.console.is_terminal:
            number = f"{len(self.outcomes)}/{self.total}"
            line = f"{number:>5}  {word(outcome)}  {outcome.title}"
            self.console.print(Text(line), highlight=False)

    @property
    def held(self) -> bool:
        """Whether every step was taken and held."""
        complete = len(self.outcomes) == self.total
        return complete and all(outcome.held for outcome in self.outcomes)

    def print_table(self) -> None:
        """Print all steps with their evidence, and the sum of it."""
        self.console.print(make_table(self.outcomes))
        held = sum(outcome.held for outcome in self.outcomes)
        spent = sum(outcome.seconds for outcome in self.outcomes)
        self.console.print(
            f"{held} of {self.total} steps held, in {spent:.0f} s.", highlight=False
        )


def word(outcome: Outcome) -> str:
    """Return the outcome in a word, which needs no colour to be read."""
    return "held  " if outcome.held else "FAILED"


def make_table(outcomes: list[Outcome]) -> Table:
    table = Table(show_lines=True)
    table.add_column("#", justify="right")
    table.add_column("Step", max_width=22)
    table.add_column("", no_wrap=True)
    table.add_column("Evidence", overflow="fold")
    for number, outcome in enumerate(outcomes, 1):
        style = "green" if outcome.held else "bold red"
        table.add_row(
            str(number),
            Text(outcome.title),
            Text(word(outcome).strip(), style=style),
            Text(outcome.evidence),
        )
    return table


def mask(secret: str | bytes) -> str:
    """Return enough of a secret to tell it from another one, and no more."""
    text = secret.decode() if isinstance(secret, bytes) else secret
    return f"{text[:4]}…({len(text)} characters)"
