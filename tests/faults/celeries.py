"""Celery on real brokers: an app that sends, and workers and beats of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from celery import Celery, current_app
from celery._state import _set_current_app

from tests.brokers import configure, named
from tests.command import wait_until

FAST_START = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@contextmanager
def publisher(url: str) -> Iterator[Celery]:
    """Make an app on that broker this process's current one; its queue is empty."""
    before = current_app._get_current_object()
    app = configure(Celery("publisher"), url)
    app.set_current()
    try:
        empty(app)
        yield app
        empty(app, delete=True)
    finally:
        app.close()
        _set_current_app(before)


def empty(app: Celery, *, delete: bool = False) -> None:
    with app.connection_for_write() as connection:
        queue = app.amqp.queues[app.conf.task_default_queue](connection)
        queue.declare()
        queue.purge()
        if delete:
            queue.delete()


def deliver_again(app: Celery, times: int, *, expires: datetime | None = None) -> None:
    """
    Put what is in the queue there so many times, under the same task ids.

    expires: in the place of what the messages say, where a broker does not see it.
    """
    with app.connection_for_write() as connection, connection.Producer() as producer:
        queue = app.amqp.queues[app.conf.task_default_queue](connection)
        queue.declare()
        found = list(iter(lambda: queue.get(no_ack=True), None))
        for message in found * times:
            late = {} if expires is None else {"expires": expires.isoformat()}
            producer.publish(
                message.body,
                headers={**message.headers, **late},
                routing_key=queue.routing_key,
                exchange=queue.exchange,
                correlation_id=message.properties["correlation_id"],
                content_type=message.content_type,
                content_encoding=message.content_encoding,
            )


class CeleryProcess:
    """
    `celery ...` with the tests' app.

    environment: of the child. log: file for what it logs. app: the module it is in.
    """

    def __init__(
        self,
        environment: Any,
        log: Path,
        *arguments: str,
        app: str = "tests.celery_app",
    ) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", app, *named(*arguments)],
                env=environment,
                stdout=out,
                stderr=out,
                # Its pool's processes too belong to a group that can be ended at once.
                start_new_session=True,
            )

    def says(self, words: str, times: int = 1) -> None:
        """Wait until the words are in the log so many times."""
        wait_until(lambda: self.text().count(words) >= times, self.text, seconds=30)

    def text(self) -> str:
        return self.log.read_text()

    def end(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
