"""CPU seconds of processes and of the machine, as Linux counts them in /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# Positions in the first line of /proc/stat: user, nice, system, idle, iowait, irq,
# softirq, stolen by the host. Interrupts are those of loopback's packets, mostly.
BUSY = (0, 1, 2, 5, 6, 7)
PROCESSES_AND_STOLEN = (0, 1, 2, 7)
PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
POSTGRES_NAMES = {"postgres", "postmaster"}
SERVER_NAMES = {*POSTGRES_NAMES, "redis-server"}


def of_tree(pid: int) -> float:
    """Return what a process and its children used, those that ended included."""
    return _own(pid, reaped=True) + sum(of_tree(child) for child in _children(pid))


def of_postgres() -> float:
    """Return what all PostgreSQL processes of this machine used; 0 when there are none."""
    return of_named(POSTGRES_NAMES)


def of_named(names: set[str]) -> float:
    """Return what the processes of these names used."""
    total = 0.0
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            if (folder / "comm").read_text().strip() in names:
                total += _own(int(folder.name), reaped=True)
    return total


def of_machine() -> float:
    """Return what everything on this machine used, all cores added up."""
    return _fields_of_machine(*BUSY)


def of_others(own_pid: int) -> float:
    """Return what neither this run, nor the servers it uses, nor interrupts spent."""
    known = of_tree(own_pid) + of_named(SERVER_NAMES)
    return _fields_of_machine(*PROCESSES_AND_STOLEN) - known


def resident_bytes(pid: int | None = None) -> int:
    """Return the resident memory of a process, of this one by default."""
    text = (PROC / str(pid or "self") / "statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _fields_of_machine(*positions: int) -> float:
    with suppress(OSError):
        fields = (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
        return sum(int(fields[position]) for position in positions) / TICKS
    return 0.0


def _own(pid: int, *, reaped: bool) -> float:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return 0.0
    # The name stands in parentheses and may hold spaces.
    fields = text.rpartition(")")[2].split()
    count = 4 if reaped else 2
    return sum(int(field) for field in fields[11 : 11 + count]) / TICKS


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in (PROC / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found
