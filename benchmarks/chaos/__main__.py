"""
Kill workers for ten minutes and see what is lost: `make chaos`.

    python -m benchmarks.chaos [--quick] [--seconds N] [--only kills|duplicates]

Exit code 1 when something is not as it should be, 2 when a server is missing.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import Any

import django
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import services
from example_project import processes

PARTS = ("kills", "duplicates")


def main() -> int:
    options = parse()
    processes.heed_signals()
    try:
        services.require()
        violations = run(options)
    except services.ServiceMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started is gone.", file=sys.stderr)
        return 130
    return 1 if violations else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos")
    add = parser.add_argument
    add("--seconds", type=int, help="of kills; 600 unless it is given")
    add("--quick", action="store_true", help="60 seconds of kills, 30 of duplicates")
    add("--only", dest="parts", nargs="+", choices=PARTS, default=PARTS)
    add("--accounts", type=int, default=2000)
    add("--workers", type=int, default=4, help="of two processes each")
    options = parser.parse_args()
    options.seconds = options.seconds or (60 if options.quick else 600)
    return options


def run(options: argparse.Namespace) -> list[str]:
    """Play the parts and print what came of them; return what is wrong."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    os.environ["BENCH_PEER"] = "ours"
    console = Console()
    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    violations: list[str] = []
    with (
        services.own_database(),
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        django.setup()
        # Only now: they load models.
        parts = import_module("benchmarks.chaos.parts")
        parts.people.make_tables()
        plays = {
            "kills": lambda: parts.kills(
                progress,
                seconds=options.seconds,
                accounts=options.accounts,
                workers=options.workers,
            ),
            "duplicates": lambda: parts.duplicates(
                progress, seconds=30 if options.quick else 60
            ),
        }
        for name in options.parts:
            found = plays[name]()
            show(console, name, found)
            violations += found.violations
    return violations


def show(console: Console, name: str, found: Any) -> None:
    """Print the counts of a part, then what is not as it should be."""
    table = Table(title=name, title_justify="left", title_style="bold")
    table.add_column("what")
    table.add_column("count", justify="right")
    for what, value in found.counts.items():
        table.add_row(what, str(value))
    console.print(table)
    for note in found.notes:
        console.print(f"NOTE  {note}", markup=False)
    for violation in found.violations:
        console.print(f"VIOLATED  {violation}", markup=False)
    if not found.violations:
        console.print("Everything is as it should be.")


if __name__ == "__main__":
    sys.exit(main())
