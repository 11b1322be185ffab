"""E26: a broker that is stopped and started while accounts are used."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from contextlib import suppress
from itertools import chain
from urllib.parse import urlsplit

import pytest

from oauth_accounts import tasks
from oauth_accounts.models import ConnectedAccount, PendingRevocation
from tests.command import wait_until
from tests.faults.celeries import FAST_START, CeleryProcess, publisher


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class OwnRedis:
    """A Redis server of this test's own, which forgets all when it is stopped."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process = None

    def start(self):
        options = {
            "port": self.port,
            "dir": self.folder,
            "save": "",
            "bind": "127.0.0.1",
        }
        pairs = [(f"--{name}", str(value)) for name, value in options.items()]
        command = ["redis-server", *chain.from_iterable(pairs)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(lambda: listens(self.port))

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


class Gate:
    """Stands before a server that must not be stopped; nothing listens when it is shut."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.server = parts.hostname, parts.port or 5672
        self.port = free_port()
        user = parts.netloc.rpartition("@")[0]
        self.url = parts._replace(netloc=f"{user}@127.0.0.1:{self.port}").geturl()
        self.listener, self.sockets = None, []

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def stop(self):
        if self.listener:
            with suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            for sock in self.sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
            self.listener, self.sockets = None, []

    def _serve(self, listener):
        with suppress(OSError):
            while True:
                client, _address = listener.accept()
                server = socket.create_connection(self.server)
                self.sockets += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source, target):
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture(
    params=[
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
    ]
)
def broker(request, tmp_path):
    """A broker that runs, and can be stopped and started."""
    if request.param == "redis":
        made = OwnRedis(tmp_path)
    else:
        made = Gate(request.getfixturevalue("rabbitmq_url"))
    made.start()
    yield made
    made.stop()


def test_e26_a_broker_that_is_down_for_a_while(
    broker, make_account, server, child_environment, tmp_path, caplog
):
    """
    While it is down, tokens are refreshed here, disconnecting works and is quick, and
    what is left for a worker waits in the database. When it is back, beat catches up,
    with nobody restarting anything.
    """
    asked, ended, due = (make_account(f"user-{n}") for n in range(3))
    refresh_token = ended.reveal("refresh_token").get_value()
    environment = {**child_environment, "TEST_BROKER_URL": broker.url}
    # It restores its schedule's clock from the file, and ticks every second in tests.
    beat_arguments = ("beat", "-s", str(tmp_path / "schedule"))
    worker_arguments = ("worker", "-P", "solo", *FAST_START, "-l", "info")
    with publisher(broker.url):
        broker.stop()
        processes = [
            CeleryProcess(environment, tmp_path / f"{arguments[0]}.log", *arguments)
            for arguments in (worker_arguments, beat_arguments)
        ]
        try:
            _use_without_broker(asked, ended, server, caplog)
            broker.start()
            # What is stored, not what the server saw: its answer is written after that.
            for done in (
                lambda: PendingRevocation.objects.get().status == "confirmed",
                lambda: ConnectedAccount.objects.get(pk=due.pk).generation == 1,
            ):
                wait_until(done, lambda: "\n".join(one.text() for one in processes))
        finally:
            for process in processes:
                process.end()
    assert refresh_token in server.revoked
    assert len(server.token_requests) == 2


def _use_without_broker(asked, ended, server, caplog):
    begun = time.monotonic()
    assert server.is_live(asked.get_access_token())
    ended.revoke()
    assert tasks.enqueue(tasks.refresh_account, str(asked.pk)) is False
    # Three tries to reach it, all of them short.
    assert time.monotonic() - begun < 5
    assert ConnectedAccount.objects.get(pk=ended.pk).status == "revoked"
    assert PendingRevocation.objects.get().status == "pending"
    assert "broker did not take a task" in caplog.text
    assert server.revoked == []
