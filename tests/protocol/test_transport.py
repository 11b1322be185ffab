from __future__ import annotations

import gzip
import os
import socket
import ssl
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import trustme

from oauth_accounts.exceptions import (
    OAuthAccountsError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from oauth_accounts.protocol import connections as connections_module
from oauth_accounts.protocol import transport
from oauth_accounts.protocol.transport import BoundedSession, GuardedSession, call
from tests.protocol.servers import (
    ScriptedServer,
    answer,
    close,
    cut,
    drip,
    silence,
)

OK = answer(200, {"a": 1})


def ask(url: str, **kwargs):
    return call(BoundedSession(), requests.Request("POST", url, data="a=b", **kwargs))


def failure(url: str) -> OAuthAccountsError:
    with pytest.raises(OAuthAccountsError) as caught:
        ask(url)
    return caught.value


@pytest.fixture
def short(settings) -> float:
    settings.OAUTH_ACCOUNTS_HTTP_TIMEOUT = 0.5
    return 0.5


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
        with theirs, connections_module.DeadlineSocket(fileno=ours.detach()) as sock:
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
        ],
    )
    def test_d4_names_that_resolve_inside_are_refused(self, monkeypatch, addresses):
        def getaddrinfo(host, port, *args, **kwargs):
            kind = socket.SOCK_STREAM
            return [(socket.AF_INET, kind, 6, "", (a, port)) for a in addresses]

        def dial(*args):
            raise AssertionError("dialled")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(connections_module, "DeadlineSocket", dial)
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
        monkeypatch.setattr(connections_module.DeadlineSocket, "connect", connect)
        assert failure("https://idp.example/").code == "unreachable"
        assert failure("https://idp.example/").code == "address_refused"
        assert dialled == ["93.184.215.14"]

    def test_d2_urls_are_checked_at_the_call(self):
        refused = failure("http://idp.example/")
        assert isinstance(refused, ProviderMisconfigured)
        assert refused.code == "url_refused"


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """A certificate authority that this process trusts."""
    made = trustme.CA()
    bundle = tmp_path / "ca.pem"
    made.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    transport._adapter_of.cache_clear()
    yield made
    transport.guarded_adapter(bounded=True).close()
    transport._adapter_of.cache_clear()


def tls_server(certificate: trustme.LeafCert) -> ScriptedServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return ScriptedServer(OK, host="localhost", context=context)


class TestTLS:
    def test_a_trusted_certificate_passes(self, authority):
        with tls_server(authority.issue_cert("localhost")) as server:
            assert ask(server.url).body == b'{"a": 1}'
            assert ask(server.url).body == b'{"a": 1}'
            assert server.connections == 1

    def test_the_deadline_holds_under_tls(self, authority, short):
        with tls_server(authority.issue_cert("localhost")) as server:
            server.script = drip(HEAD, b"X: y\r\n")
            assert failure(server.url).code == "outcome_unknown"

    @pytest.mark.parametrize(
        "variable", ["OAUTHLIB_INSECURE_TRANSPORT", "PYTHONHTTPSVERIFY"]
    )
    def test_a3_4_unknown_authorities_are_refused(
        self, authority, monkeypatch, variable
    ):
        monkeypatch.setenv(variable, "1" if "OAUTH" in variable else "0")
        with tls_server(trustme.CA().issue_cert("localhost")) as server:
            assert failure(server.url).code == "unreachable"
            assert server.requests == []

    def test_a3_4_certificates_of_other_hosts_are_refused(self, authority):
        with tls_server(authority.issue_cert("idp.example")) as server:
            assert failure(server.url).code == "unreachable"
            assert server.requests == []

    def test_a3_4_there_is_no_switch(self, authority):
        session = GuardedSession()
        session.verify = False
        with tls_server(trustme.CA().issue_cert("localhost")) as server:
            with pytest.raises(requests.ConnectionError):
                session.get(server.url, verify=False)
            assert server.requests == []

    def test_a_handshake_that_hangs_is_unreachable(self, server, short):
        server.script = silence
        url = server.url.replace("http:", "https:")
        assert failure(url).code == "unreachable"


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
