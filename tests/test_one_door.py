"""D1: whatever the app does, its connections are opened by the guard and by nothing else."""

from __future__ import annotations

import ast
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

import oauth_accounts
from oauth_accounts import outbox, sweep
from oauth_accounts.models import Provider
from oauth_accounts.protocol.connections import BoundedSocket
from oauth_accounts.protocol.discovery import discover
from oauth_accounts.testing.server import FakeProvider
from tests.views.browser import Browser

# Modules that open connections, or start programs that could.
DOORS = {
    *("aiohttp", "asyncio", "ftplib", "http", "httplib2", "httpx", "imaplib"),
    *("multiprocessing", "poplib", "pycurl", "requests", "requests_oauthlib"),
    *("smtplib", "socket", "socketserver", "ssl", "subprocess", "telnetlib"),
    *("urllib.request", "urllib3", "websockets", "xmlrpc"),
}
# Who has which; of "http" the status codes and cookie policies are no door, and of "smtplib"
# the errors of the project's own mail backend.
KNOWN = {
    "protocol/client.py": {"requests", "requests_oauthlib"},
    "protocol/client_auth.py": {"requests"},
    "protocol/connections.py": {"http", "requests", "socket", "ssl", "urllib3"},
    "protocol/documents.py": {"requests"},
    "post.py": {"smtplib"},
    "protocol/lookups.py": {"socket"},
    "protocol/reachability.py": {"requests"},
    "protocol/transport.py": {"requests", "urllib3"},
    "session.py": {"requests"},
}
EVENTS = {
    *("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"),
    *("urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect"),
}


class Watch:
    """
    What this process does with the network, while it is switched on.

    An audit hook sees every library, and cannot be taken away again.
    """

    def __init__(self) -> None:
        self.on = False
        self.seen: list[tuple[str, tuple[Any, ...]]] = []
        sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event in EVENTS:
            self.seen.append((event, arguments))


WATCH = Watch()


@pytest.fixture
def watch() -> Iterator[Watch]:
    WATCH.seen.clear()
    WATCH.on = True
    yield WATCH
    WATCH.on = False


def live(server: FakeProvider) -> None:
    """Let an account be connected, used, refreshed in both ways and revoked."""
    Provider.objects.create(slug="fake", **server.as_provider_fields())
    browser = Browser(get_user_model().objects.create_user("anna"), server)
    account = browser.connect()
    account.refresh()
    account.session().get("me")
    server.book.expire(account.reveal("access_token").get_value())
    account.session().get("me")
    type(account).objects.update(refresh_due_at=account.created_at)
    assert sweep.run().refreshed == 1
    account.reload()
    account.revoke()
    outbox.deliver_due()
    browser.connect().revoke(wait=True)
    discover(server.issuer)


def test_d1_only_the_guard_opens_connections(
    transactional_db: None, server: FakeProvider, watch: Watch
) -> None:
    address = ("127.0.0.1", int(server.issuer.rpartition(":")[2]))

    live(server)

    opened = [
        (type(arguments[0]), arguments[1])
        for event, arguments in watch.seen
        # The database's own socket file, where it is asked over one in Python.
        if event == "socket.connect" and isinstance(arguments[1], tuple)
    ]
    assert opened
    assert set(opened) == {(BoundedSocket, address)}
    assert {event for event, _arguments in watch.seen} <= {
        "socket.connect",
        "http.client.connect",
    }
    endpoints = {request.path for request in server.requests}
    assert {"/token", "/userinfo", "/revoke", "/api/me"} <= endpoints


def test_d1_the_watch_sees_others(server: FakeProvider, watch: Watch) -> None:
    with socket.create_connection(("127.0.0.1", int(server.issuer.rpartition(":")[2]))):
        pass
    assert [type(arguments[0]) for _event, arguments in watch.seen] == [socket.socket]


def doors_of(path: Path) -> set[str]:
    """Return which of the DOORS a module of the app imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    harmless = ("http.HTTPStatus", "http.cookiejar")
    names = {name for name in names if name != "http" and not name.startswith(harmless)}
    return {
        door
        for door in DOORS
        for name in names
        if name == door or name.startswith(f"{door}.")
    }


def test_d1_nothing_else_has_a_door() -> None:
    package = Path(oauth_accounts.__file__).parent
    found = {
        path.relative_to(package).as_posix(): doors
        for path in package.rglob("*.py")
        if "testing" not in path.parts and (doors := doors_of(path))
    }
    assert found == KNOWN
