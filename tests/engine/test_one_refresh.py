"""However many ask, one refresh; and all get its token."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.db import connections

from oauth_accounts import clock, refresh
from oauth_accounts.exceptions import OAuthAccountsError, ProviderUnavailable
from oauth_accounts.models import ConnectedAccount
from oauth_accounts.testing.wire import Answer

THREADS = 20
PROCESSES = 4

CHILD = r"""
import sys, threading
import django
django.setup()
from django.db import connections
from oauth_accounts.models import ConnectedAccount

def ask():
    try:
        token = ConnectedAccount.objects.get(pk=sys.argv[1]).get_access_token()
        sys.stdout.write(f"{token}\n")
    finally:
        connections.close_all()

print("ready", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=ask) for _ in range(5)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def ask_in_threads(account, count=THREADS):
    answers, errors = [], []
    barrier = threading.Barrier(count)

    def ask():
        try:
            mine = ConnectedAccount.objects.get(pk=account.pk)
            barrier.wait()
            answers.append(mine.get_access_token())
        except OAuthAccountsError as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers, errors


def test_twenty_threads_make_one_token_request(account, server):
    answers, errors = ask_in_threads(account)
    assert errors == []
    assert len(answers) == THREADS
    assert len(set(answers)) == 1
    assert server.is_live(answers[0])
    assert len(server.token_requests) == 1
    assert server.replays == 0


def test_twenty_threads_and_four_processes_make_one_token_request(
    account, server, child_environment
):
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(account.pk)],
            env=child_environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    answers, errors = ask_in_threads(account)
    for child in children:
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
        assert len(out.split()) == 5, err
        answers += out.split()
    assert errors == []
    assert len(set(answers)) == 1
    assert len(server.token_requests) == 1
    assert server.replays == 0


def test_waiters_are_served_while_the_provider_is_slow(account, server):
    server.on_token_request = lambda request: time.sleep(0.7)
    answers, errors = ask_in_threads(account, 5)
    assert errors == []
    assert len(set(answers)) == 1
    assert len(server.token_requests) == 1


def test_who_holds_a_valid_token_does_not_wait_for_the_refresh(make_account, server):
    account = make_account(expires_in=40)
    before = account.reveal("access_token").get_value()
    started, go_on = threading.Event(), threading.Event()
    server.on_token_request = lambda request: (started.set(), go_on.wait(10))
    other = threading.Thread(target=ask_in_threads, args=(account, 1))
    other.start()
    started.wait(10)
    begun = time.monotonic()
    try:
        assert account.get_access_token() == before
        assert time.monotonic() - begun < 1
    finally:
        go_on.set()
        other.join()
    assert account.get_access_token() != before
    assert len(server.token_requests) == 1


def test_a_waiter_gives_up_in_the_end(account, server, monkeypatch):
    monkeypatch.setattr(refresh, "WAIT_SECONDS", 0.3)
    holder = ConnectedAccount.objects.get(pk=account.pk)
    assert refresh.lease.take(holder)
    with pytest.raises(ProviderUnavailable) as caught:
        account.get_access_token()
    assert caught.value.code == "refresh_in_progress"
    assert caught.value.retry_after == 5
    assert server.token_requests == []


def test_an_abandoned_lease_is_taken_over_when_it_has_run_out(account, server):
    holder = ConnectedAccount.objects.get(pk=account.pk)
    assert refresh.lease.take(holder)
    past = account.created_at
    account.stored_row().update(lease_until=past)
    assert server.is_live(account.get_access_token())
    assert len(server.token_requests) == 1


def test_refresh_joins_one_that_has_happened_since_the_row_was_read(account, server):
    stale = ConnectedAccount.objects.get(pk=account.pk)
    account.refresh()
    stale.refresh()
    assert len(server.token_requests) == 1
    assert stale.get_access_token() == account.get_access_token()


def test_a_sibling_whose_answer_held_no_access_token_is_no_success(account, server):
    def answer_late(request):
        time.sleep(0.5)
        return Answer(json={"refresh_token": "rt-only", "token_type": "bearer"})

    server.script(answer_late)
    answers, errors = ask_in_threads(account, 4)
    assert answers == []
    assert {error.code for error in errors} == {"bad_answer"}
    assert len(server.token_requests) == 1


@pytest.mark.parametrize("minutes", [-10, 10])
def test_an_abandoned_lease_is_over_by_the_databases_clock(
    account, server, monkeypatch, minutes
):
    holder = ConnectedAccount.objects.get(pk=account.pk)
    assert refresh.lease.take(holder)
    account.stored_row().update(lease_until=account.created_at)
    wrong = clock.utcnow() + timedelta(minutes=minutes)
    monkeypatch.setattr(clock, "utcnow", lambda: wrong)
    assert server.is_live(account.get_access_token())


def test_a_process_whose_clock_is_ahead_does_not_refresh_what_is_valid(
    make_account, server, monkeypatch
):
    account = make_account(expires_in=300)
    ahead = clock.utcnow() + timedelta(minutes=10)
    monkeypatch.setattr(clock, "utcnow", lambda: ahead)
    token = account.get_access_token()
    assert token == account.reveal("access_token").get_value()
    assert server.token_requests == []


def test_a_process_whose_clock_is_ahead_ends_no_refresh_token(
    make_account, server, monkeypatch
):
    dies = clock.utcnow() + timedelta(minutes=5)
    account = make_account(refresh_token_expires_at=dies)
    ahead = clock.utcnow() + timedelta(minutes=10)
    monkeypatch.setattr(clock, "utcnow", lambda: ahead)
    account.refresh()
    assert (account.status, account.generation) == ("active", 1)


def test_an_answer_elsewhere_that_held_no_access_token_is_no_success(
    account, server, monkeypatch
):
    """Another process got a refresh token only; its flight is not seen in this one."""
    holder = ConnectedAccount.objects.get(pk=account.pk)
    assert refresh.lease.take(holder)
    pauses = []

    def answer_elsewhere(seconds):
        pauses.append(seconds)
        holder.stored_row().update(
            generation=1, failure_count=1, lease=None, lease_until=None
        )

    monkeypatch.setattr(refresh.time, "sleep", answer_elsewhere)
    with pytest.raises(ProviderUnavailable, match="bad_answer"):
        account.get_access_token()
    assert len(pauses) == 1
    assert server.token_requests == []
