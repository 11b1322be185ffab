"""The questions that are put to the model, and the figures that answer them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from benchmarks.simulation.cohorts import Cohorts
from benchmarks.simulation.model import (
    BEAT,
    SLOT_BURST,
    Engine,
    Floats,
    Provider,
    Start,
    Trace,
)
from benchmarks.simulation.pace import pace

COHORTS = 100_000
# Ends between two beats, as most outages begin.
WARM_UP = 1837.0
AN_HOUR = 3600.0
AFTER = 3 * AN_HOUR


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One scenario, played."""

    name: str
    engine: Engine
    provider: Provider
    trace: Trace

    @property
    def recovery(self) -> float:
        """Seconds from the end of the outage until every token is fresh."""
        return self.trace.fresh_again(self.provider.outage[1])

    @property
    def noticed(self) -> float:
        """Seconds from the end of the outage to the first refresh."""
        end = int(self.provider.outage[1])
        answered = np.flatnonzero(self.trace.calls[end:] > self.trace.failures[end:])
        return float(answered[0]) if len(answered) else math.inf

    @property
    def wasted(self) -> float:
        """Calls that failed."""
        return float(self.trace.failures.sum())

    @property
    def before(self) -> float:
        """Calls a second in ordinary times."""
        return float(self.trace.between(BEAT, self.provider.outage[0]).mean())

    @property
    def peak(self) -> float:
        """Most calls in a second after the outage."""
        return float(self.trace.calls[int(self.provider.outage[1]) :].max())

    @property
    def peak_during(self) -> float:
        start, end = self.provider.outage
        return float(self.trace.between(start, end).max())


def sized(
    engine: Engine, accounts: float, provider: Provider, headroom: float
) -> Engine:
    """Return the engine with processes for so many times the ordinary rate."""
    rate = accounts / engine.cycle(provider.life)
    processes = math.ceil(headroom * rate / pace(engine, provider.latency))
    return replace(engine, processes=processes)


def play(
    name: str,
    engine: Engine,
    provider: Provider,
    accounts: float,
    *,
    until: float | None = None,
    cohorts: int = COHORTS,
    seed: int = 1,
) -> Outcome:
    """Start with tokens of all ages and play until hours after the outage."""
    random = np.random.default_rng(seed)
    start = Start.steady(engine, provider, cohorts, random)
    end = until or provider.outage[1] + AFTER
    weight = accounts / cohorts
    run = Cohorts(engine, provider, start, weight=weight, until=end, seed=seed)
    return Outcome(name=name, engine=engine, provider=provider, trace=run.run())


def outage(minutes: float, **values: float) -> Provider:
    """Return a provider that is out of order for so long, after the warm-up."""
    return Provider(outage=(WARM_UP, WARM_UP + 60 * minutes), **values)  # type: ignore[arg-type]


def outages(base: Engine, accounts: float, headroom: float) -> list[Outcome]:
    """Play an hour's outage with the engine as it is, and without its parts."""
    down = outage(60)
    engine = sized(base, accounts, down, headroom)
    open_loop = replace(engine, breaker=False)
    wide = replace(open_loop, window_start=base.concurrency)
    rigid = replace(wide, jitter=0.0, backoff_jitter=0.0)
    # One task per account, tried again every minute, as many at once as there are.
    crowd = replace(
        rigid,
        backoff_grows=False,
        backoff_base=BEAT,
        processes=math.ceil(accounts / BEAT / pace(rigid, down.latency)),
    )
    variants = [
        ("as built", engine, down),
        ("as built, no answer for 15 s", engine, outage(60, outage_latency=15.0)),
        ("without breaker", open_loop, down),
        ("without breaker and slow start", wide, down),
        ("... and without jitter", rigid, down),
        ("a task per account, each minute", crowd, down),
    ]
    return [play(name, engine, down, accounts) for name, engine, down in variants]


def headrooms(base: Engine, accounts: float) -> list[Outcome]:
    """Play the outage with more and less to spare, for tokens of short and long life."""
    played = []
    for life in (3600.0, 8 * 3600.0, 24 * 3600.0):
        down = outage(60, life=life)
        for headroom in (1.2, 1.5, 2.0, 3.0):
            engine = sized(base, accounts, down, headroom)
            played.append(play(f"{headroom:g}", engine, down, accounts))
    return played


@dataclass(frozen=True, kw_only=True)
class Pauses:
    """Outages of about one length that began and ended at different moments."""

    minutes: float
    longest: float
    """Pause of the breaker, seconds."""

    noticed: Floats
    """Seconds from the end of each outage to the first refresh."""

    expired: Floats
    """Greatest share of expired tokens in each."""

    probes: float


def longest_pauses(base: Engine, accounts: float, headroom: float) -> list[Pauses]:
    """Play short and long outages with different longest pauses of the breaker."""
    played = []
    for minutes in (2, 5, 10, 30, 60):
        for longest in (60.0, 120.0, 300.0, 900.0):
            engine = sized(base, accounts, outage(minutes), headroom)
            varied = replace(engine, pause_longest=longest)
            runs = [_shifted(varied, accounts, minutes, step) for step in range(10)]
            played.append(
                Pauses(
                    minutes=minutes,
                    longest=longest,
                    noticed=np.array([run.noticed for run in runs]),
                    expired=np.array([run.trace.expired.max() for run in runs]),
                    probes=float(np.mean([len(run.trace.pauses) for run in runs])),
                )
            )
    return played


def _shifted(engine: Engine, accounts: float, minutes: float, step: int) -> Outcome:
    # Within a beat and within a pause: neither end of an outage keeps to our minutes.
    start = WARM_UP + 13 * step
    end = start + 60 * minutes + 31 * step
    provider = Provider(outage=(start, end))
    return play("", engine, provider, accounts, until=end + 1200, cohorts=20_000)


def chains(base: Engine, accounts: float, headroom: float) -> list[Outcome]:
    """Play the outage with other ways of starting chains of tasks."""
    down = outage(60)
    engine = sized(base, accounts, down, headroom)
    one = replace(engine, chains=1)
    variants = [
        ("one chain for every process, each beat", engine),
        ("one chain a beat, which forks", replace(one, forks=True)),
        ("one chain a beat", one),
    ]
    return [play(name, varied, down, accounts) for name, varied in variants]


def limits(base: Engine, accounts: float, headroom: float) -> list[Outcome]:
    """Play the outage with a provider that takes 1.5 times its ordinary rate at most."""
    rate = 1.5 * accounts / base.cycle(3600.0)
    minute = {"limit": 60 * rate, "limit_window": 60}
    seconds = {"limit": 10 * rate, "limit_window": 10}
    told = {"max_refreshes_per_minute": 60 * rate}
    variants: list[tuple[str, float, dict[str, float]]] = [
        ("a minute's calls; not set", SLOT_BURST, minute),
        ("a minute's calls; set", SLOT_BURST, {**minute, **told}),
        ("10 seconds' calls; not set", SLOT_BURST, seconds),
        ("10 seconds' calls; set", SLOT_BURST, {**seconds, **told}),
        (
            "10 seconds' calls; set to 90 %, bursts of a second (proposal)",
            60,
            {**seconds, "max_refreshes_per_minute": 54 * rate},
        ),
    ]
    played = []
    for name, burst, values in variants:
        down = outage(60, **values)
        engine = replace(sized(base, accounts, down, headroom), slot_burst=burst)
        played.append(play(name, engine, down, accounts))
    return played


def bulk_expired(
    base: Engine, accounts: float, over: float, headroom: float, cycles: int
) -> tuple[Engine, list[float]]:
    """Return the greatest share of expired tokens around each cycle after a bulk."""
    provider = Provider()
    engine = sized(base, accounts, provider, headroom)
    start = Start.bulk(engine, provider, COHORTS, np.random.default_rng(1), over)
    cycle = engine.cycle(provider.life)
    weight = accounts / COHORTS
    until = (cycles + 0.5) * cycle
    trace = Cohorts(engine, provider, start, weight=weight, until=until).run()
    edges = [int((number + 0.5) * cycle) for number in range(cycles + 1)]
    pairs = pairwise(edges)
    return engine, [float(trace.expired[a:b].max()) for a, b in pairs]


def bulk(
    accounts: int, over: float, jitter: float, cycles: int, seed: int = 1
) -> Floats:
    """
    Return the most refreshes a second around each cycle after a bulk connection.

    Account by account; the workers keep up, and each refresh waits for its beat.
    over: seconds during which the accounts were connected, evenly.
    """
    random = np.random.default_rng(seed)
    engine = Engine(processes=1, jitter=jitter)
    cycle = engine.cycle(AN_HOUR) / BEAT
    length = math.ceil((cycles + 1) * cycle + over / BEAT)
    refreshes = np.zeros(length)
    moments = random.random(accounts) * over
    while True:
        moments += AN_HOUR - engine.early(AN_HOUR, random.random(accounts))
        # All of a minute at its end, wherever the workers are in the backlog.
        minutes = np.floor(moments / BEAT).astype(np.int64)
        if minutes.min() >= length:
            break
        refreshes += np.bincount(minutes, minlength=length)[:length]
    edges = (np.arange(0.5, cycles + 1) * cycle).astype(int)
    return np.array([refreshes[a:b].max() / BEAT for a, b in pairwise(edges)])
