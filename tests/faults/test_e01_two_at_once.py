"""E1 and E2: more than one worker at the same account."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from oauth_accounts import clock, sweep
from oauth_accounts.fields import Secret
from oauth_accounts.models import ConnectedAccount
from oauth_accounts.protocol.tokens import TokenSet
from oauth_accounts.testing.wire import Answer
from tests.command import wait_until

THREADS = 20


def ask(account):
    try:
        return ConnectedAccount.objects.get(pk=account.pk).get_access_token()
    finally:
        connections.close_all()


def test_e01_web_and_tasks_and_beat_make_one_call(account, server, start, during):
    """
    Twenty threads, a task that is delivered twice and a beat meet at one account: one
    request, and everybody who asked has its token.
    """
    page, task, beat = workers = [start() for _ in range(3)]
    assert all(worker.session is not None for worker in workers)
    go_on = threading.Event()
    during(lambda request: go_on.wait(30))
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(ask, account) for _ in range(THREADS)]
        wait_until(lambda: server.token_requests)
        page.begin("get_access_token", account)
        task.begin("task", account)
        # It has looked for itself before the first call is answered.
        assert beat.do("sweep") == "0 0 0"
        go_on.set()
        tokens = [one.result(30) for one in asked]
    tokens.append(page.answer())
    assert task.answer() == "None"
    # The message is delivered twice.
    assert task.do("task", account) == "None"

    assert len(set(tokens)) == 1
    assert server.is_live(tokens[0])
    assert len(server.token_requests) == 1
    assert server.replays == 0


@pytest.mark.postgres
@pytest.mark.mariadb
def test_e01_claims_at_the_same_moment(account, server, start, lock):
    """
    Three workers have seen that the account is free and all go for it at once: one has it,
    and the others wait for what it gets.
    """
    workers = [start() for _ in range(3)]
    held = lock(account)
    held.take()
    for worker in workers:
        worker.begin("get_access_token", account)
    for worker in workers:
        wait_until(worker.is_blocked)
    held.release()
    tokens = {worker.answer() for worker in workers}

    assert len(tokens) == 1
    assert server.is_live(tokens.pop())
    assert len(server.token_requests) == 1
    assert server.replays == 0


def test_e01_two_sweeps_share_the_work(make_account, server, start):
    """Two workers sweep at the same time: each account is refreshed, and once."""
    accounts = [make_account(f"user-{number}") for number in range(30)]
    one, other = start(), start()
    assert one.session is not None
    assert other.session is not None
    one.begin("sweep")
    other.begin("sweep")
    done = [int(worker.answer().split()[0]) for worker in (one, other)]

    assert sum(done) == len(accounts)
    assert len(server.token_requests) == len(accounts)
    assert server.replays == 0
    assert ConnectedAccount.objects.filter(generation=1).count() == len(accounts)


@pytest.mark.parametrize("way", ["asked for", "swept"])
def test_e02_the_loser_takes_the_winners_token(account, server, during, told, way):
    """
    The provider refuses a token that a sibling has replaced meanwhile: that is the
    sibling's success, and nobody is asked to connect again.
    """
    tokens = TokenSet(
        issued_at=clock.utcnow(),
        access_token=Secret("at-sibling"),
        refresh_token=Secret("rt-sibling"),
        token_type="Bearer",
        expires_in=3600,
    )

    def sibling(request):
        values = {**account.token_values(tokens), "lease": None, "lease_until": None}
        rows = ConnectedAccount.objects.filter(pk=account.pk)
        rows.update(**values, attempt_started_at=None, generation=7)

    during(sibling)
    server.script(Answer(status=400, json={"error": "invalid_grant"}))
    if way == "asked for":
        assert account.get_access_token() == "at-sibling"
    else:
        sweep.run()

    row = ConnectedAccount.objects.get(pk=account.pk)
    assert (row.status, row.status_reason, row.failure_count) == ("active", "", 0)
    assert row.get_access_token() == "at-sibling"
    assert len(server.token_requests) == 1
    assert told == []
