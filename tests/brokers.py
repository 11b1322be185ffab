"""A Celery app on a broker of a test's own."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import threading
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest
from celery import Celery

from tests.settings import RUN

# Which of the processes that share a run's tests this is, or belongs to.
PART = os.environ.get("PYTEST_XDIST_WORKER", "all")

# Both with SQLite, one beside each other database.
PAIRED = [
    pytest.param(
        "redis", marks=[pytest.mark.redis, pytest.mark.sqlite, pytest.mark.postgres]
    ),
    pytest.param(
        "rabbitmq",
        marks=[pytest.mark.rabbitmq, pytest.mark.sqlite, pytest.mark.mariadb],
    ),
]
_numbers = itertools.count()


def configure(app: Celery, url: str) -> Celery:
    """Point an app at a broker; filesystem:///path needs no server."""
    app.conf.update(
        broker_url=url,
        broker_connection_retry_on_startup=True,
        accept_content=["json"],
        task_ignore_result=True,
        # Two runs at once do not take each other's messages.
        task_default_queue=f"oauth_accounts_{RUN}_{PART}",
        worker_hijack_root_logger=False,
    )
    if url.startswith("filesystem:"):
        folder = Path(urlsplit(url).path)
        for name in ("queue", "control"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        app.conf.broker_url = "filesystem://"
        app.conf.broker_transport_options = {
            "data_folder_in": str(folder / "queue"),
            "data_folder_out": str(folder / "queue"),
            "control_folder": str(folder / "control"),
        }
    return app


def named(*arguments: str) -> tuple[str, ...]:
    """
    Return what `celery` is told, and a name of its own where that is to be a worker.

    RabbitMQ gives the queue that commands come by to one worker of each name only.
    """
    if arguments[0] != "worker":
        return arguments
    return (*arguments, "-n", f"{RUN}-{PART}-{next(_numbers)}@%h")


class FreezingProxy:
    """Passes on a number of chunks from a server to its client, then nothing more."""

    def __init__(self, host: str, port: int, chunks: int) -> None:
        self.server = host, port
        self.chunks = chunks
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sockets = [self.listener]
        self.thread = threading.Thread(target=self.serve)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        for sock in self.sockets:
            sock.close()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.server)
                self.sockets += [client, server]
                self.forward(client, server)

    def forward(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        while passed < self.chunks:
            for sock in select.select([client, server], [], [])[0]:
                data = sock.recv(65_536)
                if not data:
                    return
                (server if sock is client else client).sendall(data)
                passed += sock is server
