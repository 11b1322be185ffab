"""Who takes part in the throughput line: this app's engine, and what stands in for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q

from benchmarks import cpu, database, rows
from benchmarks.bench import Bench
from benchmarks.children import Child
from benchmarks.race import CONCURRENCY, PROCESSES
from benchmarks.stub import PADDING, first_refresh_token
from oauth_accounts.models import ConnectedAccount, Provider

WORKER = ("-m", "celery", "-A", "benchmarks.worker", "worker", "--loglevel", "WARNING")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


class Contestant:
    """
    One way to refresh accounts.

    name: in figures. speed: about how much faster than a task per account it is.
    most: accounts it has.
    """

    name: str
    speed: int = 1
    most: int = 2_000
    children: list[Child]

    def prepare(self, count: int, latency: int) -> None:
        """Let so many accounts be due, before the clock runs."""

    def start(self, count: int, latency: int) -> None:
        """Begin; returns at once."""
        raise NotImplementedError

    def is_done(self, count: int, requests: int) -> bool:
        """Say whether all is stored. requests: those the server has seen."""
        raise NotImplementedError

    def finish(self, count: int) -> None:
        """Make sure that it did what it was asked, after the clock was stopped."""

    def cpu(self) -> float:
        """Return the CPU seconds of its processes so far."""
        return sum(cpu.of_tree(child.pid) for child in self.children)

    def stop(self) -> None:
        for child in self.children:
            child.stop()


def celery_worker(bench: Bench, peer: str) -> Child:
    """Start a prefork worker with a queue of its own and wait until it listens."""
    made: Child = bench.child(
        Child(
            *WORKER,
            *QUIET,
            *("-c", str(PROCESSES), "-Q", f"bench-{peer}", "-n", f"{peer}@%h"),
            BENCH_PEER=peer,
            BENCH_QUEUE=f"bench-{peer}",
        )
    )
    made.wait_until_said("worker ready")
    return made


def send(task: str, peer: str, *arguments: Any) -> None:
    """Put a message into a worker's queue."""
    # Its import sets Django up, which has to wait for the database.
    from benchmarks.worker import app  # noqa: PLC0415

    app.send_task(task, args=arguments, queue=f"bench-{peer}")


class OursContestant(Contestant):
    """This app's sweep in real Celery workers."""

    name = "ours-celery"
    speed = 10

    def __init__(self, bench: Bench, provider: Provider, most: int) -> None:
        self.bench, self.provider, self.most = bench, provider, most
        self.children = [celery_worker(bench, "ours")]

    def prepare(self, count: int, latency: int) -> None:
        rows.point(self.provider, self.bench.stub.url, latency)
        rows.make_due(self.provider, count)
        rows.tidy()

    def start(self, count: int, latency: int) -> None:
        for _ in range(PROCESSES):
            send("bench.sweep", "ours", CONCURRENCY[latency])

    def is_done(self, count: int, requests: int) -> bool:
        return requests >= count and not self._open().exists()

    def finish(self, count: int) -> None:
        if self._open().exists() or self._failed().exists():
            raise AssertionError(f"{self.name} left accounts behind")

    def _open(self) -> Any:
        return ConnectedAccount.objects.filter(
            Q(lease__isnull=False) | Q(refresh_due_at__lt=datetime.now(UTC))
        )

    def _failed(self) -> Any:
        return ConnectedAccount.objects.filter(
            Q(failure_count__gt=0) | ~Q(status="active")
        )


class SweepContestant(OursContestant):
    """`sweep.run()` in so many processes, without Celery."""

    def __init__(
        self, bench: Bench, provider: Provider, most: int, processes: int
    ) -> None:
        self.bench, self.provider, self.most = bench, provider, most
        self.name = f"ours-{processes}-process{'es' if processes > 1 else ''}"
        self.children = [
            bench.child(Child("-m", "benchmarks.loops", BENCH_PEER="ours"))
            for _ in range(processes)
        ]
        for child in self.children:
            child.read_line()

    def start(self, count: int, latency: int) -> None:
        for child in self.children:
            child.start(["sweep", {"concurrency": CONCURRENCY[latency]}])

    def finish(self, count: int) -> None:
        answers = [child.finish() for child in self.children]
        super().finish(count)
        if (done := sum(answer["refreshed"] for answer in answers)) != count:
            raise AssertionError(f"{self.name} refreshed {done} of {count}")


class TaskContestant(Contestant):
    """One Celery task for each account, as everybody writes it first."""

    def __init__(self, bench: Bench, peer: str) -> None:
        self.peer = peer
        self.name = {"floor": "task-per-account", "allauth": "allauth-tasks"}[peer]
        self.children = [celery_worker(bench, peer)]
        self.first = make_peer_rows(peer, self.most)

    def start(self, count: int, latency: int) -> None:
        send("bench.dispatch", self.peer, self.peer, latency, self.first, count)

    def is_done(self, count: int, requests: int) -> bool:
        return requests >= count


class LoopContestant(Contestant):
    """A loop over accounts in as many processes as there are for everybody."""

    speed = 2

    def __init__(self, bench: Bench, peer: str) -> None:
        self.peer = peer
        self.name = f"{peer}-loop"
        self.children = [
            bench.child(Child("-m", "benchmarks.loops", BENCH_PEER=peer))
            for _ in range(PROCESSES)
        ]
        for child in self.children:
            child.read_line()
        self.first = make_peer_rows(peer, self.most)

    def start(self, count: int, latency: int) -> None:
        share = count // PROCESSES
        for number, child in enumerate(self.children):
            more = count % PROCESSES if number == PROCESSES - 1 else 0
            command = {
                "peer": self.peer,
                "latency_ms": latency,
                "first": self.first + number * share,
                "count": share + more,
            }
            child.start(["loop", command])

    def is_done(self, count: int, requests: int) -> bool:
        return requests >= count

    def finish(self, count: int) -> None:
        for child in self.children:
            child.finish()


def make_peer_rows(peer: str, count: int) -> int:
    """Store tokens in the peer's own tables; return the first primary key."""
    # The apps of all peers are installed in the parent only.
    from benchmarks.peers import stocking  # noqa: PLC0415

    tokens = [first_refresh_token(f"{peer}-{number}") for number in range(count)]
    access = f"a.first.{PADDING}"
    expires = datetime.now(UTC) + timedelta(minutes=1)
    user = database.make_user(f"{peer}-owner")
    return stocking.STOCK[peer](user, tokens, access, expires)
