"""Threads of one process that want the same refresh share it."""

from __future__ import annotations

import os
import threading
import time

import pytest
from django.db import connections

from oauth_accounts import flights, refresh
from oauth_accounts.exceptions import ProviderUnavailable, ReauthRequired
from oauth_accounts.models import ConnectedAccount
from oauth_accounts.signals import tokens_refreshed
from oauth_accounts.testing.wire import Answer


def in_thread(work, *arguments):
    caught = []

    def run():
        try:
            caught.append(work(*arguments))
        except Exception as error:  # noqa: BLE001  # looked at by the test
            caught.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, caught


def await_passenger(flight):
    deadline = time.monotonic() + 10
    while not flight.landed._cond._waiters:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def held(server):
    """A token endpoint that answers when it is told to."""
    asked, go_on = threading.Event(), threading.Event()
    server.on_token_request = lambda request: (asked.set(), go_on.wait(20))
    yield asked, go_on
    go_on.set()


def test_who_waits_does_so_without_a_query(account, server, held, monkeypatch):
    asked, go_on = held
    mine = ConnectedAccount.objects.get(pk=account.pk)
    leader, led = in_thread(account.get_access_token)
    assert asked.wait(10)
    [flight] = flights._flights.values()
    waiter, waited = in_thread(mine.get_access_token)
    await_passenger(flight)
    # From here on nobody but the leader may look.
    monkeypatch.setattr(mine, "reload", None)
    go_on.set()
    leader.join()
    waiter.join()
    assert waited == led
    assert mine.generation == 1
    assert len(server.token_requests) == 1
    assert flights._flights == {}


def test_who_waited_gets_the_same_error_and_state(account, server, held):
    asked, go_on = held
    server.script(Answer(status=400, json={"error": "invalid_grant"}))
    mine = ConnectedAccount.objects.get(pk=account.pk)
    leader, led = in_thread(account.get_access_token)
    assert asked.wait(10)
    [flight] = flights._flights.values()
    waiter, waited = in_thread(mine.get_access_token)
    await_passenger(flight)
    go_on.set()
    leader.join()
    waiter.join()
    assert isinstance(led[0], ReauthRequired)
    assert isinstance(waited[0], ReauthRequired)
    assert waited[0] is not led[0]
    assert waited[0].code == led[0].code == "invalid_grant"
    assert mine.status == "needs_reauth"
    assert len(server.token_requests) == 1


def test_who_waits_gives_up_in_the_end(account, server, held, monkeypatch):
    asked, go_on = held
    mine = ConnectedAccount.objects.get(pk=account.pk)
    leader, _led = in_thread(account.get_access_token)
    assert asked.wait(10)
    monkeypatch.setattr(refresh, "WAIT_SECONDS", 0.1)
    with pytest.raises(ProviderUnavailable) as caught:
        mine.get_access_token()
    assert caught.value.code == "refresh_in_progress"
    go_on.set()
    leader.join()


def test_a_leader_that_broke_down_is_replaced(account, server, held):
    asked, go_on = held
    mine = ConnectedAccount.objects.get(pk=account.pk)

    def break_down():
        asked.set()
        go_on.wait(10)
        raise MemoryError

    def lead():
        flights.share(account, break_down, seconds=20, content=lambda: False)

    leader, led = in_thread(lead)
    assert asked.wait(10)
    [flight] = flights._flights.values()
    waiter, waited = in_thread(mine.get_access_token)
    await_passenger(flight)
    go_on.set()
    leader.join()
    waiter.join()
    assert isinstance(led[0], MemoryError)
    assert server.is_live(waited[0])


def test_a_leader_that_changed_nothing_is_followed_by_the_next(account):
    began, go_on = threading.Event(), threading.Event()
    mine = ConnectedAccount.objects.get(pk=account.pk)

    def nothing():
        began.set()
        go_on.wait(10)

    def share(work, row):
        flights.share(row, work, seconds=20, content=lambda: False)

    leader, _led = in_thread(share, nothing, account)
    assert began.wait(10)
    done = []
    [flight] = flights._flights.values()
    waiter, _waited = in_thread(share, lambda: done.append("mine"), mine)
    await_passenger(flight)
    go_on.set()
    leader.join()
    waiter.join()
    assert done == ["mine"]


def test_a_child_process_knows_nothing_of_flights_of_its_parent(account, held):
    """The thread that would land them is not in the child."""
    asked, go_on = held
    leader, _led = in_thread(account.get_access_token)
    assert asked.wait(10)
    assert flights._flights
    child = os.fork()
    if not child:  # pragma: no cover
        os._exit(len(flights._flights))
    _pid, status = os.waitpid(child, 0)
    go_on.set()
    leader.join()
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_receiver_that_refreshes_again_does_not_wait_for_itself(account):
    """It is called in the thread that refreshes, before that refresh is over."""
    seen = []

    def again(sender, account, **arguments):
        if not seen:
            seen.append(account)
            began = time.monotonic()
            account.refresh()
            seen.append(time.monotonic() - began)

    tokens_refreshed.connect(again)
    try:
        account.refresh()
    finally:
        tokens_refreshed.disconnect(again)
    assert len(seen) == 2
    assert seen[1] < 5
    account.refresh_from_db()
    assert account.generation == 2


def test_an_interruption_before_the_refresh_begins_leaves_no_flight(
    account, monkeypatch
):
    """A worker process lives on after a task's time limit."""

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(flights, "_lead", interrupt)
    with pytest.raises(KeyboardInterrupt):
        account.refresh()
    monkeypatch.undo()
    began = time.monotonic()
    account.refresh()
    assert time.monotonic() - began < 5


def test_nothing_is_left_after_a_fork(monkeypatch):
    monkeypatch.setitem(flights._flights, ("default", 1), flights.Flight())
    monkeypatch.setattr(flights, "_lock", before := threading.Lock())
    flights._forget()
    assert flights._flights == {}
    assert flights._lock is not before
