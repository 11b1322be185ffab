"""Answers that are much longer than they look, or never end."""

from __future__ import annotations

import contextlib
import gzip
import socket
import subprocess
import sys
import time

import pytest
import requests

from oauth_accounts.exceptions import ProviderUnavailable
from oauth_accounts.protocol import connections as connections_module
from oauth_accounts.protocol.documents import MAX_DOCUMENT
from oauth_accounts.protocol.transport import MAX_BODY, BoundedSession, call
from tests.protocol.calls import OK, ask, failure
from tests.protocol.servers import ScriptedServer, answer, close, drip

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def flood(start: bytes, piece: bytes):
    """Send `start`, then `piece` as fast as the client takes it, without end."""

    def script(sock: socket.socket) -> None:
        sock.sendall(start)
        while True:
            sock.sendall(piece)

    return script


FLOODS = {
    "interim answers": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "hints": flood(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
    "headers": flood(HEAD, b"X: y\r\n" * 1000),
    "long headers": flood(HEAD, b"X: " + b"y" * 65_000 + b"\r\n"),
    "one header": flood(HEAD + b"X: ", b"y" * 65_000),
    "a status line": flood(b"HTTP/1.1 200 ", b"y" * 65_000),
    "a body": flood(HEAD + b"\r\n", b"y" * 65_000),
    "chunks": flood(CHUNKED, b"ff\r\n" + b"y" * 255 + b"\r\n"),
    "small chunks": flood(CHUNKED, b"1\r\ny\r\n" * 1000),
    "chunk extensions": flood(CHUNKED, b"1;" + b"x" * 60_000 + b"\r\ny\r\n"),
    "a chunk without a size": flood(CHUNKED + b"-1\r\n", b"y" * 65_000),
    "trailers": flood(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * 1000),
}
BOMB = answer(
    200,
    body=gzip.compress(b"0" * 200_000_000),
    headers=("Content-Encoding: gzip",),
)


class TestFloods:
    @pytest.mark.parametrize("name", FLOODS)
    def test_d9_what_never_ends_is_cut_long_before_the_deadline(
        self, server, settings, name
    ):
        settings.OAUTH_ACCOUNTS_HTTP_TIMEOUT = 30
        server.script = FLOODS[name]
        begin = time.monotonic()

        lost = failure(server.url)

        assert isinstance(lost, ProviderUnavailable)
        assert lost.code == "outcome_unknown"
        assert time.monotonic() - begin < 25
        assert len(server.requests) == 1

    @pytest.mark.parametrize("size", [b"-5", b"-1", b"", b"\xff", b"f" * 40, b"0x"])
    def test_d9_chunk_sizes_that_make_no_sense(self, server, size):
        def script(sock: socket.socket) -> None:
            sock.sendall(CHUNKED + size + b"\r\n{}\r\n0\r\n\r\n")
            close(sock)

        server.script = script
        assert failure(server.url).code == "outcome_unknown"

    def test_d9_what_follows_an_answer_is_part_of_no_other(self, server):
        forged = answer(200, {"access_token": "forged"})
        server.script = answer(200, {"a": 1}) + forged
        assert ask(server.url).body == b'{"a": 1}'
        server.script = OK
        assert ask(server.url).body == b'{"a": 1}'

    def test_d9_a_length_that_is_too_short_cuts_the_answer(self, server):
        server.script = HEAD + b'Content-Length: 4\r\n\r\n{"access_token": "a"}'
        assert ask(server.url).body == b'{"ac'

    @pytest.mark.parametrize("length", ["9" * 5000, "-1", "many", "1e3"])
    def test_d9_a_length_that_is_no_number_is_none(self, server, length):
        def script(sock: socket.socket) -> None:
            head = HEAD + f"Content-Length: {length}\r\n\r\n".encode()
            sock.sendall(head + b"{}")
            close(sock)

        server.script = script
        assert ask(server.url).body == b"{}"

    def test_d9_an_empty_encoding_is_none(self, server):
        server.script = answer(200, {"a": 1}, headers=("Content-Encoding: ",))
        assert ask(server.url).body == b'{"a": 1}'


class TestInterim:
    @pytest.mark.parametrize(
        "interim",
        [
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 102 Processing\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n" * 3,
        ],
    )
    def test_d8_interim_answers_are_passed_over(self, server, interim):
        server.script = interim + OK
        assert ask(server.url).body == b'{"a": 1}'
        assert ask(server.url).body == b'{"a": 1}'
        assert server.connections == 1


class TestLimits:
    def test_d9_a_document_may_be_512_kb(self, server):
        request = requests.Request("GET", server.url)
        server.script = answer(200, body=b" " * MAX_DOCUMENT)
        found = call(BoundedSession(), request, max_body=MAX_DOCUMENT)
        assert len(found.body) == MAX_DOCUMENT == 2 * MAX_BODY

        server.script = answer(200, body=b" " * (MAX_DOCUMENT + 1))
        with pytest.raises(ProviderUnavailable):
            call(BoundedSession(), request, max_body=MAX_DOCUMENT)

    def test_d9_the_longest_document_may_come_in_pieces(self, server):
        piece = b"100\r\n" + b" " * 256 + b"\r\n"
        pieces = piece * (MAX_DOCUMENT // 256)
        server.script = CHUNKED + pieces + b"0\r\n\r\n"
        request = requests.Request("GET", server.url)
        found = call(BoundedSession(), request, max_body=MAX_DOCUMENT)
        assert len(found.body) == MAX_DOCUMENT

    def test_d9_every_call_has_the_whole_allowance(self, server):
        server.script = answer(200, body=b" " * MAX_BODY)
        calls = 2 * connections_module.MAX_RECEIVED // MAX_BODY
        for _number in range(calls):
            assert len(ask(server.url).body) == MAX_BODY
        assert server.connections == 1


CHILD = """
import resource, sys
from django.conf import settings
settings.configure(DEBUG=True)
import requests
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.protocol.transport import BoundedSession, call

def ask(url):
    try:
        return call(BoundedSession(), requests.Request("POST", url, data="a=b")).status
    except OAuthAccountsError as error:
        return error.code

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

good, *bad = sys.argv[1:]
for _ in range(3):
    ask(good)
before = peak()
print(*(ask(url) for url in bad), peak() - before)
"""


def test_d9_b37_no_answer_takes_5_mb_of_memory():
    with contextlib.ExitStack() as stack:
        scripts = [answer(200, body=b" " * MAX_BODY), BOMB, *FLOODS.values()]
        servers = [stack.enter_context(ScriptedServer(script)) for script in scripts]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CHILD, *(s.url for s in servers)],
            capture_output=True,
            text=True,
            check=True,
            timeout=240,
        )
    *codes, extra = done.stdout.split()
    assert set(codes) == {"outcome_unknown"}
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(extra) * unit < 5_000_000


class TestSlowness:
    def test_d8_a_handshake_that_drips_ends_at_the_deadline(self, short):
        class Dripping(ScriptedServer):
            def _serve(self, sock: socket.socket) -> None:
                self._sockets.append(sock)
                with contextlib.suppress(OSError):
                    # A record of TLS that says it is 16 kB long.
                    drip(b"\x16\x03\x03\x40\x00", b"\x02")(sock)

        with Dripping() as server:
            begin = time.monotonic()
            url = server.url.replace("http:", "https:")
            assert failure(url).code == "unreachable"
            assert time.monotonic() - begin < short + 5

    def test_d8_a_request_that_nobody_reads_ends_at_the_deadline(self, short):
        class Deaf(ScriptedServer):
            def _serve(self, sock: socket.socket) -> None:
                self._sockets.append(sock)
                self.stopping.wait(10)

        with Deaf() as server:
            request = requests.Request("POST", server.url, data=b"x" * 50_000_000)
            begin = time.monotonic()
            with pytest.raises(ProviderUnavailable) as caught:
                call(BoundedSession(), request)
            assert caught.value.code == "outcome_unknown"
            assert time.monotonic() - begin < short + 5

    def test_d8_nothing_is_sent_once_the_deadline_has_passed(self):
        ours, theirs = socket.socketpair()
        with theirs, connections_module.BoundedSocket(fileno=ours.detach()) as sock:
            sock.deadline = time.monotonic() - 1
            for send in (sock.send, sock.sendall):
                with pytest.raises(TimeoutError):
                    send(b"data")
            sock.deadline = None
            assert sock.send(b"data") == 4
