"""The guard under gevent, whose sockets and locks are others."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from functools import partial

from tests.protocol.servers import ScriptedServer, answer, drip
from tests.protocol.test_floods import FLOODS

CHILD = """
from gevent import monkey
monkey.patch_all()
import gevent, sys, threading
from django.conf import settings
settings.configure(
    DEBUG=True, OAUTH_ACCOUNTS_HTTP_TIMEOUT=3, OAUTH_ACCOUNTS_CALLS_PER_PROVIDER=2
)
import requests
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.protocol.transport import BoundedSession, call
from oauth_accounts.turnstile import turn, _inside

def ask(url, data="a=b"):
    try:
        return call(BoundedSession(), requests.Request("POST", url, data=data)).status
    except OAuthAccountsError as error:
        return error.code

def ask_in_turn(url):
    with turn("idp"):
        assert len(_inside["idp"]) <= 2
        return ask(url)

good, deaf, *bad = sys.argv[1:]
jobs = [gevent.spawn(ask_in_turn, good) for _ in range(20)]
jobs += [gevent.spawn(ask, url) for url in bad]
jobs += [gevent.spawn(ask, deaf, b"x" * 50_000_000)]
gevent.joinall(jobs)
print(*sorted({str(job.value) for job in jobs}), len(jobs), flush=True)
"""


class Deaf(ScriptedServer):
    """Accepts and reads nothing."""

    def _serve(self, sock: socket.socket) -> None:
        self._sockets.append(sock)
        self.stopping.wait(60)


def test_d8_d9_d13_the_bounds_hold_under_gevent():
    makers = [
        partial(ScriptedServer, answer(200, {"a": 1})),
        Deaf,
        partial(ScriptedServer, drip(b"HTTP/1.1 200 OK\r\n", b"X")),
        partial(ScriptedServer, FLOODS["trailers"]),
    ]
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(make()) for make in makers]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CHILD, *(s.url for s in servers)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.stdout.split() == ["200", "outcome_unknown", "23"], done.stderr
