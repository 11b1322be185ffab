"""The processes of a run: the server, workers, beats; and the killing."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.chaos.queues import QUEUE
from benchmarks.children import PATIENCE, ROOT, Child
from example_project.processes import Process, stop

# One kill in so many takes a whole worker, with its main process.
WHOLE = 10
# For a signal to reach all threads of a process (seconds).
STOPPING = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    """One worker process, or a whole worker, that was ended without notice."""

    at: float
    """Seconds since the epoch."""
    ports: frozenset[int]
    """TCP ports of its connections to the server."""
    whole: bool
    """Whether the main process was among them."""


class Server(Child):
    """The authorisation server, in a process of its own."""

    def __init__(self, life: int) -> None:
        super().__init__("-m", "benchmarks.chaos.server", "--expires-in", str(life))
        self.port = int(self.read_line())
        self.url = f"http://127.0.0.1:{self.port}"
        self._connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def tell(self, what: str, content: Any = None) -> Any:
        """Send a command and return its answer."""
        self._connection.request("POST", f"/control/{what}", json.dumps(content))
        return json.loads(self._connection.getresponse().read())

    def stop(self) -> None:
        self._connection.close()
        super().stop()


@dataclass(kw_only=True)
class Crowd:
    """Workers and beats. folder: for their logs. server_port: whom the workers call."""

    folder: Path
    server_port: int
    environment: Mapping[str, str]
    workers: list[Process] = field(default_factory=list)
    beats: list[Process] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """Workers that ended by themselves."""
    _count: int = 0

    def add_worker(self, children: int, **environment: str) -> None:
        command = f"worker -c {children} -Q {QUEUE} -l WARNING"
        options = "--without-gossip --without-mingle --without-heartbeat"
        name = f"worker{self._next()}"
        self.workers.append(
            self._process(name, f"{command} {options} -n {name}@chaos", environment)
        )

    def add_beat(self, seconds: float, **environment: str) -> None:
        name = f"beat{self._next()}"
        command = f"beat -l WARNING --pidfile= -s {self.folder}/{name}.schedule"
        self.beats.append(
            self._process(name, command, {"CHAOS_EVERY": str(seconds), **environment})
        )

    def kill_one(self) -> None:
        """Kill a child of a worker, or now and then all of it, and replace it."""
        worker = random.choice(self.workers)
        children = children_of(worker.pid)
        whole = random.randrange(WHOLE) == 0 or not children
        victims = group_of(worker.pid) if whole else [random.choice(children)]
        self.kills.append(self._kill(victims, whole))
        if whole:
            assert worker.child is not None
            worker.child.wait()
            self._replace(worker)

    def look_after(self) -> None:
        """Replace workers that ended by themselves, and remember that they did."""
        for worker in self.workers:
            if (code := worker.returncode()) is not None:
                self.ended.append(f"{worker.name} with {code}: {worker.tail()[-200:]}")
                # Its children have lost their main process, and are killed like others.
                self.kills.append(self._kill(group_of(worker.pid), whole=True))
                self._replace(worker)

    def stop(self) -> None:
        """Ask all to end, beats first, and kill what does not."""
        stop(self.beats)
        stop(self.workers)
        for process in (*self.beats, *self.workers):
            if process.child:
                process.signal_group(signal.SIGKILL)

    def _kill(self, victims: Iterable[int], whole: bool) -> Kill:
        ports: set[int] = set()
        for pid in victims:
            # Held still, so that its connections are those it dies with.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                _wait_until_stopped(pid)
                ports |= ports_of(pid, self.server_port)
        now = time.time()
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return Kill(at=now, ports=frozenset(ports), whole=whole)

    def _replace(self, worker: Process) -> None:
        worker.signal_group(signal.SIGKILL)
        worker.log = worker.log.with_stem(f"{worker.name}-{self._next()}")
        worker.start()

    def _process(
        self, name: str, command: str, environment: Mapping[str, str]
    ) -> Process:
        process = Process(
            name=name,
            command=[
                *(sys.executable, "-m", "celery", "-A", "benchmarks.chaos.app"),
                *command.split(),
            ],
            environment={**os.environ, **self.environment, **environment},
            folder=ROOT,
            log=self.folder / f"{name}.log",
        )
        process.start()
        return process

    def _next(self) -> int:
        self._count += 1
        return self._count


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has forked and that are alive."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split() if _state(int(child)) not in "ZX"]


def group_of(pid: int) -> list[int]:
    """Return the processes of the group that a process leads or has led."""
    found = []
    for path in Path("/proc").iterdir():
        with suppress(ValueError, OSError):
            if os.getpgid(int(path.name)) == pid:
                found.append(int(path.name))
    return found


def ports_of(pid: int, remote_port: int) -> set[int]:
    """Return the local TCP ports of a process's connections to a port of this machine."""
    inodes = set()
    with suppress(FileNotFoundError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                inodes.add(str(descriptor.readlink()))
    ports = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        parts = line.split()
        if f"socket:[{parts[9]}]" in inodes and _port(parts[2]) == remote_port:
            ports.add(_port(parts[1]))
    return ports


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _wait_until_stopped(pid: int) -> None:
    deadline = time.monotonic() + STOPPING
    while _state(pid) not in "TtZX" and time.monotonic() < deadline:
        time.sleep(0.001)
