"""
A token endpoint that costs next to nothing, so that what is measured is the client.

    python -m benchmarks.stub --port 8765 --latency-ms 50 --rotate

It keeps connections alive, answers pipelined requests in order of their delays, rotates
refresh tokens and counts those that come back after they were spent. A number that leads
the path is the delay of that one request: /200/token answers after 200 ms.

    POST /token      authorization_code and refresh_token grants
    GET  /authorize  consents at once and redirects
    GET  /userinfo   the subject that the access token was issued to
    POST /revoke     says yes
    GET  /stats      what it has seen, and its own CPU seconds
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

# Real tokens are about 200 bytes long.
PADDING = "stub" * 40
LIFETIME = 3600
REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 404: "Not Found"}


def first_refresh_token(family: str) -> str:
    """Return a refresh token as if this server had issued it to a new grant."""
    return f"r.{family}.0.{PADDING}"


@dataclass(slots=True)
class Grants:
    """What the server remembers: one number for each family of refresh tokens."""

    rotate: bool = True
    detect_reuse: bool = False
    latest: dict[str, int] = field(default_factory=dict)
    token_requests: int = 0
    replays: int = 0
    issued: int = 0

    def exchange(self, code: str) -> dict[str, object]:
        self.issued += 1
        subject = code.removeprefix("code-") or "nobody"
        return self._answer(subject, 0, with_refresh_token=True)

    def refresh(self, token: str) -> dict[str, object] | None:
        """Return the next tokens, or None when the refresh token is dead."""
        kind, _, rest = token.partition(".")
        family, _, rest = rest.partition(".")
        number = rest.partition(".")[0]
        if kind != "r" or not number.isdigit():
            return None
        generation = int(number)
        if self.rotate:
            if generation < self.latest.get(family, 0):
                self.replays += 1
                if self.detect_reuse:
                    return None
            self.latest[family] = generation = generation + 1
        return self._answer(family, generation, with_refresh_token=self.rotate)

    def _answer(
        self, family: str, generation: int, *, with_refresh_token: bool
    ) -> dict[str, object]:
        answer: dict[str, object] = {
            "access_token": f"a.{family}.{generation}.{self.token_requests}.{PADDING}",
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "scope": "read write",
        }
        if with_refresh_token:
            answer["refresh_token"] = f"r.{family}.{generation}.{PADDING}"
        return answer


class StubProtocol(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, grants: Grants, latency: float) -> None:
        self.grants = grants
        self.latency = latency
        self.loop = asyncio.get_running_loop()
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (request := self._next_request()) is not None:
            self._serve(*request)

    def _next_request(self) -> tuple[str, bytes, bytes] | None:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.buffer[:end]
        length = _content_length(head)
        if len(self.buffer) < end + 4 + length:
            return None
        body = self.buffer[end + 4 : end + 4 + length]
        self.buffer = self.buffer[end + 4 + length :]
        target = head.split(b" ", 2)[1].decode("ascii")
        return target, head, body

    def _serve(self, target: str, head: bytes, body: bytes) -> None:
        path, _, query = target.partition("?")
        latency = self.latency
        first, _, rest = path[1:].partition("/")
        if first.isdigit():
            latency, path = int(first) / 1000, f"/{rest}"
        answer = self._answer(path, query, head, body)
        if latency:
            self.loop.call_later(latency, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self.transport is not None:
            self.transport.write(answer)

    def _answer(self, path: str, query: str, head: bytes, body: bytes) -> bytes:
        match path:
            case "/token":
                return self._token(body)
            case "/userinfo":
                return encode_json(200, _userinfo(head))
            case "/authorize":
                return _redirect(query)
            case "/revoke":
                return encode_json(200, {})
            case "/stats":
                return encode_json(200, self._stats())
        return encode_json(404, {"error": "not_found"})

    def _token(self, body: bytes) -> bytes:
        form = dict(
            part.partition("=")[::2] for part in body.decode("ascii").split("&")
        )
        self.grants.token_requests += 1
        if form.get("grant_type") == "authorization_code":
            return encode_json(200, self.grants.exchange(form.get("code", "")))
        if form.get("grant_type") != "refresh_token":
            return encode_json(400, {"error": "unsupported_grant_type"})
        tokens = self.grants.refresh(form.get("refresh_token", ""))
        if tokens is None:
            return encode_json(400, {"error": "invalid_grant"})
        return encode_json(200, tokens)

    def _stats(self) -> dict[str, object]:
        return {
            "token_requests": self.grants.token_requests,
            "replays": self.grants.replays,
            "cpu_seconds": time.process_time(),
        }


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(b"content-length:")
    if start < 0:
        return 0
    return int(lowered[start + 15 :].split(b"\r\n", 1)[0])


def _userinfo(head: bytes) -> dict[str, object]:
    _, _, token = head.partition(b" Bearer ")
    token = token.split(b"\r\n", 1)[0]
    subject = token.decode("ascii").split(".")[1] if b"." in token else "nobody"
    return {"sub": subject, "id": subject, "email": f"{subject}@example.com"}


def encode_json(status: int, content: dict[str, object]) -> bytes:
    body = json.dumps(content).encode()
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Cache-Control: no-store\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _redirect(query: str) -> bytes:
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    joiner = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    back = f"{asked['redirect_uri']}{joiner}code=code-nobody&state={asked['state']}"
    head = f"HTTP/1.1 302 Found\r\nLocation: {back}\r\nContent-Length: 0\r\n\r\n"
    return head.encode()


async def serve(port: int, grants: Grants, latency: float) -> None:
    """Answer on loopback until the process is asked to end; print the port."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    server = await loop.create_server(
        lambda: StubProtocol(grants, latency), "127.0.0.1", port, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()
    server.close()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A token endpoint on loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--rotate", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--detect-reuse", action="store_true")
    options = parser.parse_args(arguments)
    grants = Grants(rotate=options.rotate, detect_reuse=options.detect_reuse)
    asyncio.run(serve(options.port, grants, options.latency_ms / 1000))


if __name__ == "__main__":
    main()
