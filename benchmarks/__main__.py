"""
Measure everything and print it beside the budget: `make bench`.

    python -m benchmarks [--quick] [--only NAME ...] [--json FILE] [--docs]
    python -m benchmarks --from FILE --docs      # nothing is measured
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import cpu, machine, plot, report, services
from benchmarks.bench import Bench
from benchmarks.children import Stub, enter
from example_project import processes

LINES = ("throughput", "flows", "fresh", "growth", "herd", "rotate", "imports")


def main() -> int:
    options = parse()
    console = Console()
    processes.heed_signals()
    try:
        content = report.load(options.source) if options.source else run(options)
    except services.ServiceMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started is gone.", file=sys.stderr)
        return 130
    found = report.Report(content)
    report.show(found, console)
    if options.docs:
        plot.draw(found.figures)
        report.write_docs(found)
    return 0


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure; return everything that is known afterwards."""
    servers = services.require()
    kept: dict[str, Any] = {}
    if options.only and options.json and options.json.exists():
        # A line that is measured again leaves the others as they were.
        kept = report.load(options.json)["figures"]
    content: dict[str, Any] = {
        "machine": machine.describe(servers),
        "quick": options.quick,
    }
    with ExitStack() as stack:
        bench = prepare(stack, options, Console(stderr=True))
        for name in options.only or LINES:
            measure(bench, name)
            content["figures"] = {**kept, **bench.as_dict()}
            if options.json:
                # Now: what goes wrong in a later line costs this one nothing.
                report.save(options.json, content)
    return content


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="a few minutes, rough")
    parser.add_argument("--only", nargs="+", choices=LINES, metavar="NAME")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument(
        "--docs", action="store_true", help="update docs/performance.md"
    )
    parser.add_argument(
        "--from", dest="source", type=Path, help="show the figures of this file"
    )
    race = parser.add_argument_group("throughput")
    race.add_argument("--contestants", default="", metavar="PREFIX")
    race.add_argument("--latencies", nargs="+", type=int, default=(0, 50, 200))
    return parser.parse_args()


def prepare(stack: ExitStack, options: Any, console: Console) -> Bench:
    """Make the run's database and start what all lines share."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    os.environ["BENCH_PEER"] = "all"
    stack.enter_context(services.own_database())
    stub = enter(stack, Stub())
    os.environ["BENCH_STUB_URL"] = stub.url
    django.setup()
    import_module("benchmarks.database").make_tables()
    columns = (
        TextColumn("{task.description:24}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    progress = stack.enter_context(Progress(*columns, console=console))
    return Bench(
        quick=options.quick,
        stub=stub,
        stack=stack,
        progress=progress,
        contestants=options.contestants,
        latencies=options.latencies,
    )


def measure(bench: Bench, name: str) -> None:
    """Measure one line, and what share of the machine others used meanwhile."""
    started, others = time.perf_counter(), cpu.of_others(os.getpid())
    import_module(f"benchmarks.lines.{name}").run(bench)
    busy = cpu.of_others(os.getpid()) - others
    share = 100 * busy / (time.perf_counter() - started) / (os.cpu_count() or 1)
    bench.add(f"{report.OTHERS}{name}", [share], "%")


if __name__ == "__main__":
    sys.exit(main())
