"""E4: the database goes away between the provider's answer and its commit."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from oauth_accounts import sweep
from oauth_accounts.models import ConnectedAccount, PendingRevocation
from tests.command import wait_until
from tests.faults.proxy import Proxy

# SQLite is a file: there is no connection that could be cut.
pytestmark = [pytest.mark.postgres, pytest.mark.mariadb]
orders = pytest.mark.parametrize("order", ["refresh", "sweep"])


@pytest.fixture
def proxy(transactional_db):
    with Proxy() as one:
        yield one


def assert_stored(account, server):
    row = ConnectedAccount.objects.get(pk=account.pk)
    assert (row.status, row.generation) == ("active", account.generation + 1)
    assert (row.lease, row.attempt_started_at) == (None, None)
    assert server.is_live(row.reveal("access_token").get_value())
    assert server.is_live(row.reveal("refresh_token").get_value())
    assert len(server.token_requests) == 1
    assert server.replays == 0
    assert PendingRevocation.objects.count() == 0


@orders
def test_e04_a_connection_that_is_cut_during_the_call(
    account, server, worker, during, order
):
    """The server ends the worker's session; the token is committed over a new one."""
    during(worker.cut)
    worker.do(order, account)
    assert_stored(account, server)


@orders
def test_e04_a_connection_that_is_cut_during_the_write(
    account, server, worker, during, lock, order
):
    """The same while the UPDATE is under way."""
    held = lock(account)
    during(held.take)
    worker.begin(order, account)
    # By the provider's thread, which two may not share a connection with at once.
    wait_until(lambda: held.is_taken)
    if order != "sweep":
        # A sweep waits for no lock; it tries again and again.
        wait_until(worker.is_blocked)
    worker.cut()
    held.release()
    worker.answer()
    assert_stored(account, server)


@orders
def test_e04_a_database_that_comes_back_in_time(
    account, server, start, proxy, during, order
):
    """Nothing answers for a while, not even to a new connection: the worker waits."""
    worker = start(environment=proxy.environment)
    during(proxy.close)
    worker.begin(order, account)
    wait_until(lambda: proxy.refused >= 2)
    proxy.open()
    worker.answer()
    assert_stored(account, server)


@orders
def test_e04_a_database_that_comes_back_too_late(
    account, server, start, proxy, during, later, order
):
    """
    When the lease is over the worker gives up and cries out, without any token in what
    it says; what follows is as if it had died (E3).
    """
    worker = start(environment=proxy.environment, lease_seconds=1)
    answered = threading.Event()

    def answer(request):
        return replace(server.respond(request), after=lambda request: answered.set())

    during(proxy.close)
    server.script(answer)
    worker.begin(order, account)
    assert answered.wait(30)
    wait_until(lambda: "CRITICAL oauth_accounts" in worker.logged)
    proxy.open()
    worker.answer()
    assert worker.logged.count("CRITICAL") == 1
    assert str(account.pk) in worker.logged
    grant = server.grants[-1]
    for token in (*grant.access_tokens, *grant.refresh_tokens):
        assert token not in worker.logged

    later()
    server.on_token_request = None
    sweep.run()
    row = ConnectedAccount.objects.get(pk=account.pk)
    assert (row.status, row.status_reason) == ("needs_reauth", "rotation_lost")
