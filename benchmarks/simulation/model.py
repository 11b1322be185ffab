"""What is simulated: the engine's rules, a provider that follows its own, and the result."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Rules of the engine, as in oauth_accounts.schedule, beat and reactions; a test compares.
MARGIN = 300.0
JITTER = 0.1
BEAT = 60.0
BATCH = 500
WINDOW_START = 2
BACKOFF_BASE = 30.0
BACKOFF_MAX = 6 * 3600.0
TRIP_AFTER = 10
PAUSE_FIRST = 30.0
PAUSE_LONGEST = 60.0
RATE_LIMIT_PAUSE = 60.0
# A call that takes this long is given up, and what became of it is unknown.
TIMEOUT = 15.0
SLOT_BURST = 6
UNKNOWN_WAIT = 60.0


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The engine and the machines it is given; times in seconds."""

    processes: int
    """Worker processes, each at work on one batch at a time."""

    concurrency: int = 64
    """Calls a process may have under way, the cap of the window."""

    cpu: float = 0.0016
    """Of one process for one refresh: no process is faster than 1 / cpu."""

    overhead: float = 0.02
    """Of a task besides its calls: broker, claim."""

    batch: int = BATCH
    """Accounts that one task takes at most."""

    chains: int | None = None
    """Chains of tasks that each beat starts; None: as many as there are processes."""

    forks: bool = False
    """A task that found a full batch sends two successors instead of one."""

    margin: float = MARGIN
    jitter: float = JITTER
    """Part of a token's life over which its refresh is spread."""

    backoff_base: float = BACKOFF_BASE
    backoff_jitter: float = 0.5
    """Part of a back-off that is drawn at random."""

    backoff_grows: bool = True
    window_start: int = WINDOW_START
    breaker: bool = True
    pause_longest: float = PAUSE_LONGEST

    slot_burst: float = SLOT_BURST
    """Slots of `max_refreshes_per_minute` that may be taken at once: a part 1/burst."""

    @property
    def chains_per_beat(self) -> int:
        return self.processes if self.chains is None else self.chains

    def slots(self, per_minute: float | None) -> tuple[float, float]:
        """Return the slots that may be taken at once, and those that come each second."""
        limit = per_minute or math.inf
        # As in oauth_accounts.models.pace: no 60 seconds hold more than the limit.
        return limit / self.slot_burst, limit * (1 - 1 / self.slot_burst) / 60

    def early(self, life: float, draws: Floats) -> Floats:
        """Return how long before its end a token is refreshed, by draws out of [0, 1)."""
        margin = min(self.margin, (0.5 - self.jitter) * life)
        return margin + self.jitter * life * draws

    def cycle(self, life: float) -> float:
        """Return the mean seconds from one refresh of an account to the next being due."""
        return life - float(np.mean(self.early(life, np.array([0.0, 1.0]))))

    def backoff(
        self, failures: NDArray[np.int64], draws: Floats, *, silent: bool = False
    ) -> Floats:
        """
        Return the wait after so many earlier failures, by draws out of [0, 1).

        silent: the outcome is unknown, and that wait does not grow.
        """
        grows = self.backoff_grows and not silent
        powers = np.minimum(failures, 20) if grows else failures * 0
        full = np.minimum(self.backoff_base * 2.0**powers, BACKOFF_MAX)
        return full * (1 - self.backoff_jitter * draws) + silent * UNKNOWN_WAIT


@dataclass(frozen=True, kw_only=True)
class Provider:
    """The other side; times in seconds."""

    life: float = 3600.0
    """Of an access token."""

    latency: float = 0.2
    outage: tuple[float, float] = (0.0, 0.0)
    """When every call fails: from, until."""

    outage_latency: float = 0.2
    """Of a call that fails: short for a 503, 15 for a provider that is silent."""

    limit: float | None = None
    """Calls in a window above which it answers 429."""

    limit_window: int = 60

    max_refreshes_per_minute: float | None = None
    """What the engine was told to keep to."""

    @property
    def silent(self) -> bool:
        """Whether its failures are calls that were never answered."""
        return self.outage_latency >= TIMEOUT

    def fails(self, moment: float) -> bool:
        return self.outage[0] <= moment < self.outage[1]


@dataclass(frozen=True, kw_only=True)
class Start:
    """The accounts as a run finds them."""

    issued: Floats
    """When each token was issued, in seconds before the start: negative."""

    due: Floats
    """When each refresh is due."""

    @classmethod
    def steady(
        cls, engine: Engine, provider: Provider, count: int, random: np.random.Generator
    ) -> Start:
        """Return tokens of all ages, none of them overdue."""
        cycles = provider.life - engine.early(provider.life, random.random(count))
        issued = -random.random(count) * cycles
        return cls(issued=issued, due=issued + cycles)

    @classmethod
    def bulk(
        cls,
        engine: Engine,
        provider: Provider,
        count: int,
        random: np.random.Generator,
        over: float,
    ) -> Start:
        """Return tokens that were all issued in the last so many seconds."""
        cycles = provider.life - engine.early(provider.life, random.random(count))
        issued = -random.random(count) * over
        return cls(issued=issued, due=issued + cycles)


@dataclass(kw_only=True)
class Trace:
    """What happened, second by second."""

    accounts: int
    calls: Floats
    """That reached the provider."""

    failures: Floats
    """Of these, the ones it did not answer with tokens."""

    expired: Floats
    """Share of the accounts whose token is over."""

    pauses: list[tuple[float, float]] = field(default_factory=list)

    def fresh_again(self, after: float, below: float = 1e-4) -> float:
        """Return how long after a moment the share of expired tokens stays below a part."""
        over = np.flatnonzero(self.expired >= below)
        if not len(over) or over[-1] < after:
            return 0.0
        return (
            float("inf") if over[-1] == len(self.expired) - 1 else over[-1] + 1 - after
        )

    def smoothed(self, seconds: int = 60) -> Floats:
        """Return calls a second, as means over so many seconds."""
        whole = len(self.calls) // seconds * seconds
        return self.calls[:whole].reshape(-1, seconds).mean(axis=1)

    def between(self, start: float, end: float) -> Floats:
        return self.calls[int(start) : int(end)]


def seconds(until: float) -> int:
    """Return the number of whole seconds that a run is recorded for."""
    return int(np.ceil(until))
