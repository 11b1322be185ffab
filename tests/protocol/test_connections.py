from __future__ import annotations

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from oauth_accounts.exceptions import (
    ProviderMisconfigured,
)
from oauth_accounts.protocol import connections as connections_module
from oauth_accounts.protocol import transport
from oauth_accounts.protocol.transport import BoundedSession, call
from tests.protocol.calls import (
    ask,
    failure,
)
from tests.protocol.servers import (
    answer,
    close,
)

HEAD = b"HTTP/1.1 200 OK\r\n"


class TestKeptConnections:
    def test_one_connection_serves_many_calls_and_sessions(self, server):
        for _ in range(3):
            ask(server.url)
        assert server.connections == 1

    def test_threads_share_the_pool_and_do_not_mix_answers(self, server):
        session = BoundedSession()

        def number(n: int) -> bytes:
            request = requests.Request("POST", server.url, data=f"n={n}")
            return call(session, request).body

        server.reply = lambda received: answer(200, body=received.body)
        with ThreadPoolExecutor(8) as pool:
            bodies = list(pool.map(number, range(80)))
        assert bodies == [f"n={n}".encode() for n in range(80)]
        assert server.connections <= 8

    def test_a_connection_the_server_closed_is_replaced(self, server):
        ask(server.url)
        server.hang_up()
        time.sleep(0.05)
        assert ask(server.url).status == 200
        assert server.connections == 2

    def test_a_connection_that_was_idle_too_long_is_replaced(self, server, monkeypatch):
        ask(server.url)
        monkeypatch.setattr(transport, "MAX_IDLE", 0.0)
        ask(server.url)
        assert server.connections == 2

    def test_a3_11_a_request_lost_on_a_kept_connection_is_not_repeated(self, server):
        ask(server.url)
        server.script = close
        assert failure(server.url).code == "outcome_unknown"
        assert len(server.requests) == 2
        assert server.connections == 1

    def test_threads_that_come_first_at_once_share_one_pool(self, monkeypatch):
        monkeypatch.setattr(transport, "_adapters", {})
        barrier = threading.Barrier(8)

        def first(_number):
            barrier.wait()
            return transport.guarded_adapter(bounded=True)

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(first, range(8)))

        assert all(adapter is found[0] for adapter in found)

    def test_each_process_has_its_own(self, server, monkeypatch):
        ask(server.url)
        mine = transport.guarded_adapter(bounded=True)
        assert transport.guarded_adapter(bounded=True) is mine
        pid = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: pid + 1)
        theirs = transport.guarded_adapter(bounded=True)
        assert theirs is not mine
        ask(server.url)
        theirs.close()
        assert server.connections == 2

    def test_d4_rules_hold_for_kept_connections_too(self, server, monkeypatch):
        ask(server.url)
        monkeypatch.setattr(connections_module, "is_peer_allowed", lambda *args: False)
        assert failure(server.url).code == "address_refused"
        assert len(server.requests) == 1
        assert server.connections == 1

    def test_closing_a_session_leaves_the_pool_alone(self, server):
        with BoundedSession() as session:
            call(session, requests.Request("POST", server.url, data=""))
        ask(server.url)
        assert server.connections == 1


class TestPeers:
    @pytest.mark.parametrize(
        "addresses",
        [
            ["169.254.169.254"],
            ["93.184.215.14", "169.254.169.254"],
            ["fe80::1%eth0"],
            ["::ffff:127.0.0.1"],
            ["127.0.0.1"],
            ["93.184.215.14"] * 5 + ["10.0.0.1"],
        ],
    )
    def test_d4_names_that_resolve_inside_are_refused(self, monkeypatch, addresses):
        def getaddrinfo(host, port, *args, **kwargs):
            kind = socket.SOCK_STREAM
            return [(socket.AF_INET, kind, 6, "", (a, port)) for a in addresses]

        def dial(*args):
            raise AssertionError("dialled")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(connections_module, "BoundedSocket", dial)
        refused = failure("https://idp.example/")
        assert isinstance(refused, ProviderMisconfigured)
        assert refused.code == "address_refused"

    def test_d4_an_address_that_changes_between_two_look_ups(self, server, monkeypatch):
        answers = iter(["93.184.215.14", "127.0.0.1"])
        dialled = []

        def getaddrinfo(host, port, *args, **kwargs):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

        def connect(self, address):
            dialled.append(address[0])
            raise OSError("no route")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(connections_module.BoundedSocket, "connect", connect)
        assert failure("https://idp.example/").code == "unreachable"
        assert failure("https://idp.example/").code == "address_refused"
        assert dialled == ["93.184.215.14"]

    def test_d2_urls_are_checked_at_the_call(self):
        refused = failure("http://idp.example/")
        assert isinstance(refused, ProviderMisconfigured)
        assert refused.code == "url_refused"
