"""Resolvers that hang: the real call is replaced, threads and forks are real."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from oauth_accounts.exceptions import ProviderUnavailable
from oauth_accounts.protocol import lookups
from oauth_accounts.protocol.connections import GuardedHTTPConnection
from tests.protocol.calls import ask, failure

INFOS = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]


class Resolver:
    """Stands in for the system's: answers when it is told to."""

    def __init__(self):
        self.released = threading.Event()
        self.asked: list[str] = []

    def getaddrinfo(self, host, port, *args, **kwargs):
        self.asked.append(host)
        self.released.wait(10)
        return INFOS


@pytest.fixture
def hanging(monkeypatch):
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    yield resolver
    resolver.released.set()
    wait_for_threads()


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "oauth_accounts.lookup"]


def wait_for_threads() -> None:
    for thread in threads():
        thread.join(5)
    assert threads() == []
    assert lookups._under_way == {}


class TestDeadline:
    def test_d8_a_resolver_that_hangs_does_not_hold_the_call(self, hanging, short):
        started = time.monotonic()

        refused = failure("https://idp.example/")

        assert isinstance(refused, ProviderUnavailable)
        # Nothing was sent, so it may be tried again.
        assert refused.code == "unreachable"
        assert short <= time.monotonic() - started < short + 0.5

    def test_nobody_waits_for_the_thread_at_the_end(self, hanging):
        with pytest.raises(TimeoutError):
            lookups.resolve("idp.example", 443, 0.01)

        assert all(thread.daemon for thread in threads())

    def test_the_next_caller_gets_the_answer_of_the_first(self, hanging):
        with pytest.raises(TimeoutError):
            lookups.resolve("idp.example", 443, 0.01)
        hanging.released.set()

        assert lookups.resolve("idp.example", 443, 5) == INFOS


class TestThreads:
    def test_twenty_callers_ask_once(self, hanging):
        with ThreadPoolExecutor(20) as pool:
            waiting = [
                pool.submit(lookups.resolve, "idp.example", 443, 5) for _ in range(20)
            ]
            time.sleep(0.1)
            hanging.released.set()
            answers = [future.result() for future in waiting]

        assert answers == [INFOS] * 20
        assert hanging.asked == ["idp.example"]

    def test_each_answer_is_asked_for_anew(self, hanging):
        hanging.released.set()

        for _ in range(3):
            lookups.resolve("idp.example", 443, 5)
            wait_for_threads()

        assert hanging.asked == ["idp.example"] * 3

    def test_those_that_hang_are_limited(self, hanging):
        for number in range(lookups.MAX_THREADS):
            with pytest.raises(TimeoutError):
                lookups.resolve(f"{number}.example", 443, 0)
        assert len(threads()) == lookups.MAX_THREADS

        with pytest.raises(OSError, match="too many"):
            lookups.resolve("one-more.example", 443, 5)
        with pytest.raises(TimeoutError):
            lookups.resolve("0.example", 443, 0)

        hanging.released.set()
        wait_for_threads()
        assert lookups.resolve("one-more.example", 443, 5) == INFOS

    def test_a_thread_that_cannot_be_started(self, monkeypatch):
        def refuse(thread):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)

        with pytest.raises(OSError, match="start new thread"):
            lookups.resolve("localhost", 443, 5)

        monkeypatch.undo()
        assert lookups.resolve("localhost", 443, 5)

    def test_an_address_needs_no_thread(self, monkeypatch):
        def refuse(thread):
            raise AssertionError("started")

        monkeypatch.setattr(threading.Thread, "start", refuse)

        for host in ("127.0.0.1", "::1"):
            assert lookups.resolve(host, 443, 0)[0][4][0] == host


class TestAnswers:
    @pytest.mark.parametrize(
        "error",
        [
            socket.gaierror(socket.EAI_NONAME, "unknown"),
            OSError("out of files"),
            UnicodeError("label too long"),
        ],
    )
    def test_what_goes_wrong_is_an_os_error(self, monkeypatch, error):
        def fail(*args, **kwargs):
            raise error

        monkeypatch.setattr(socket, "getaddrinfo", fail)

        with pytest.raises(OSError, match=r"unknown|out of files|label too long"):
            lookups.resolve("idp.example", 443, 5)
        wait_for_threads()

    def test_a_name_is_resolved(self, server):
        assert ask(f"http://localhost:{server.port}/").status == 200


FORK = """
import os, socket, threading
from oauth_accounts.protocol import lookups

real, hang = socket.getaddrinfo, threading.Event()
socket.getaddrinfo = lambda *args, **kwargs: hang.wait(20)
try:
    lookups.resolve("localhost", 443, 0.05)
except TimeoutError:
    print("hangs", flush=True)
socket.getaddrinfo = real
child = os.fork()
if not child:
    print("child", bool(lookups.resolve("localhost", 443, 5)), flush=True)
    os._exit(0)
print("ended", os.waitpid(child, 0)[1], flush=True)
"""


def test_a_child_process_does_not_wait_for_a_thread_of_its_parent():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )

    # It also ended at once, with a lookup still hanging.
    assert done.stdout.split("\n") == ["hangs", "child True", "ended 0", ""]


def test_nothing_is_dialled_after_the_deadline():
    connection = GuardedHTTPConnection("127.0.0.1", 80)
    connection.deadline = time.monotonic() - 1
    with pytest.raises(TimeoutError, match="deadline"):
        connection._left(3.0)
