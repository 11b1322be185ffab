"""
An authorisation server that rotates refresh tokens and revokes a family on a replay.

    python -m benchmarks.chaos.server --expires-in 5

It remembers when it answered each token, and over which TCP port: whoever kills a client
can tell later whether an answer was on its way. On loopback only.

    POST /token            refresh_token grants
    POST /control/seed     {"names": [...]}: families with one refresh token each
    GET  /control/counts   what has happened so far, in numbers
    GET  /control/families all there is to know about each family
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from dataclasses import dataclass, field

from benchmarks.stub import PADDING, Grants, StubProtocol, encode_json


@dataclass(slots=True)
class Family:
    """The refresh tokens that came from one grant; the newest one is live."""

    answers: list[tuple[float, int]] = field(default_factory=list)
    """When each token after the first was answered (epoch), and to which TCP port."""
    replays: list[tuple[float, int]] = field(default_factory=list)
    """When a spent token came back, and its number; the first replay is the end."""

    @property
    def latest(self) -> int:
        return len(self.answers)


class Families:
    """
    All grants. life: seconds that access tokens live.
    """

    def __init__(self, life: int) -> None:
        self.life = life
        self.by_name: dict[str, Family] = {}
        self.requests = 0
        self.refused = 0

    def seed(self, names: list[str]) -> None:
        self.by_name |= {name: Family() for name in names}

    def refresh(self, token: str, port: int) -> dict[str, object] | None:
        """Return the next tokens, or None when the refresh token is not the live one."""
        self.requests += 1
        name, number = parse(token)
        family = self.by_name.get(name)
        if family is None or number > family.latest:
            self.refused += 1
            return None
        if number < family.latest or family.replays:
            family.replays.append((time.time(), number))
            return None
        family.answers.append((time.time(), port))
        return {
            "access_token": f"a.{name}.{family.latest}.{PADDING}",
            "refresh_token": f"r.{name}.{family.latest}.{PADDING}",
            "token_type": "Bearer",
            "expires_in": self.life,
            "scope": "read write",
        }

    def counts(self) -> dict[str, int]:
        families = self.by_name.values()
        return {
            "requests": self.requests,
            "answers": sum(family.latest for family in families),
            "replays": sum(len(family.replays) for family in families),
            "refused": self.refused,
            "dead": sum(bool(family.replays) for family in families),
        }

    def dump(self) -> dict[str, object]:
        return {
            name: {"answers": family.answers, "replays": family.replays}
            for name, family in self.by_name.items()
        }


def parse(token: str) -> tuple[str, int]:
    """Return the family of a refresh token and its number; the number is -1 for none."""
    kind, _, rest = token.partition(".")
    name, _, rest = rest.partition(".")
    number = rest.partition(".")[0]
    if kind != "r" or not number.isdigit():
        return "", -1
    return name, int(number)


class FamiliesProtocol(StubProtocol):
    """One kept-alive connection to the server."""

    def __init__(self, families: Families) -> None:
        super().__init__(Grants(), latency=0)
        self.families = families
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.port = transport.get_extra_info("peername")[1]

    def _answer(self, path: str, query: str, head: bytes, body: bytes) -> bytes:
        match path:
            case "/token":
                return self._token(body)
            case "/control/seed":
                self.families.seed(json.loads(body)["names"])
                return encode_json(200, {})
            case "/control/counts":
                return encode_json(200, self.families.counts())
            case "/control/families":
                return encode_json(200, self.families.dump())
        return encode_json(404, {"error": "not_found"})

    def _token(self, body: bytes) -> bytes:
        pairs = (part.partition("=")[::2] for part in body.decode("ascii").split("&"))
        form = dict(pairs)
        if form.get("grant_type") != "refresh_token":
            return encode_json(400, {"error": "unsupported_grant_type"})
        tokens = self.families.refresh(form.get("refresh_token", ""), self.port)
        if tokens is None:
            return encode_json(400, {"error": "invalid_grant"})
        return encode_json(200, tokens)


async def serve(port: int, families: Families) -> None:
    """Answer on loopback until the process is asked to end; print the port."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    server = await loop.create_server(
        lambda: FamiliesProtocol(families), "127.0.0.1", port, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos.server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--expires-in", type=int, default=5, metavar="SECONDS")
    options = parser.parse_args()
    asyncio.run(serve(options.port, Families(options.expires_in)))


if __name__ == "__main__":
    main()
