"""Workers, locks, and what time does to rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction
from django.dispatch import Signal

from oauth_accounts import signals
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.server import FakeProvider
from oauth_accounts.testing.wire import RecordedRequest
from tests.engine.conftest import account, make_account, owner
from tests.faults.workers import Lock, Worker

__all__ = ["account", "make_account", "owner"]


@pytest.fixture(scope="session")
def idle(django_db_setup: None) -> Iterator[list[Worker]]:
    """Workers that an earlier test has left alive; a new one takes its time."""
    workers: list[Worker] = []
    yield workers
    for worker in workers:
        worker.end()


@pytest.fixture
def start(
    child_environment: dict[str, str], tmp_path: Path, idle: list[Worker]
) -> Iterator[Any]:
    """Start workers, `start()`; when the test is over they are dead, or idle."""
    count = iter(range(100))
    plain: list[Worker] = []
    with ExitStack() as stack:

        def start_worker(**options: Any) -> Worker:
            if not options and idle:
                plain.append(idle.pop())
                return plain[-1]
            environment = {**child_environment, **options.pop("environment", {})}
            worker = Worker(environment, tmp_path / f"worker-{next(count)}", **options)
            if set(environment.items()) == set(child_environment.items()) and (
                not options
            ):
                plain.append(worker)
            else:
                stack.callback(worker.end)
            return worker

        yield start_worker
    for worker in plain:
        if worker.is_idle:
            idle.append(worker)
        else:
            worker.end()


@pytest.fixture
def worker(start: Callable[..., Worker]) -> Worker:
    """One worker, which comes up meanwhile."""
    return start()


@pytest.fixture
def lock(transactional_db: None) -> Iterator[Callable[..., Lock]]:
    """Make locks, `lock(row)`, which are not yet taken and are released in the end."""
    with ExitStack() as stack:

        def make(row: ConnectedAccount | Provider) -> Lock:
            made = Lock(row)
            stack.callback(made.release)
            return made

        yield make


@pytest.fixture
def during(server: FakeProvider) -> Callable[..., None]:
    """Do things between each token request and its answer; exceptions fail the test."""

    def install(*actions: Callable[..., object]) -> None:
        def hook(request: RecordedRequest) -> None:
            try:
                for action in actions:
                    action(request)
            finally:
                connections.close_all()

        server.on_token_request = hook

    return install


@pytest.fixture
def told() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Names and arguments of the signals that this process sent."""
    heard: list[tuple[str, dict[str, Any]]] = []
    with ExitStack() as stack:
        for name, one in vars(signals).items():
            if isinstance(one, Signal):
                receive = _receiver(name, heard)
                one.connect(receive)
                stack.callback(one.disconnect, receive)
        yield heard


def _receiver(name: str, heard: list[tuple[str, dict[str, Any]]]) -> Any:
    def receive(sender: Any, *, signal: Any, **arguments: Any) -> None:
        arguments.pop("account", None)
        heard.append((name, arguments))

    return receive


@pytest.fixture
def later(transactional_db: None) -> Callable[[], None]:
    """Let what was to come have come: leases and pauses are over, accounts are due."""

    def pass_time() -> None:
        past = DatabaseNow() - timedelta(seconds=1)
        with transaction.atomic():
            accounts = ConnectedAccount.objects.order_by()
            accounts.filter(lease__isnull=False).update(lease_until=past)
            accounts.filter(refresh_due_at__isnull=False).update(refresh_due_at=past)
            paused = Provider.objects.filter(paused_until__isnull=False)
            paused.update(paused_until=past, probe_until=None)

    return pass_time
