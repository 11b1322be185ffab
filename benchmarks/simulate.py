"""
Simulate the engine past one machine: `make simulate`.

    python -m benchmarks.simulate [--measured FILE] [--docs]

Needs no server. Prints tables; with --docs they are written into docs/scaling.md and the
plots into docs/images/.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import Progress
from rich.table import Table as RichTable

from benchmarks.simulation import plots, scenarios, sizing, tables
from benchmarks.simulation.measured import Measured
from benchmarks.simulation.model import JITTER, Floats
from benchmarks.simulation.scenarios import Outcome
from benchmarks.simulation.tables import Table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "scaling.md"
IMAGES = ROOT / "docs" / "images"

ACCOUNTS = 100_000_000.0
BULK = 1_000_000
CYCLES = 48
SHOWN_CYCLES = (1, 2, 6, 12, 24, 48)
# What the plots show of the outage; the others lie on one of these.
PLOTTED = {
    "as built",
    "without breaker",
    "without breaker and slow start",
    "a task per account, each minute",
}

Result = TypeVar("Result")


def main() -> None:
    options = parse()
    measured = Measured.load(options.measured)
    console = Console()
    # Eighty columns, as pipes have, would break the words of the heads.
    console.width = max(console.width, 120)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("simulating", total=7)

        def step(play: Callable[[], Result]) -> Result:
            result = play()
            progress.advance(task)
            return result

        found, outages, peaks = simulate(measured, step)
    for table in found:
        console.print(pretty(table))
    if options.docs:
        tables.write(PAGE, found)
        draw(outages, peaks, BULK / measured.engine().cycle(3600.0))
        console.print(f"Written: {PAGE.relative_to(ROOT)} and its images.")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate")
    parser.add_argument(
        "--measured", type=Path, help="figures of another machine, like measured.json"
    )
    parser.add_argument(
        "--docs", action="store_true", help="update docs/scaling.md and its images"
    )
    return parser.parse_args()


def simulate(
    measured: Measured, step: Callable[..., Any]
) -> tuple[list[Table], list[Outcome], dict[tuple[float, str], Floats]]:
    """Play everything. step: calls what it is given and shows progress."""
    base, headroom = measured.engine(), sizing.HEADROOM
    outages = step(lambda: scenarios.outages(base, ACCOUNTS, headroom))
    headrooms = step(lambda: scenarios.headrooms(base, ACCOUNTS))
    pauses = step(lambda: scenarios.longest_pauses(base, ACCOUNTS, headroom))
    chains = step(lambda: scenarios.chains(base, ACCOUNTS, headroom))
    limits = step(lambda: scenarios.limits(base, ACCOUNTS, 2.0))
    peaks = step(bulks)
    sizes = step(lambda: sizing.sizes(measured))
    found = [
        tables.of_points(measured),
        tables.of_sizes(sizes),
        tables.of_outages(outages),
        tables.of_headrooms(headrooms),
        tables.of_pauses(pauses),
        tables.of_runs("chains", "How a beat starts the work", chains),
        tables.of_runs("limits", "A provider that refuses 1.5 times the rate", limits),
        tables.of_bulk(peaks, SHOWN_CYCLES),
    ]
    return found, outages, peaks


def bulks() -> dict[tuple[float, str], Floats]:
    return {
        (jitter, name): scenarios.bulk(BULK, over, jitter, CYCLES)
        for name, over in (("a minute", 60.0), ("an hour", 3600.0))
        for jitter in (0.0, 0.02, JITTER, 0.25)
    }


def draw(
    outages: list[Outcome], peaks: dict[tuple[float, str], Floats], level: float
) -> None:
    shown = [run for run in outages if run.name in PLOTTED]
    plots.request_rate(IMAGES / "scaling-requests.svg", shown)
    plots.expired_share(IMAGES / "scaling-expired.svg", shown)
    drawn = {
        key: found
        for key, found in peaks.items()
        if key[1] == "a minute" or key[0] == JITTER
    }
    plots.bulk_peaks(IMAGES / "scaling-bulk.svg", drawn, level)


def pretty(table: Table) -> RichTable:
    shown = RichTable(title=table.title, title_justify="left", title_style="bold")
    for number, head in enumerate(table.head):
        shown.add_column(head, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*row)
    return shown


if __name__ == "__main__":
    main()
