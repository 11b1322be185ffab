"""E5: a worker is killed before its call, or while the provider thinks."""

from __future__ import annotations

import threading

import pytest

from oauth_accounts import sweep
from oauth_accounts.models import ConnectedAccount
from oauth_accounts.testing.wire import Answer
from tests.command import wait_until

orders = pytest.mark.parametrize("order", ["refresh", "sweep"])


def assert_nobody_else_asks(account, server, count):
    row = ConnectedAccount.objects.get(pk=account.pk)
    assert row.lease is not None
    assert row.attempt_started_at is not None
    assert sweep.run().done == 0
    assert len(server.token_requests) == count


def assert_recovers(account, server, later):
    later()
    assert sweep.run().refreshed == 1
    row = ConnectedAccount.objects.get(pk=account.pk)
    assert (row.status, row.status_reason, row.generation) == ("active", "", 1)
    assert (row.lease, row.attempt_started_at) == (None, None)
    assert server.is_live(row.get_access_token())
    later()


@pytest.mark.postgres
@pytest.mark.mariadb
@orders
def test_e05_before_the_call(account, server, worker, lock, later, order):
    """
    Killed between claim and call: nobody takes the account while its lease lasts, and the
    next sweep after that refreshes it, with one request in all.
    """
    # The pace is asked for between claim and call, and needs the provider's row.
    account.provider.max_refreshes_per_minute = 600
    account.provider.save()
    held = lock(account.provider)
    held.take()
    worker.begin(order, account)
    wait_until(worker.is_blocked)
    worker.kill()
    held.release()

    assert_nobody_else_asks(account, server, 0)
    assert_recovers(account, server, later)
    assert len(server.token_requests) == 1


@orders
def test_e05_during_the_call(account, server, worker, during, later, order):
    """
    Killed while it waits for the answer, which never comes: the lease runs out, and the
    next sweep refreshes the account once.
    """
    killed = threading.Event()
    during(worker.kill, lambda request: killed.set())
    server.script(Answer(drop=True))
    worker.begin(order, account)
    assert killed.wait(30)
    server.on_token_request = None

    assert_nobody_else_asks(account, server, 1)
    assert_recovers(account, server, later)
    assert len(server.token_requests) == 2
    assert server.replays == 0


def test_e05_the_rest_of_a_batch(make_account, server, worker, during, later):
    """What the dead worker had claimed besides is not stuck either."""
    accounts = [make_account(f"user-{number}") for number in range(20)]
    killed = threading.Event()
    during(lambda request: killed.is_set() or worker.kill(), lambda _: killed.set())
    worker.begin("sweep")
    assert killed.wait(30)
    server.on_token_request = None
    # A call that was on its way when the worker died may still be answered.
    sent = {request.form["refresh_token"] for request in server.token_requests}
    assert len(sent) <= 2

    later()
    assert sweep.run().done == len(accounts)
    active = ConnectedAccount.objects.filter(status="active", generation=1, lease=None)
    assert active.count() >= len(accounts) - len(sent)
    assert not ConnectedAccount.objects.exclude(lease=None).exists()
