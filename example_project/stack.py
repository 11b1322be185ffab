"""The whole example: provider, client site, Celery worker and beat, as real processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import django
import requests
from django.conf import settings
from django.db import connection
from django.urls import reverse

from example_project import processes
from example_project.processes import Process, ProcessFailed
from example_project.site import keys

ROOT = Path(__file__).resolve().parent.parent
# For a machine that is busy with other things (seconds).
PREPARE_TIMEOUT = 120.0
START_TIMEOUT = 60.0


@dataclass(kw_only=True)
class Stack:
    """
    Both sites and the background processes on one folder and two ports.

    Making one sets the environment that the settings of the client site are read from, and
    sets Django up with them: one process can have one stack.
    """

    state_dir: Path
    """Databases, keys, messages and logs."""

    site_port: int
    """On 127.0.0.1, of the client site."""

    provider_port: int
    """On 127.0.0.1, of the authorization server."""

    running: list[Process] = field(default_factory=list, init=False)
    """In the order in which they are stopped."""

    def __post_init__(self) -> None:
        os.environ |= self.environment
        django.setup()

    @cached_property
    def environment(self) -> dict[str, str]:
        """What the processes are told."""
        return {
            "DJANGO_SETTINGS_MODULE": "example_project.site.settings",
            "EXAMPLE_STATE_DIR": str(self.state_dir),
            "EXAMPLE_SITE_PORT": str(self.site_port),
            "EXAMPLE_PROVIDER_PORT": str(self.provider_port),
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def site(self) -> str:
        """Address of the client site."""
        return f"http://127.0.0.1:{self.site_port}"

    @property
    def provider(self) -> str:
        """Address of the authorization server."""
        return f"http://127.0.0.1:{self.provider_port}"

    @property
    def redirect_uri(self) -> str:
        """What the client registers at the provider."""
        return self.site + reverse("oauth_accounts:callback", args=["engine-notes"])

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.state_dir / f"{name.replace(' ', '-')}.log"

    def describe(self) -> str:
        """Say which database and which broker are in use."""
        broker = settings.CELERY_BROKER_URL.partition("://")[0]
        return f"database: {connection.vendor}, broker: {broker}"

    def process(self, name: str, *words: str, **environment: str) -> Process:
        """Return a Python process that is told where everything is, not yet started."""
        return Process(
            name=name,
            command=[sys.executable, "-m", *words],
            environment={**os.environ, **self.environment, **environment},
            folder=ROOT,
            log=self.log(name),
        )

    def prepare(self) -> None:
        """Migrate both sites, make their users and register the client."""
        registered = keys.load(self.state_dir / "site-keys.json")
        preparing = [
            self.process("prepare site", "example_project.site", "prepare"),
            self.process(
                "prepare provider",
                "example_project.provider_site",
                "prepare",
                f"--client-id={registered.client_id}",
                f"--redirect-uri={self.redirect_uri}",
                EXAMPLE_CLIENT_SECRET=registered.client_secret,
            ),
        ]
        self.running += preparing
        for process in preparing:
            process.start()
        for process in preparing:
            process.wait(PREPARE_TIMEOUT)
            self.running.remove(process)

    def seed(self) -> None:
        """Write demo data in every state; both sites are prepared."""
        process = self.process(
            "seed", "example_project.site", "oauth_accounts", "seed-demo"
        )
        self.running.append(process)
        process.start()
        process.wait(PREPARE_TIMEOUT)
        self.running.remove(process)

    def start(self) -> None:
        """Start the four processes and return when each of them is at work."""
        celery = ("celery", "-A", "example_project.site.celery")
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        beat = self.process("beat", *celery, "beat", "--pidfile=", "--loglevel=INFO")
        worker = self.process(
            "worker", *celery, "worker", "--concurrency=2", "--loglevel=INFO", *quiet
        )
        site = self.process("site", "example_project.site", "serve")
        provider = self.process("provider", "example_project.provider_site", "serve")
        self.running += [beat, site, provider, worker]
        for process in self.running:
            process.start()
        self.wait_for("the provider", lambda: answers(self.provider))
        self.wait_for("the site", lambda: answers(self.site))
        self.wait_for("the worker", lambda: " ready." in worker.log.read_text())
        self.wait_for("beat", lambda: "beat: Starting" in beat.log.read_text())

    def check_alive(self) -> None:
        """Raise ProcessFailed when one of the processes has ended."""
        for process in self.running:
            process.check_alive()

    def wait_for(
        self, what: str, condition: Callable[[], bool], timeout: float = START_TIMEOUT
    ) -> None:
        """
        Wait until a condition holds.

        what: for the error. timeout: in seconds.
        Raises ProcessFailed when a process ends meanwhile, or the time is up.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            self.check_alive()
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{what}: nothing after {timeout:g} s")
            time.sleep(0.2)

    def tails(self) -> str:
        """Return the last lines of what every process said."""
        return "".join(f"\n--- {p.name}:\n{p.tail()}\n" for p in self.running)

    def stop(self) -> None:
        """End everything that runs."""
        processes.stop(self.running)


def answers(url: str) -> bool:
    """Say whether a page can be had."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(url, timeout=5).ok
        except requests.RequestException:
            return False


@contextmanager
def stopping(stack: Stack) -> Iterator[Stack]:
    """Stop the stack at the end of the block, however it ends."""
    try:
        yield stack
    finally:
        # A second Ctrl-C would leave running what the first one is about to end.
        processes.ignore_signals()
        stack.stop()
