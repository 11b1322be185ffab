"""The servers some tests speak to: where they are, and whether they must be there."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
RABBITMQ_URL = os.environ.get(
    "TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"
)

# Set by .ci/run: the servers must answer, and no test that needs one is left out.
REQUIRED = os.environ.get("OAUTH_ACCOUNTS_TEST_SERVICES") == "1"
HINT = "set OAUTH_ACCOUNTS_TEST_SERVICES=1 where the servers run"


@dataclass(frozen=True, kw_only=True)
class Service:
    """
    A server on TCP.

    name: what people call it, and its marker.
    host, port: where it listens.
    """

    name: str
    host: str
    port: int

    def answers(self) -> bool:
        """Return whether something accepts connections there."""
        try:
            socket.create_connection((self.host, self.port), timeout=5).close()
        except OSError:
            return False
        return True


def _at_url(name: str, url: str, default_port: int) -> Service:
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or default_port
    return Service(name=name, host=host, port=port)


def _from_environment(name: str, prefix: str, default_port: str) -> Service:
    host = os.environ.get(f"{prefix}_HOST", "127.0.0.1")
    port = int(os.environ.get(f"{prefix}_PORT", default_port))
    return Service(name=name, host=host, port=port)


ALL = (
    _from_environment("postgres", "TEST_POSTGRES", "5432"),
    _from_environment("mariadb", "TEST_MARIADB", "3306"),
    _at_url("redis", REDIS_URL, 6379),
    _at_url("rabbitmq", RABBITMQ_URL, 5672),
)


def missing() -> list[str]:
    """Return the servers that do not answer, as text for people."""
    return [f"{s.name} on {s.host}:{s.port}" for s in ALL if not s.answers()]
