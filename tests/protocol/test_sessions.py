from __future__ import annotations

import gzip
import socket
import time

import pytest
import requests

from oauth_accounts.exceptions import (
    ProviderMisconfigured,
)
from oauth_accounts.protocol.transport import BoundedSession, GuardedSession, call
from tests.protocol.calls import (
    OK,
    ask,
)
from tests.protocol.servers import (
    ScriptedServer,
    answer,
    silence,
)

HEAD = b"HTTP/1.1 200 OK\r\n"


class TestAmbientState:
    def test_a3_12_cookies_are_neither_kept_nor_sent(self, server):
        server.script = answer(200, {}, headers=("Set-Cookie: a=b; Path=/",))
        session = BoundedSession()
        for _ in range(2):
            call(session, requests.Request("POST", server.url, data=""))
        assert "cookie" not in server.requests[1].headers
        assert not session.cookies

    def test_a3_13_netrc_and_proxies_of_the_environment(
        self, server, tmp_path, monkeypatch
    ):
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login a password b\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        ask(server.url)
        GuardedSession().get(server.url)
        assert all("authorization" not in r.headers for r in server.requests)
        assert len(server.requests) == 2

    def test_malformed_headers_do_not_reach_the_log(self, server, caplog):
        caplog.set_level("DEBUG")
        server.script = (
            HEAD + b"Content-Length: 2\r\nbad header\r\nX-Token: s3cret\r\n\r\n{}"
        )
        assert ask(server.url).status == 200
        assert "s3cret" not in caplog.text


class TestGuardedSession:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a3_3_redirects_are_returned(self, server, status):
        with ScriptedServer(OK) as other:
            server.script = answer(status, {}, headers=(f"Location: {other.url}/",))
            for allow in (True, False):
                reply = GuardedSession().post(server.url, allow_redirects=allow)
                assert reply.status_code == status
            assert other.requests == []

    def test_size_and_deadline_do_not_hold(self, server, short):
        server.script = answer(200, body=b"x" * 1_000_000)
        assert len(GuardedSession().get(server.url).content) == 1_000_000

        def slow(sock: socket.socket) -> None:
            sock.sendall(HEAD + b"Content-Length: 20\r\n\r\n")
            for _ in range(20):
                time.sleep(0.04)
                sock.sendall(b"x")

        server.script = slow
        assert len(GuardedSession().get(server.url).content) == 20

    def test_a_wait_without_end_is_not_possible(self, server, short):
        server.script = silence
        with pytest.raises(requests.ReadTimeout):
            GuardedSession().get(server.url)
        with pytest.raises(requests.ReadTimeout):
            GuardedSession().get(server.url, timeout=0.1)

    def test_compressed_answers_are_welcome(self, server):
        content = gzip.compress(b"hello")
        server.script = answer(200, body=content, headers=("Content-Encoding: gzip",))
        assert GuardedSession().get(server.url).text == "hello"

    def test_queries_and_fragments_are_fine(self, server):
        GuardedSession().get(f"{server.url}/a?b=[c]&d=ü#part")
        assert server.requests[0].target == "/a?b=%5Bc%5D&d=%C3%BC"

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            ("http://idp.example/", "url_refused"),
            ("https://user:pass@idp.example/", "url_refused"),
            ("https://idp.internal/", "address_refused"),
        ],
    )
    def test_refusals_carry_no_frames_of_the_request(self, monkeypatch, url, code):
        def getaddrinfo(host, port, *args, **kwargs):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        with pytest.raises(ProviderMisconfigured) as caught:
            GuardedSession().post(url, data="s3cret")
        assert caught.value.code == code
        assert caught.value.__context__ is None

    def test_proxies_are_ignored(self, server):
        proxies = {"http": "http://127.0.0.1:9"}
        assert GuardedSession().get(server.url, proxies=proxies).status_code == 200
