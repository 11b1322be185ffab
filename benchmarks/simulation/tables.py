"""Tables of figures: printed, and written into the documentation between two markers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.simulation.measured import Measured
from benchmarks.simulation.scenarios import Outcome, Pauses
from benchmarks.simulation.sizing import Size

Row = Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under a head."""

    name: str
    """Of the markers in the documentation."""

    title: str
    head: Row
    rows: Sequence[Row]

    def markdown(self) -> str:
        """Return it as a table of Markdown, the first column to the left."""
        rule = ["---", *("---:" for _ in self.head[1:])]
        lines = (self.head, rule, *self.rows)
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def replaced(text: str, table: Table) -> str:
    """Return the text with what stands between the table's markers replaced."""
    start, end = f"<!-- {table.name} -->", f"<!-- /{table.name} -->"
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"No place for the table {table.name}.")
    return pattern.sub(lambda _: f"{start}\n{table.markdown()}\n{end}", text)


def write(path: Path, tables: Sequence[Table]) -> None:
    """Put the tables into a page."""
    text = path.read_text()
    for table in tables:
        text = replaced(text, table)
    path.write_text(text)


def number(value: float) -> str:
    """Return a number as people say it: three digits."""
    if value >= 999_500:
        return f"{float(f'{value / 1e6:.3g}'):,g} M"
    if value >= 9_995:
        return f"{value / 1e3:.3g} k"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def minutes(value: float) -> str:
    """Return seconds as minutes."""
    return "more than 180" if math.isinf(value) else f"{value / 60:.0f}"


def hours(value: float) -> str:
    return f"{value / 3600:g} h"


def percent(value: float) -> str:
    return f"{100 * value:.1f} %" if value < 0.0995 else f"{100 * value:.0f} %"


def of_sizes(sizes: Sequence[Size]) -> Table:
    """Tabulate the sizing."""
    head = "accounts|token life|latency|refreshes/s|processes|concurrency|row writes/s"
    return Table(
        name="sizing",
        title="Sizing, with half again as much as ordinary times need",
        head=[*head.split("|"), "worker machines", "database cores"],
        rows=[
            [
                number(row.accounts),
                hours(row.life),
                f"{1000 * row.latency:.0f} ms",
                number(row.rate),
                str(row.processes),
                str(row.concurrency),
                number(row.writes),
                str(row.machines),
                f"{row.database_cores:.1f}",
            ]
            for row in sizes
        ],
    )


def of_outages(outcomes: Sequence[Outcome]) -> Table:
    """Tabulate an hour's outage with the engine's parts taken away one by one."""
    return Table(
        name="outage",
        title="100 million accounts, tokens of an hour, an hour's outage",
        head="engine|calls that failed|a second at most, during|after|"
        "min until the first refresh|min until all are fresh".split("|"),
        rows=[
            [
                run.name,
                number(run.wasted),
                number(run.peak_during),
                number(run.peak),
                minutes(run.noticed),
                minutes(run.recovery),
            ]
            for run in outcomes
        ],
    )


def of_headrooms(outcomes: Sequence[Outcome]) -> Table:
    """Tabulate how what is to spare shortens the recovery."""
    return Table(
        name="headroom",
        title="Recovery from an hour's outage by token life and capacity",
        head="token life|capacity / ordinary rate|processes|most expired at a time|"
        "min until all are fresh".split("|"),
        rows=[
            [
                hours(run.provider.life),
                run.name,
                str(run.engine.processes),
                percent(float(run.trace.expired.max())),
                minutes(run.recovery),
            ]
            for run in outcomes
        ],
    )


def of_pauses(played: Sequence[Pauses]) -> Table:
    """Tabulate what the breaker's longest pause costs."""
    return Table(
        name="pauses",
        title="The breaker's longest pause",
        head="outage|longest pause|s until noticed, mean|worst|most expired, mean|"
        "calls into the outage".split("|"),
        rows=[
            [
                f"{run.minutes:g} min",
                f"{run.longest:.0f} s",
                f"{run.noticed.mean():.0f}",
                f"{run.noticed.max():.0f}",
                percent(float(run.expired.mean())),
                f"{run.probes:.0f}",
            ]
            for run in played
        ],
    )


def of_runs(name: str, title: str, outcomes: Sequence[Outcome]) -> Table:
    """Tabulate variants by what they reach in ordinary times and after the outage."""
    return Table(
        name=name,
        title=title,
        head="variant|refreshes/s before|calls that failed|expired before, at most|"
        "min until all are fresh".split("|"),
        rows=[
            [
                run.name,
                number(run.before),
                number(run.wasted),
                percent(float(run.trace.expired[: int(run.provider.outage[0])].max())),
                minutes(run.recovery),
            ]
            for run in outcomes
        ],
    )


def of_bulk(
    peaks: dict[tuple[float, str], Sequence[float]], cycles: Sequence[int]
) -> Table:
    """Tabulate how a million accounts that were connected at once drift apart."""
    return Table(
        name="bulk",
        title="A million accounts connected at once: most refreshes a second, by cycle",
        head=["jitter", "connected within", *(f"cycle {cycle}" for cycle in cycles)],
        rows=[
            [percent(jitter), over, *(number(found[cycle - 1]) for cycle in cycles)]
            for (jitter, over), found in peaks.items()
        ],
    )


def of_points(measured: Measured) -> Table:
    """Tabulate the model beside what was measured."""
    return Table(
        name="points",
        title="The model beside the measurements",
        head="latency|processes|concurrency|batch|processor time|measured/s|model/s|"
        "ratio".split("|"),
        rows=[
            [
                f"{point.latency_ms:g} ms",
                str(point.processes),
                str(point.concurrency),
                str(point.batch),
                f"{point.cpu_ms_per_refresh:.1f} ms",
                number(point.refreshes_per_second),
                number(measured.predicted(point)),
                f"{measured.predicted(point) / point.refreshes_per_second:.2f}",
            ]
            for point in measured.points
        ],
    )
