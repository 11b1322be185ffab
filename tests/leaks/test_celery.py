"""C3, B36: what Celery writes down, on real brokers: messages, events, results and logs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from celery import Celery

from oauth_accounts import tasks
from oauth_accounts.models import ConnectedAccount
from oauth_accounts.testing.server import FakeProvider
from tests.brokers import configure
from tests.command import wait_until
from tests.faults.celeries import CeleryProcess, publisher
from tests.leaks.breaking import Boom
from tests.leaks.markers import Secrets

if TYPE_CHECKING:
    import redis

pytestmark = pytest.mark.faces

BROKERS = [
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("rabbitmq", marks=[pytest.mark.rabbitmq, pytest.mark.redis]),
]
BROKEN = ["oauth_accounts.protocol.tokens._scopes", "oauth_accounts.writeback._update"]


@pytest.fixture(params=BROKERS)
def broker_url(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def store(redis_url: str) -> Iterator[redis.Redis]:
    """The Redis database of the suite, whose results are removed afterwards."""
    # Not at once: without the extra [redis] these tests are left out, and say so.
    from redis import Redis  # noqa: PLC0415

    client = Redis.from_url(redis_url)
    yield client
    for key in results_in(client):
        client.delete(key)
    client.close()


def results_in(store: redis.Redis) -> list[bytes]:
    """Return the keys of this run's results."""
    queue = configure(Celery("results"), "memory://").conf.task_default_queue
    return list(store.scan_iter(f"{queue}*celery-task-meta-*"))


def secrets_of(server: FakeProvider) -> Secrets:
    grants = [(grant.access_tokens, grant.refresh_tokens) for grant in server.grants]
    tokens = [token for grant in grants for token in grant[0] + grant[1]]
    return Secrets({server.client_secret, *tokens})


def messages(app: Celery) -> list[Any]:
    with app.connection_for_write() as connection:
        queue = app.amqp.queues[app.conf.task_default_queue](connection)
        return list(iter(lambda: queue.get(no_ack=True), None))


def test_c3_b36_messages_hold_primary_keys_only(
    broker_url: str, make_account: Any, server: FakeProvider
) -> None:
    account = make_account()
    with publisher(broker_url) as app:
        assert tasks.enqueue(tasks.refresh_account, str(account.pk))
        assert tasks.enqueue(tasks.refresh_due_accounts)
        assert tasks.enqueue(tasks.purge_expired_attempts)
        account.revoke()  # tells the workers by itself
        found = messages(app)
    assert len(found) == 4
    for message in found:
        assert message.content_type == "application/json"
        text = f"{message.body!r} {message.headers!r} {message.properties!r}"
        assert secrets_of(server).found_in(message=text) == []
    (first, *_rest) = found
    assert first.headers["argsrepr"] == f"({str(account.pk)!r},)"
    assert json.loads(first.body)[0] == [str(account.pk)]
    assert {message.headers["kwargsrepr"] for message in found} == {"{}"}


@pytest.mark.redis
def test_c3_a_message_as_redis_keeps_it(
    redis_url: str, store: redis.Redis, make_account: Any, server: FakeProvider
) -> None:
    account = make_account()
    with publisher(redis_url) as app:
        assert tasks.enqueue(tasks.refresh_account, str(account.pk))
        (raw,) = store.lrange(app.conf.task_default_queue, 0, -1)
    assert str(account.pk).encode() in raw
    assert secrets_of(server).found_in(raw=raw) == []


@pytest.mark.parametrize("target", BROKEN)
def test_c3_a_task_that_fails_tells_no_secret(
    broker_url: str,
    redis_url: str,
    store: redis.Redis,
    child_environment: dict[str, str],
    make_account: Any,
    server: FakeProvider,
    tmp_path: Path,
    target: str,
) -> None:
    account = make_account()
    environment = {
        **child_environment,
        "TEST_BROKER_URL": broker_url,
        "TEST_RESULTS": redis_url,
        "TEST_BREAK": target,
    }
    options = ("worker", "-P", "solo", "-E", "--without-mingle", "-l", "debug")
    with publisher(broker_url) as app, Events(app) as events:
        worker = CeleryProcess(
            environment, tmp_path / "log", *options, app="tests.leaks.broken_worker"
        )
        try:
            worker.says("ready.")
            assert tasks.enqueue(tasks.refresh_account, str(account.pk))
            worker.says("raised unexpected")
            wait_until(lambda: "task-failed" in events.text(), events.text)
            wait_until(lambda: results_in(store))
        finally:
            worker.end()
    results = b"".join(store.get(key) for key in results_in(store))
    assert Boom.__name__.encode() in results
    assert b"Traceback" in results
    places = {"log": worker.text(), "events": events.text(), "results": results}
    assert secrets_of(server).found_in(**places) == []
    assert len(server.token_requests) == 1
    assert ConnectedAccount.objects.get().generation == 0


class Events:
    """What a worker tells whoever listens, such as Flower."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.found: list[dict[str, Any]] = []
        self.listening, self.stop = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self.thread.start()
        assert self.listening.wait(30)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop.set()
        self.thread.join()

    def text(self) -> str:
        return repr(self.found)

    def _listen(self) -> None:
        with self.app.connection_for_read() as connection:
            receiver = self.app.events.Receiver(connection, {"*": self.found.append})
            with receiver.consumer_context() as (listening, *_rest):
                self.listening.set()
                while not self.stop.is_set():
                    with suppress(TimeoutError):
                        listening.drain_events(timeout=0.2)
