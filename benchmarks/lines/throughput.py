"""Refreshes a second on the whole machine, beside what people have today."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from benchmarks import cpu, database, rows
from benchmarks.bench import Bench
from benchmarks.lines.contestants import (
    Contestant,
    LoopContestant,
    OursContestant,
    SweepContestant,
    TaskContestant,
)
from benchmarks.peers.models import HandWrittenToken
from benchmarks.race import PROCESSES
from oauth_accounts.models import ConnectedAccount, Provider

# How many accounts a contestant is given at first, to learn how fast it is.
FIRST = 60
# The ramp at the start and the tail at the end are no sustained rate.
RAMP, TAIL = 0.3, 0.95
POLL_SECONDS = 0.02
PATIENCE = 180


@dataclass(kw_only=True, slots=True)
class Measured:
    """One contestant in one round."""

    count: int
    seconds: float
    sustained: float
    app_cpu: float
    database_cpu: float
    machine_cpu: float
    busy: float


@dataclass(kw_only=True)
class Race:
    """Contestants on one machine, one after the other, several rounds."""

    bench: Bench
    contestants: list[Contestant]
    seconds: float
    guesses: dict[tuple[str, int], float] = field(default_factory=dict)

    def measure(self, contestant: Contestant, latency: int, count: int) -> Measured:
        """Let one contestant refresh so many accounts."""
        contestant.prepare(count, latency)
        stub = self.bench.stub
        before = stub.stats()
        used = contestant.cpu(), cpu.of_postgres(), cpu.of_machine()
        started = time.perf_counter()
        contestant.start(count, latency)
        samples = [(0.0, 0)]
        while not contestant.is_done(count, samples[-1][1]):
            time.sleep(POLL_SECONDS)
            done = stub.stats()["token_requests"] - before["token_requests"]
            samples.append((time.perf_counter() - started, done))
            if samples[-1][0] > PATIENCE:
                raise TimeoutError(f"{contestant.name} stopped at {done} of {count}")
        seconds = time.perf_counter() - started
        after = stub.stats()
        if after["replays"] != before["replays"]:
            raise AssertionError(f"{contestant.name} sent a spent refresh token")
        contestant.finish(count)
        machine = cpu.of_machine() - used[2]
        own = after["cpu_seconds"] - before["cpu_seconds"]
        return Measured(
            count=count,
            seconds=seconds,
            sustained=sustained_rate(samples, count),
            app_cpu=contestant.cpu() - used[0],
            database_cpu=cpu.of_postgres() - used[1],
            machine_cpu=machine - own,
            busy=machine / seconds / (os.cpu_count() or 1),
        )

    def run(self, latency: int) -> dict[str, list[Measured]]:
        """Measure all contestants in turns; the first turn only teaches their speed."""
        results: dict[str, list[Measured]] = defaultdict(list)
        for number in range(self.bench.rounds + 1):
            for contestant in self.contestants:
                count = self._count(contestant, latency)
                measured = self.measure(contestant, latency, count)
                rate = measured.count / measured.seconds
                self.guesses[contestant.name, latency] = rate
                self.bench.step(f"{contestant.name}, {latency} ms: {rate:,.0f}/s")
                if number:
                    results[contestant.name].append(measured)
        return results

    def _count(self, contestant: Contestant, latency: int) -> int:
        guess = self.guesses.get((contestant.name, latency))
        if guess is None:
            return min(FIRST * contestant.speed, contestant.most)
        return int(min(max(guess * self.seconds, 20), contestant.most))


def sustained_rate(samples: list[tuple[float, int]], count: int) -> float:
    """Return the rate between the ramp and the tail. samples: seconds and total so far."""
    start = next(s for s in samples if s[1] >= RAMP * count)
    end = next((s for s in samples if s[1] >= TAIL * count), samples[-1])
    if end[0] <= start[0] or end[1] <= start[1]:
        return count / max(samples[-1][0], 1e-6)
    return (end[1] - start[1]) / (end[0] - start[0])


def run(bench: Bench) -> None:
    database.empty(ConnectedAccount, Provider, HandWrittenToken)
    provider = rows.make_provider(bench.stub.url)
    contestants = [
        make()
        for name, make in entrants(bench, provider).items()
        if name.startswith(bench.contestants)
    ]
    race = Race(
        bench=bench, contestants=contestants, seconds=1.5 if bench.quick else 6.0
    )
    turns = len(bench.latencies) * len(contestants) * (bench.rounds + 1)
    bench.begin("refreshes a second", turns)
    for latency in bench.latencies:
        for name, results in race.run(latency).items():
            _keep(bench, f"throughput/{name}/{latency}", results)
    for contestant in contestants:
        contestant.stop()


def entrants(bench: Bench, provider: Provider) -> dict[str, Callable[[], Contestant]]:
    """Make the rows of this app; return by name what starts each contestant."""
    most = 4_000 if bench.quick else 20_000
    rows.add_accounts(provider, most)
    rows.seal_tokens(provider, rows.keys_of(provider, most))
    return {
        "ours-celery": partial(OursContestant, bench, provider, most),
        "ours-1-process": partial(SweepContestant, bench, provider, most, 1),
        "ours-2-processes": partial(SweepContestant, bench, provider, most, PROCESSES),
        "task-per-account": partial(TaskContestant, bench, "floor"),
        "allauth-tasks": partial(TaskContestant, bench, "allauth"),
        "social-loop": partial(LoopContestant, bench, "social"),
        "authlib-loop": partial(LoopContestant, bench, "authlib"),
    }


def _keep(bench: Bench, name: str, results: list[Measured]) -> None:
    bench.add(f"{name}/rate", [r.count / r.seconds for r in results], "/s")
    bench.add(f"{name}/sustained", [r.sustained for r in results], "/s")
    for what in ("app_cpu", "database_cpu", "machine_cpu"):
        each = [getattr(r, what) / r.count * 1000 for r in results]
        bench.add(f"{name}/{what}", each, "ms")
    bench.add(f"{name}/busy", [100 * r.busy for r in results], "%")
