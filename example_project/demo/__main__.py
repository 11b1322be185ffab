"""Entry of the demo: start everything, take the steps, stop everything, print the table."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests
from django.db import DatabaseError
from rich.console import Console

from example_project import processes
from example_project.demo.browser import PageFailed
from example_project.demo.report import Outcome, Progress, Report
from example_project.demo.steps import STEPS
from example_project.demo.visit import StepFailed, Visit, require
from example_project.processes import ProcessFailed
from example_project.stack import Stack, stopping
from oauth_accounts.exceptions import OAuthAccountsError

# What a step may end with when something does not hold. Anything else is a bug of the demo
# and ends it with a traceback, after everything was stopped.
FAILURES = (
    DatabaseError,
    OAuthAccountsError,
    PageFailed,
    ProcessFailed,
    StepFailed,
    requests.RequestException,
)
# With the first step, which starts everything, and the last, which stops it.
TOTAL = len(STEPS) + 2
PLAIN_WIDTH = 110


def main() -> int:
    """Run the demo and return the exit code: 0 only when every step held."""
    processes.heed_signals()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    report = Report(console, TOTAL)
    try:
        with tempfile.TemporaryDirectory(prefix="oauth-accounts-demo-") as folder:
            failure = run(report, Path(folder))
    except KeyboardInterrupt:
        console.print("Interrupted; everything is stopped.")
        return 130
    report.print_table()
    if failure:
        console.print(failure, markup=False, soft_wrap=True)
    return 0 if report.held else 1


def run(report: Report, folder: Path) -> str:
    """Take the steps until one fails; return what went wrong, or ""."""
    site_port, provider_port = processes.free_ports(2)
    stack = Stack(state_dir=folder, site_port=site_port, provider_port=provider_port)
    visit = Visit(stack=stack)
    steps = [("Both sites, worker and beat start", start), *STEPS]
    failure = ""
    with stopping(stack):
        for title, step in steps:
            if failure := take(report, title, lambda words, s=step: s(visit, words)):
                break
        stopped = take(report, "Everything stops", lambda words: end(visit))
        # Here, because the folder with the logs is about to go.
        return f"{failure}\n{stack.tails()}" if failure else stopped


def take(report: Report, title: str, step: Callable[[Progress], str]) -> str:
    """Take one step and note its outcome; return what went wrong, or ""."""
    started = time.monotonic()
    failure = ""
    with report.step(title) as progress:
        try:
            evidence = step(progress)
        except FAILURES as error:
            failure = f"{title}: {error}"
            evidence = f"{type(error).__name__}: {error}".partition("\n")[0]
    seconds = time.monotonic() - started
    held = not failure
    report.add(Outcome(title=title, held=held, evidence=evidence, seconds=seconds))
    return failure


def start(visit: Visit, progress: Progress) -> str:
    """Prepare and start everything."""
    progress("migrating")
    visit.stack.prepare()
    progress("starting")
    visit.stack.start()
    pids = ", ".join(f"{process.name} {process.pid}" for process in visit.stack.running)
    return f"{pids}; {visit.stack.describe()}"


def end(visit: Visit) -> str:
    """Stop everything and look whether it did."""
    visit.stack.check_alive()
    visit.stack.stop()
    codes = {process.name: process.returncode() for process in visit.stack.running}
    require(-signal.SIGKILL not in codes.values(), f"had to be killed: {codes}")
    return f"exit codes: {', '.join(f'{name} {code}' for name, code in codes.items())}"


if __name__ == "__main__":
    sys.exit(main())
