"""A way to the database server that can be closed for a while."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from django.db import connection


class Proxy:
    """Passes bytes between workers and the database server of this test run."""

    def __init__(self) -> None:
        settings = connection.settings_dict
        self._server = settings["HOST"], int(settings["PORT"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_open = True
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.refused = 0

    @property
    def environment(self) -> dict[str, str]:
        """What a worker needs to go this way."""
        port = str(self._listener.getsockname()[1])
        return {"TEST_POSTGRES_PORT": port, "TEST_MARIADB_PORT": port}

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for one in (self._listener, *self._sockets):
            one.close()

    def close(self, *arguments: object) -> None:
        """End all connections, and refuse new ones."""
        self._is_open = False
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        """Let connections through again."""
        self._is_open = True

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._is_open:
                client.close()
                self.refused += 1
                continue
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            self._spawn(self._pass, client, server)
            self._spawn(self._pass, server, client)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
