"""A provider that hangs holds so many threads of a process, and no more."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from oauth_accounts import turnstile
from oauth_accounts.exceptions import ProviderUnavailable
from oauth_accounts.turnstile import turn


@pytest.fixture(autouse=True)
def _two_turns(settings):
    settings.OAUTH_ACCOUNTS_CALLS_PER_PROVIDER = 2
    yield
    assert turnstile._inside == {}


class Holder:
    """A thread that has a turn until it is told to end."""

    def __init__(self, slug: str = "idp") -> None:
        self.release, self.entered = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._hold, args=(slug,))
        self.thread.start()

    def _hold(self, slug: str) -> None:
        with turn(slug):
            self.entered.set()
            self.release.wait(30)

    def end(self) -> None:
        self.release.set()
        self.thread.join(10)


@pytest.fixture
def full():
    """Two threads that have both turns of the provider "idp"."""
    holders = [Holder(), Holder()]
    assert all(holder.entered.wait(10) for holder in holders)
    yield holders
    for holder in holders:
        holder.end()


def busy(slug: str = "idp", **arguments) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught, turn(slug, **arguments):
        raise AssertionError("inside")
    assert caught.value.code == "provider_busy"
    return caught.value


def wait_until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestTurns:
    def test_d13_behind_slow_calls_nobody_waits(self, full, monkeypatch):
        monkeypatch.setattr(turnstile, "SLOW_SECONDS", 0.0)
        monkeypatch.setattr(turnstile._left, "wait", lambda left: pytest.fail("waits"))
        assert busy().retry_after == turnstile.RETRY_SECONDS

    def test_d13_behind_quick_ones_a_turn_is_waited_for(self, full):
        waiting = Holder()
        assert not waiting.entered.wait(0.1)
        full[0].end()
        assert waiting.entered.wait(10)
        waiting.end()

    def test_d13_but_not_without_end(self, full, monkeypatch):
        monkeypatch.setattr(turnstile, "SLOW_SECONDS", 1000.0)
        monkeypatch.setattr(turnstile, "WAIT_SECONDS", 0.05)
        busy()

    def test_d13_a_call_becomes_slow_while_others_wait(self, full, monkeypatch):
        monkeypatch.setattr(turnstile, "SLOW_SECONDS", 0.3)
        monkeypatch.setattr(turnstile, "WAIT_SECONDS", 1000.0)
        busy()

    def test_who_can_do_without_waits_for_nothing(self, full, monkeypatch):
        monkeypatch.setattr(turnstile._left, "wait", lambda left: pytest.fail("waits"))
        busy(patient=False)

    def test_d13_other_providers_are_not_concerned(self, full):
        with turn("other"):
            pass

    def test_who_is_inside_needs_no_second_turn(self, full):
        full[0].end()
        with turn("idp"):
            with turn("idp"):
                pass
            # And has not lost the first one by it.
            assert len(turnstile._inside["idp"]) == 2

    def test_a_turn_ends_with_an_exception_too(self):
        for _number in range(5):
            with pytest.raises(KeyError), turn("idp"):
                raise KeyError

    def test_what_was_never_left_is_forgotten(self, monkeypatch):
        # A signal came between the entrance and the work.
        long_ago = time.monotonic() - turnstile.FORGOTTEN_SECONDS - 1
        monkeypatch.setitem(turnstile._inside, "idp", {-1: long_ago, -2: long_ago})
        with turn("idp"):
            assert len(turnstile._inside["idp"]) == 1
        assert turnstile._inside == {}

    def test_leaving_what_is_forgotten_does_no_harm(self, monkeypatch):
        with turn("idp"):
            turnstile._inside.clear()

    def test_many_threads_are_inside_two_at_a_time(self):
        counted, most = [], []

        def work(number: int) -> None:
            with turn("idp"):
                counted.append(number)
                most.append(len(turnstile._inside["idp"]))
                time.sleep(0.005)

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(work, range(60)))
        assert len(counted) == 60
        assert max(most) == 2


FORK = """
import os, threading
from django.conf import settings
settings.configure(OAUTH_ACCOUNTS_CALLS_PER_PROVIDER=1)
from oauth_accounts import turnstile

entered, end = threading.Event(), threading.Event()
def hold():
    with turnstile.turn("idp"):
        entered.set()
        end.wait(20)
threading.Thread(target=hold).start()
entered.wait(20)
turnstile._left.acquire()
child = os.fork()
if not child:
    with turnstile.turn("idp"):
        print("child", flush=True)
    os._exit(0)
turnstile._left.release()
print("ended", os.waitpid(child, 0)[1], flush=True)
end.set()
"""


def test_d13_a_child_process_has_turns_of_its_own():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=dict(os.environ),
    )
    assert done.stdout.split("\n") == ["child", "ended 0", ""]


def test_d13_what_a_child_inherits_is_forgotten(monkeypatch):
    monkeypatch.setattr(turnstile, "_left", turnstile._left)
    monkeypatch.setitem(turnstile._inside, "idp", {-1: time.monotonic()})
    turnstile._left.acquire()
    try:
        turnstile._forget()
        with turn("idp"), turn("other"):
            assert set(turnstile._inside) == {"idp", "other"}
    finally:
        monkeypatch.undo()
        turnstile._left.release()


class TestAccounts:
    """get_access_token() and refresh() of a provider that reads and never answers."""

    @pytest.fixture
    def hang(self, server, monkeypatch):
        monkeypatch.setattr(turnstile, "SLOW_SECONDS", 0.3)
        release = threading.Event()
        server.on_token_request = lambda request: release.wait(60)
        yield release
        release.set()

    def ask(self, account) -> str:
        try:
            return account.get_access_token()
        except ProviderUnavailable as error:
            return error.code
        finally:
            connection.close()

    def test_d13_so_many_accounts_wait_and_the_others_come_back_later(
        self, make_account, server, hang
    ):
        accounts = [make_account(uid=str(number)) for number in range(12)]
        with ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(self.ask, account) for account in accounts]
            wait_until(lambda: sum(one.done() for one in asked) == 10)
            wait_until(lambda: len(server.token_requests) == 2)
            hang.set()
            answers = [one.result() for one in asked]
        assert answers.count("provider_busy") == 10
        assert len(server.token_requests) == 2
        for account in accounts:
            account.refresh_from_db()
            assert (account.status, account.failure_count) == ("active", 0)
            assert account.lease is None
        assert self.ask(accounts[-1]).startswith("at-")

    def test_d13_also_where_all_want_the_same_account(self, account, server, hang):
        twins = [type(account).objects.get(pk=account.pk) for _number in range(12)]
        with ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(self.ask, twin) for twin in twins]
            wait_until(lambda: sum(one.done() for one in asked) == 10)
            wait_until(lambda: len(server.token_requests) == 1)
            hang.set()
            answers = [one.result() for one in asked]
        assert answers.count("provider_busy") == 10
        assert len(set(answers)) == 2
        assert len(server.token_requests) == 1

    def test_who_waits_for_a_refresh_that_is_quick_needs_no_turn(
        self, account, server, hang, monkeypatch
    ):
        monkeypatch.setattr(turnstile, "SLOW_SECONDS", 60.0)
        monkeypatch.setattr(turnstile, "WAIT_SECONDS", 0.0)
        twins = [type(account).objects.get(pk=account.pk) for _number in range(12)]
        started = threading.Barrier(13)

        def ask(twin):
            started.wait()
            return self.ask(twin)

        with ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(ask, twin) for twin in twins]
            started.wait()
            wait_until(lambda: len(server.token_requests) == 1)
            hang.set()
            answers = {one.result() for one in asked}
        (token,) = answers
        assert token.startswith("at-")
        assert len(server.token_requests) == 1

    def test_a_token_that_still_lives_is_handed_out_meanwhile(
        self, make_account, server
    ):
        holders = [Holder("fake"), Holder("fake")]
        assert all(holder.entered.wait(10) for holder in holders)
        account = make_account(expires_in=30)
        assert account.get_access_token() == account.reveal("access_token").get_value()
        assert server.token_requests == []
        for holder in holders:
            holder.end()
