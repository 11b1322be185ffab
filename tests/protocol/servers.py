"""Servers on loopback that say exactly what a test tells them to."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs


@dataclass
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode("ascii"), strict_parsing=True)


Script = bytes | Callable[[socket.socket], None]


def answer(
    status: int = 200,
    document: Any = None,
    *,
    body: bytes | None = None,
    headers: tuple[str, ...] = (),
    close: bool = False,
) -> bytes:
    """Write down an HTTP response; `document` is sent as JSON."""
    content = json.dumps(document).encode() if body is None else body
    lines = [
        f"HTTP/1.1 {status} Status",
        f"Content-Length: {len(content)}",
        "Content-Type: application/json",
        *headers,
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


TOKENS = {
    "access_token": "access-1",
    "token_type": "Bearer",
    "expires_in": 3600,
    "refresh_token": "refresh-1",
}


class ScriptedServer:
    """
    Answers every request with `script`: bytes to send, or what to do with the socket.

    reply: makes the bytes from the request instead, where a test sets it.
    requests: what it was sent, in order.
    connections: how many times it was dialled.
    """

    def __init__(
        self, script: Script = b"", *, host: str = "127.0.0.1", context: Any = None
    ) -> None:
        self.script = script
        self.reply: Callable[[Received], bytes] | None = None
        self.requests: list[Received] = []
        self.connections = 0
        self._context: ssl.SSLContext | None = context
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((host, 0))
        self.port = self._listener.getsockname()[1]
        self.host = host
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        scheme = "https" if self._context else "http"
        return f"{scheme}://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stopping.set()
        # accept() does not wake up by close() alone.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            close(sock)
        for thread in self._threads:
            thread.join(5)

    def hang_up(self) -> None:
        """Close all connections from this side."""
        for sock in self._sockets:
            close(sock)

    def _spawn(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._spawn(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        self._sockets.append(sock)
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            with sock.makefile("rb") as stream:
                while (received := _read_request(stream)) is not None:
                    self.requests.append(received)
                    if self.reply is not None:
                        sock.sendall(self.reply(received))
                    elif callable(self.script):
                        self.script(sock)
                    else:
                        sock.sendall(self.script)
        except (OSError, ValueError):
            pass
        finally:
            close(sock)


def close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def _read_request(stream: Any) -> Received | None:
    line = stream.readline()
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while (line := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Received(method, target, headers, body)


def drip(start: bytes, piece: bytes, *, every: float = 0.05) -> Script:
    """Send `start`, then `piece` again and again until the client has gone."""

    def script(sock: socket.socket) -> None:
        sock.sendall(start)
        for _ in range(400):
            sock.sendall(piece)
            time.sleep(every)

    return script


def cut(part: bytes = b"") -> Script:
    """Send a part of an answer, perhaps none of it, and hang up."""

    def script(sock: socket.socket) -> None:
        sock.sendall(part)
        close(sock)

    return script


def silence(sock: socket.socket) -> None:
    """Never answer: wait until the client hangs up."""
    sock.recv(1)
