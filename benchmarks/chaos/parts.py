"""The two parts of the run: kills, and messages that come twice."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID

from benchmarks import services
from benchmarks.chaos import people, verdict
from benchmarks.chaos.app import backlog
from benchmarks.chaos.crowd import Crowd, Server
from benchmarks.chaos.postman import Postman
from benchmarks.chaos.queues import LETTER_BOX, QUEUE
from benchmarks.chaos.verdict import Verdict

LIFE_SECONDS = 5
# A lease lasts 60 seconds. After so long without kills all that was held is taken over,
# or leases would be stuck that ran out so many seconds ago.
SETTLING_SECONDS, STUCK_SECONDS = 90, 20
# Few enough for the sweeps to keep up with, or each would go on for ever.
TWICE_ACCOUNTS = 200
# By how many seconds the clock of each half is off; the database's is right.
CLOCKS = (-300, 300)
COMING_UP_SECONDS = 60


class NothingHappens(Exception):
    """The workers did not begin to refresh; their logs say why."""


@dataclass(kw_only=True)
class Stage:
    """One part's processes, and the bar that is moved."""

    crowd: Crowd
    server: Server
    families: dict[Any, str]
    progress: Progress
    task: TaskID
    most_waiting: int = 0

    def spend(self, seconds: float, each_second: Callable[[], None]) -> float:
        """Let time pass; return the refreshes per second meanwhile."""
        began, before = time.monotonic(), self.server.tell("counts")["answers"]
        for number in range(int(seconds)):
            each_second()
            self.crowd.look_after()
            self._show()
            time.sleep(max(0.0, began + number + 1 - time.monotonic()))
        answers: int = self.server.tell("counts")["answers"] - before
        return answers / (time.monotonic() - began)

    def wait_for_work(self) -> None:
        """Wait for the first refreshes."""
        deadline = time.monotonic() + COMING_UP_SECONDS
        while self.server.tell("counts")["answers"] < len(self.families) / 10:
            if time.monotonic() > deadline:
                raise NothingHappens(self.crowd.workers[0].tail())
            time.sleep(0.1)

    def ask_for_some(self, count: int, queue: str) -> None:
        """Ask for accounts as somebody's own code does."""
        for key in random.sample(sorted(self.families, key=str), count):
            people.ask_for(key, queue)

    def end(self) -> list[verdict.Pair]:
        """Stop the workers as an operator does; return what there is to judge."""
        self.crowd.stop()
        return verdict.pairs(self.families, self.server.tell("families"))

    def tell_of_end(self, found: Verdict) -> None:
        counts = self.server.tell("counts")
        found.count("refreshes", counts["answers"])
        found.count("messages waiting, at most", self.most_waiting)
        # Celery's own troubles, which are no fault of what it runs.
        found.count("workers that ended by themselves", len(self.crowd.ended))
        found.notes += self.crowd.ended
        found.forbid("accounts still held when all had ended", verdict.still_held())

    def _show(self) -> None:
        self.most_waiting = max(self.most_waiting, backlog())
        counts = self.server.tell("counts")
        detail = (
            f"{counts['answers']} refreshes, {len(self.crowd.kills)} kills, "
            f"{counts['dead']} families revoked"
        )
        self.progress.update(self.task, advance=1, detail=detail)


@contextmanager
def stage(
    progress: Progress, name: str, *, seconds: int, accounts: int, queue: str = QUEUE
) -> Iterator[Stage]:
    """Start a server and store accounts; whatever happens, nothing is left of them."""
    services.forget_messages()
    server = Server(LIFE_SECONDS)
    try:
        families = people.make(server.url, accounts, LIFE_SECONDS)
        server.tell("seed", {"names": list(families.values())})
        with tempfile.TemporaryDirectory(prefix="oauth-chaos-") as folder:
            crowd = Crowd(
                folder=Path(folder),
                server_port=server.port,
                environment={"CHAOS_SENDS_TO": queue},
            )
            try:
                yield Stage(
                    crowd=crowd,
                    server=server,
                    families=families,
                    progress=progress,
                    task=progress.add_task(name, total=seconds, detail="coming up"),
                )
            finally:
                crowd.stop()
    finally:
        server.stop()


def kills(progress: Progress, *, seconds: int, accounts: int, workers: int) -> Verdict:
    """
    Kill a worker process each second, then let things settle.

    workers: with two children each.
    """
    total = seconds + SETTLING_SECONDS
    with stage(progress, "kills", seconds=total, accounts=accounts) as scene:
        for _number in range(workers):
            scene.crowd.add_worker(2)
        for every in (1, 3):
            scene.crowd.add_beat(every)
        scene.wait_for_work()

        def harm() -> None:
            scene.crowd.kill_one()
            scene.ask_for_some(5, QUEUE)

        stormy = scene.spend(seconds, harm)
        calm = scene.spend(SETTLING_SECONDS, lambda: None)
        oldest, stuck = verdict.oldest_refresh(), verdict.leases_over_for(STUCK_SECONDS)
        found = verdict.judge_kills(scene.end(), scene.crowd.kills)
        found.count("refreshes a second, under kills", f"{stormy:.0f}")
        found.count("refreshes a second, settled", f"{calm:.0f}")
        # Each turn comes once in so long; three times that, or a minute, is no turn.
        patience = min(60.0, 3 * max(LIFE_SECONDS, accounts / max(1.0, calm)))
        found.count("longest since a refresh, settled", f"{oldest:.1f} s")
        forgotten = [] if oldest <= patience else [f"{oldest:.1f} s > {patience:.1f} s"]
        found.forbid("accounts forgotten", forgotten)
        found.forbid("leases stuck", stuck)
        scene.tell_of_end(found)
    return found


def duplicates(progress: Progress, *, seconds: int) -> Verdict:
    """Deliver each message two or three times, to workers whose clocks are far apart."""
    with stage(
        progress,
        "duplicates",
        seconds=seconds,
        accounts=TWICE_ACCOUNTS,
        queue=LETTER_BOX,
    ) as scene:
        postman = Postman()
        postman.start()
        try:
            for every, shift in zip((1, 3), CLOCKS, strict=True):
                scene.crowd.add_worker(2, CHAOS_CLOCK=str(shift))
                scene.crowd.add_beat(every, CHAOS_CLOCK=str(shift))
            scene.wait_for_work()
            rate = scene.spend(seconds, lambda: scene.ask_for_some(5, LETTER_BOX))
            found = verdict.judge_duplicates(scene.end(), LIFE_SECONDS)
        finally:
            postman.stop()
        found.count("messages", postman.letters)
        found.count("deliveries", postman.copies)
        found.count("refreshes a second", f"{rate:.0f}")
        scene.tell_of_end(found)
    return found
