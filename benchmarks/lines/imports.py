"""What this app adds to the start of a process."""

from __future__ import annotations

import json

from benchmarks.bench import Bench
from benchmarks.children import Child
from benchmarks.importing import JOB

WAYS = {"without": (), "the job": JOB, "with": ("oauth_accounts",)}


def run(bench: Bench) -> None:
    rounds = 5 if bench.quick else 21
    bench.begin("start of a process", rounds + 1)
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    loaded: set[str] = set()
    for number in range(rounds + 1):
        for name, arguments in WAYS.items():
            answer = _start(bench, arguments)
            loaded |= set(answer["loaded"])
            if number:  # the first one compiles
                times[name].append(answer["milliseconds"])
        bench.step()
    pairs = zip(times["with"], times["without"], strict=True)
    bench.add("imports/added", [a - b for a, b in pairs], "ms")
    pairs = zip(times["the job"], times["without"], strict=True)
    bench.add("imports/added by the job alone", [a - b for a, b in pairs], "ms")
    bench.add("imports/loaded too early", [len(loaded)], "")


def _start(bench: Bench, arguments: tuple[str, ...]) -> dict[str, object]:
    child: Child = bench.child(Child("-m", "benchmarks.importing", *arguments))
    answer: dict[str, object] = json.loads(child.read_line())
    child.stop()
    return answer
