from __future__ import annotations

import gzip
import socket
import time
import tracemalloc

import pytest

from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
)
from oauth_accounts.protocol import connections as connections_module
from tests.protocol.calls import (
    OK,
    ask,
    failure,
)
from tests.protocol.servers import (
    answer,
    cut,
    drip,
    silence,
)


class TestAnswers:
    def test_a_complete_answer_is_returned_whatever_its_status(self, server):
        server.script = answer(418, {"a": 1}, headers=("Retry-After: 7",))
        reply = ask(server.url)
        assert (reply.status, reply.body, reply.retry_after) == (418, b'{"a": 1}', 7)

    def test_the_answer_does_not_print_its_body(self, server):
        server.script = answer(200, {"access_token": "s3cret"})
        assert "s3cret" not in repr(ask(server.url))

    def test_an_answer_that_ends_with_the_connection(self, server):
        server.script = cut(b"HTTP/1.0 200 OK\r\n\r\n{}")
        assert ask(server.url).body == b"{}"

    def test_chunks_are_put_together(self, server):
        server.script = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
        )
        assert ask(server.url).body == b"{}"

    def test_a_request_that_cannot_be_written_down_is_refused(self, server):
        with pytest.raises(ProviderMisconfigured) as caught:
            ask(server.url, headers={"Authorization": "Bearer a\r\nX: y"})
        assert caught.value.code == "request_refused"
        assert server.connections == 0


class TestNothingSent:
    def test_e8_a_closed_port_is_unreachable(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        refused = failure(f"http://127.0.0.1:{port}/")
        assert isinstance(refused, ProviderUnavailable)
        assert refused.code == "unreachable"

    def test_e8_a_name_that_does_not_resolve_is_unreachable(self, monkeypatch):
        def getaddrinfo(*args, **kwargs):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        assert failure("https://idp.example/").code == "unreachable"

    def test_a_name_without_addresses_is_unreachable(self, monkeypatch):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [])
        assert failure("https://idp.example/").code == "unreachable"

    def test_d8_the_deadline_counts_while_resolving(self, monkeypatch, settings):
        settings.OAUTH_ACCOUNTS_HTTP_TIMEOUT = 0.05
        resolved = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]

        def getaddrinfo(*args, **kwargs):
            time.sleep(0.1)
            return resolved

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        assert failure("http://localhost:9/").code == "unreachable"

    def test_the_next_address_is_tried(self, server, monkeypatch):
        kind = socket.SOCK_STREAM
        infos = [
            (socket.AF_INET6, kind, 6, "", ("::1", server.port, 0, 0)),
            (socket.AF_INET, kind, 6, "", ("127.0.0.1", server.port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: infos)
        assert ask(f"http://localhost:{server.port}/").status == 200

    def test_nothing_secret_in_the_log(self, caplog):
        caplog.set_level("DEBUG")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        failure(f"http://127.0.0.1:{port}/s3cret-path")
        assert "Cannot connect" in caplog.text
        assert f"port={port}" in caplog.text
        assert "s3cret" not in caplog.text


HEAD = b"HTTP/1.1 200 OK\r\n"


class TestOutcomeUnknown:
    @pytest.mark.parametrize(
        "script",
        [
            cut(),
            cut(b"HTTP/1.1 2"),
            cut(HEAD + b"Content-Length: 10\r\n\r\n{}"),
            cut(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
            cut(b"not http at all\r\n\r\n"),
            HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            HEAD + b"Content-Length: 5, 6\r\n\r\n{}",
            HEAD + b"X: y\r\n" * 200 + b"\r\n",
            HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
            HEAD + b"Content-Length: 300000\r\n\r\n" + b" " * 300_000,
            HEAD + b"Content-Length: 262145\r\n\r\n" + b" " * 262_145,
            HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
            HEAD + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
        ],
    )
    def test_a3_11_d9_d10_sent_once_and_no_complete_answer(self, server, script):
        server.script = script
        lost = failure(server.url)
        assert isinstance(lost, ProviderUnavailable)
        assert lost.code == "outcome_unknown"
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "script",
        [
            silence,
            drip(HEAD + b"X: ", b"y"),
            drip(HEAD, b"X: y\r\n"),
            drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            drip(HEAD + b"Content-Length: 5000\r\n\r\n", b"y"),
            drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\ny\r\n"),
        ],
    )
    def test_d8_the_deadline_is_total(self, server, short, script):
        server.script = script
        begin = time.monotonic()
        assert failure(server.url).code == "outcome_unknown"
        assert short * 0.8 < time.monotonic() - begin < short + 1
        assert len(server.requests) == 1

    def test_d8_nothing_is_waited_for_once_the_deadline_has_passed(self):
        ours, theirs = socket.socketpair()
        theirs.sendall(b"data")
        with theirs, connections_module.BoundedSocket(fileno=ours.detach()) as sock:
            sock.deadline = time.monotonic() - 1
            with pytest.raises(TimeoutError):
                sock.recv_into(bytearray(4))
            sock.deadline = None
            assert sock.recv_into(bytearray(4)) == 4

    def test_d9_256_kb_is_enough(self, server):
        server.script = answer(200, body=b" " * 262_144)
        assert len(ask(server.url).body) == 262_144

    def test_d9_a_compressed_bomb_is_not_unpacked(self, server):
        bomb = gzip.compress(b"0" * 50_000_000)
        server.script = answer(200, body=bomb, headers=("Content-Encoding: gzip",))
        tracemalloc.start()
        assert failure(server.url).code == "outcome_unknown"
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5_000_000
        assert server.requests[0].headers["accept-encoding"] == "identity"

    def test_after_a_bad_answer_the_connection_is_not_used_again(self, server):
        server.script = answer(200, body=b" " * 300_000)
        failure(server.url)
        server.script = OK
        assert ask(server.url).body == b'{"a": 1}'
        assert server.connections == 2
