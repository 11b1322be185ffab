"""What has to be true afterwards, of the database and of the server together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.chaos.crowd import Kill
from benchmarks.chaos.server import parse
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models import ConnectedAccount

# How much later than an answer its client may have been killed and still have lost it, and
# how much earlier: a server that is busy reads what a dead client has sent.
WINDOW_SECONDS, AFTERWARDS_SECONDS = 10.0, 5.0
# A refresh before this part of a token's life is one too many.
SOONEST = 0.5
# From the call, which the life is counted from, to the answer (seconds).
SLACK = 0.3
SHOWN = 5


@dataclass(kw_only=True)
class Verdict:
    """Counts, what is not as it should be, and what a reader has to know."""

    counts: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, what: str, value: Any) -> None:
        self.counts[what] = value

    def forbid(self, what: str, found: Sequence[Any]) -> None:
        """Count what must not be there at all."""
        self.counts[what] = len(found)
        if found:
            shown = "; ".join(str(one) for one in found[:SHOWN])
            self.violations.append(f"{what}: {len(found)} ({shown})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """An account and its family at the server."""

    account: ConnectedAccount
    answers: Sequence[tuple[float, int]]
    replays: Sequence[tuple[float, int]]

    @property
    def stored(self) -> int:
        """Number of the refresh token in the database."""
        token = self.account.reveal("refresh_token")
        return parse(token.get_value() if token else "")[1]

    @property
    def is_lost(self) -> bool:
        return self.stored < len(self.answers)

    def __str__(self) -> str:
        account = self.account
        return (
            f"{account.pk} {account.status}/{account.status_reason} "
            f"generation {account.generation}, stored {self.stored} of "
            f"{len(self.answers)}, answered last {self.answers[-1:]}, "
            f"replays {list(self.replays)}"
        )


def pairs(families: dict[Any, str], dump: dict[str, Any]) -> list[Pair]:
    """Return all accounts, each with what the server knows of it."""
    accounts = ConnectedAccount.objects.select_related("provider")
    return [Pair(account=account, **dump[families[account.pk]]) for account in accounts]


def judge_kills(found: Sequence[Pair], kills: Sequence[Kill]) -> Verdict:
    """Compare what the server revoked with what the kills explain."""
    verdict = Verdict()
    active, reauth = (
        ConnectedAccount.Status.ACTIVE,
        ConnectedAccount.Status.NEEDS_REAUTH,
    )
    dead = [pair for pair in found if pair.replays]
    delays = {id(pair): _killed_after(pair, kills) for pair in dead}
    verdict.count("processes killed", len(kills))
    verdict.count("of these, whole workers", sum(kill.whole for kill in kills))
    verdict.count("families revoked by a replay", len(dead))
    explained = [delay for delay in delays.values() if delay is not None]
    verdict.count("of these, killed between call and commit", len(explained))
    verdict.count("of these, killed before the answer", sum(d < 0 for d in explained))
    explained = [delay for delay in explained if delay >= 0]
    if explained:
        verdict.count(
            "from answer to kill, median", f"{1000 * median(explained):.0f} ms"
        )
        verdict.count("from answer to kill, longest", f"{1000 * max(explained):.0f} ms")
    verdict.forbid(
        "revoked, and no kill explains it",
        [
            f"{pair}, kills {_near(pair, kills)}"
            for pair in dead
            if delays[id(pair)] is None
        ],
    )
    verdict.forbid(
        "revoked, though the last answer is stored",
        [pair for pair in dead if not pair.is_lost],
    )
    verdict.forbid(
        "revoked, and not marked rotation_lost",
        [pair for pair in dead if _state(pair) != (reauth, "rotation_lost")],
    )
    verdict.forbid(
        "needing reauthorisation for another reason",
        [pair for pair in found if not pair.replays and pair.account.status != active],
    )
    verdict.forbid(
        "active with a refresh token that is not the live one",
        [pair for pair in found if pair.account.status == active and pair.is_lost],
    )
    return verdict


def judge_duplicates(found: Sequence[Pair], life: float) -> Verdict:
    """Look for a refresh token that was presented twice, and for refreshes too soon."""
    verdict = Verdict()
    active = ConnectedAccount.Status.ACTIVE
    gaps = [(gap, pair) for pair in found for gap in _gaps(pair)]
    if gaps:
        shortest = min(gap for gap, _pair in gaps)
        verdict.count("shortest time between two refreshes", f"{shortest:.2f} s")
    verdict.forbid(
        "refresh tokens presented twice", [pair for pair in found if pair.replays]
    )
    verdict.forbid(
        "refreshed before half of the life was over",
        [f"{gap:.2f} s: {pair}" for gap, pair in gaps if gap < SOONEST * life - SLACK],
    )
    verdict.forbid(
        "not active", [pair for pair in found if pair.account.status != active]
    )
    verdict.forbid(
        "active with a refresh token that is not the live one",
        [pair for pair in found if pair.is_lost],
    )
    return verdict


def oldest_refresh() -> float:
    """Return how many seconds ago the active account was refreshed that waits longest."""
    ages = _active().annotate(now=DatabaseNow()).order_by("last_refreshed_at")
    first = ages.values_list("now", "last_refreshed_at").first()
    return (first[0] - first[1]).total_seconds() if first else 0.0


def leases_over_for(seconds: float) -> list[Any]:
    """Return the accounts whose lease ran out so long ago and was not taken over."""
    moment = DatabaseNow() - timedelta(seconds=seconds)
    return list(_active().filter(lease_until__lt=moment).values_list("pk", flat=True))


def still_held() -> list[str]:
    """Return the accounts that somebody would be at work on, though nobody is."""
    rows = _active().exclude(lease=None, lease_until=None, attempt_started_at=None)
    return [
        f"{row.pk} lease until {row.lease_until}, attempt {row.attempt_started_at}"
        for row in rows
    ]


def _active() -> Any:
    return ConnectedAccount.objects.filter(status=ConnectedAccount.Status.ACTIVE)


def _state(pair: Pair) -> tuple[str, str]:
    return pair.account.status, pair.account.status_reason


def _killed_after(pair: Pair, kills: Sequence[Kill]) -> float | None:
    """Return how long after its last answer the client that got it was killed."""
    if not pair.answers:
        return None
    at, port = pair.answers[-1]
    delays = [kill.at - at for kill in kills if port in kill.ports]
    return min(
        (d for d in delays if -AFTERWARDS_SECONDS <= d <= WINDOW_SECONDS), default=None
    )


def _near(pair: Pair, kills: Sequence[Kill]) -> list[str]:
    """Return when kills took a client's port, or when the nearest others were."""
    at, port = pair.answers[-1] if pair.answers else (0.0, 0)
    return [
        f"{kill.at - at:+.2f} s{' same port' if port in kill.ports else ''}"
        for kill in kills
        if port in kill.ports or abs(kill.at - at) < 2
    ]


def _gaps(pair: Pair) -> Iterator[float]:
    moments = [at for at, _port in pair.answers]
    for earlier, later in pairwise(moments):
        yield later - earlier
