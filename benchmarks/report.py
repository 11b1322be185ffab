"""The figures as tables: for a terminal, and as Markdown for the documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.budget import judge
from benchmarks.race import FLOWS, TITLES

Rows = Sequence[Sequence[str]]
WORDS = {True: "held", False: "MISSED", None: "-"}
DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "performance.md"
GROWTH = "![Claim time and sweep rate by number of accounts](images/growth.svg)"
# What servers and the system do by themselves stays below this share of the machine.
QUIET_PERCENT = 6
OTHERS = "machine/used by others/"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


class Report:
    """
    Everything that was measured.

    machine: what on. figures: name to value. rounds: name to each round's value.
    quick: whether it was too short a run to be quoted.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.machine: dict[str, str] = content["machine"]
        self.quick: bool = content["quick"]
        self.figures = {n: f["value"] for n, f in content["figures"].items()}
        self.content = content

    def warnings(self) -> list[str]:
        """Return why the figures must not be quoted."""
        found = []
        if self.quick:
            found.append("A short trial run: do not quote these figures.")
        others = {
            name.removeprefix(OTHERS): share
            for name, share in self.figures.items()
            if name.startswith(OTHERS) and share > QUIET_PERCENT
        }
        if others:
            shares = ", ".join(
                f"{line} {share:.0f} %" for line, share in others.items()
            )
            found.append(
                f"The machine was not quiet: others used a part of it ({shares}). Do not "
                "quote these figures."
            )
        return found

    def tables(self) -> list[tuple[str, Sequence[str], Rows]]:
        """Return title, heads and rows of each table that has rows."""
        found = [
            ("Budget", ("work", "must hold", "found", ""), self._budget()),
            ("Refreshes a second", _race_heads(), self._race()),
            (
                "CPU of one refresh (ms)",
                ("", "its processes", "PostgreSQL", "whole machine"),
                self._cpu(),
            ),
            (
                "Connect and callback",
                ("", "CPU (ms)", "x by hand", "PostgreSQL (ms)", "queries"),
                self._flows(),
            ),
        ]
        return [table for table in found if table[2]]

    def _budget(self) -> Rows:
        return [
            (line.work, line.promise, verdict.found, WORDS[verdict.held])
            for line, verdict in judge(self.figures)
        ]

    def _race(self) -> Rows:
        rows = []
        for name, title in TITLES.items():
            cells = [self._rate(name, latency) for latency in (0, 50, 200)]
            if any(cells):
                rows.append((title, *cells))
        return rows

    def _rate(self, name: str, latency: int) -> str:
        rate = self.figures.get(f"throughput/{name}/{latency}/rate")
        naive = self.figures.get(f"throughput/task-per-account/{latency}/rate")
        if rate is None:
            return ""
        return f"{rate:,.0f}" + (f" ({rate / naive:.1f} x)" if naive else "")

    def _cpu(self) -> Rows:
        names = ("app_cpu", "database_cpu", "machine_cpu")
        return [
            (title, *(f"{self.figures[f'throughput/{name}/0/{w}']:.2f}" for w in names))
            for name, title in TITLES.items()
            if f"throughput/{name}/0/app_cpu" in self.figures
        ]

    def _flows(self) -> Rows:
        floor = self.figures.get("flows/floor/cpu")
        if floor is None:
            return []
        return [
            (
                title,
                f"{self.figures[f'flows/{peer}/cpu']:.1f}",
                f"{self.figures[f'flows/{peer}/cpu'] / floor:.2f}",
                f"{self.figures[f'flows/{peer}/database']:.1f}",
                f"{self.figures[f'flows/{peer}/queries']:g}",
            )
            for peer, title in FLOWS.items()
        ]


def _race_heads() -> Sequence[str]:
    return ("", "0 ms", "50 ms", "200 ms")


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    for title, heads, rows in report.tables():
        table = Table(title=title, title_justify="left")
        for head in heads:
            table.add_column(head)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(", ".join(f"{k} {v}" for k, v in report.machine.items()))
    for warning in report.warnings():
        console.print(warning)


def markdown(report: Report) -> str:
    """Return the tables for the documentation."""
    parts = []
    for title, heads, rows in report.tables():
        lines = [_cells(heads), _cells(["---"] * len(heads)), *map(_cells, rows)]
        parts += [f"### {title}", "\n".join(lines)]
    if "claim/due/1000000" in report.figures:
        parts += ["### As tables grow", GROWTH]
    machine = ", ".join(f"{k} {v}" for k, v in report.machine.items())
    parts.append(f"Measured on: {machine}.")
    parts += report.warnings()
    return "\n\n".join(parts)


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write_docs(report: Report) -> None:
    """Replace the figures in docs/performance.md."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{markdown(report)}\n\n{END}{after}")


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def save(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
