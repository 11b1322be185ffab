"""HTTP on loopback for the fake provider: what comes in, what goes out, and when it ends."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# Seconds a stopping server waits for one of its threads (a blocked hook, say).
_JOIN_SECONDS = 5

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class RecordedRequest:
    """One request as the provider received it."""

    method: str
    """GET, POST, ..."""
    target: str
    """Path and query string, as sent."""
    headers: Message = field(repr=False)
    """Headers; names are found in any case."""
    body: bytes = field(default=b"", repr=False)
    """Body bytes, unchunked."""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query_pairs(self) -> Pairs:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        return dict(self.query_pairs)

    @property
    def form_pairs(self) -> Pairs:
        """The form in the order sent; empty when the body is not a form."""
        if self.headers.get_content_type() != "application/x-www-form-urlencoded":
            return []
        return parse_qsl(self.body.decode("latin-1"), keep_blank_values=True)

    @property
    def form(self) -> dict[str, str]:
        return dict(self.form_pairs)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of the provider: ordinary, or as broken as a test wants it."""

    status: int = 200
    """HTTP status."""
    json: Any = None
    """Value sent as JSON, unless `body` is given."""
    body: bytes | str | None = None
    """Raw body; its Content-Type is text/html unless `headers` says otherwise."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers added to, or put in the place of, the usual ones."""
    delay: float = 0
    """Seconds to wait before answering; cut short when the server stops."""
    drop: bool = False
    """Close the connection without answering, after the request was read."""
    after: Callable[[RecordedRequest], object] | None = None
    """Called with the request once the answer is on its way (or dropped)."""

    @property
    def content(self) -> bytes:
        if self.body is None:
            return json.dumps(self.json).encode()
        return self.body.encode() if isinstance(self.body, str) else self.body

    @property
    def all_headers(self) -> dict[str, str]:
        kind = "application/json" if self.body is None else "text/html; charset=utf-8"
        usual = {"Content-Type": kind, "Content-Length": str(len(self.content))}
        names = {name.lower() for name in self.headers}
        kept = {name: text for name, text in usual.items() if name.lower() not in names}
        return kept | dict(self.headers)


class LoopbackServer(ThreadingHTTPServer):
    """
    A threaded server that ends its open keep-alive connections when it is stopped.

    answer: called with each request, in the thread of its connection.
    port: TCP port; 0 takes a free one.
    """

    request_queue_size = 256

    def __init__(
        self, answer: Callable[[RecordedRequest], Answer], port: int = 0
    ) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        self.errors: list[BaseException] = []
        self._open: dict[threading.Thread, Any] = {}
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread that stop() knows of."""
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            daemon=True,
        )
        with self._open_lock:
            self._open[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                del self._open[threading.current_thread()]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what a hook raised, for stop() to raise it where a test can see it."""
        error = sys.exception()
        # A client that went away is everyday life for a server.
        if error is not None and not isinstance(error, ConnectionError):
            self.errors.append(error)

    def stop(self) -> None:
        """Stop accepting, end open connections and wait for their threads."""
        self.stopping.set()
        self.shutdown()
        with self._open_lock:
            still_open = dict(self._open)
        for connection in still_open.values():
            # Shut down, not closed: that alone wakes a thread waiting for a request.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in still_open:
            thread.join(_JOIN_SECONDS)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered, so that head and body leave in one packet.
    wbufsize = -1
    server: LoopbackServer

    def handle_any(self) -> None:
        request = RecordedRequest(
            method=self.command,
            target=self.path,
            headers=self.headers,
            body=self._read_body(),
        )
        answer = self.server.answer(request)
        if answer.delay:
            self.server.stopping.wait(answer.delay)
        if answer.drop:
            self.close_connection = True
        else:
            self._send(answer)
        if answer.after is not None:
            answer.after(request)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return b"".join(iter(self._read_chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _read_chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, text in answer.all_headers.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: request lines hold codes and states."""
