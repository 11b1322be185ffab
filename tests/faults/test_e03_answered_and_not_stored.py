"""E3: a worker dies between the provider's answer and its commit."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from oauth_accounts import sweep
from oauth_accounts.exceptions import ReauthRequired
from oauth_accounts.models import ConnectedAccount
from tests.command import wait_until
from tests.faults.workers import end_session

ORDERS = ["refresh", "sweep"]
servers = pytest.mark.parametrize(
    "point",
    [
        "after the answer",
        pytest.param(
            "before the commit", marks=[pytest.mark.postgres, pytest.mark.mariadb]
        ),
    ],
)


@pytest.fixture
def die(worker, server, during, lock):
    """Let the worker refresh, be answered, and die; the provider has rotated."""

    def run(account, order, point):
        held, answered = lock(account), threading.Event()
        frozen = point == "after the answer"
        during(worker.freeze if frozen else held.take)
        server.script(
            lambda request: replace(
                server.respond(request), after=lambda request: answered.set()
            )
        )
        worker.begin(order, account)
        assert answered.wait(30), worker.logged
        if not frozen and order != "sweep":
            # A sweep waits for no lock; it tries again and again.
            wait_until(worker.is_blocked)
        worker.kill()
        if not frozen:
            # It would go on by itself, with the statement it was sent.
            end_session(worker.session)
        held.release()
        server.on_token_request = None

    return run


@pytest.mark.parametrize("order", ORDERS)
@servers
def test_e03_the_old_token_is_tried_once_and_the_reason_is_told(
    make_account, server, die, later, told, order, point
):
    """
    Nobody asks before the lease is over; then one request, and the owner hears that an
    answer was lost, not that they took the permission back.
    """
    account = make_account()
    die(account, order, point)
    row = ConnectedAccount.objects.get(pk=account.pk)
    assert (row.status, row.generation) == ("active", account.generation)
    assert row.attempt_started_at is not None

    sweep.run()
    assert len(server.token_requests) == 1
    for _beat in range(3):
        later()
        sweep.run()

    assert len(server.token_requests) == 2
    row = ConnectedAccount.objects.get(pk=account.pk)
    assert (row.status, row.status_reason) == ("needs_reauth", "rotation_lost")
    assert told == [("reauth_required", {"reason": "rotation_lost"})]
    with pytest.raises(ReauthRequired, match="rotation_lost"):
        row.get_access_token()


@servers
def test_e03_a_token_that_is_still_valid_is_used_meanwhile(
    make_account, server, die, point
):
    """The access token outlives the worker: it is handed out, and nobody is called."""
    account = make_account(expires_in=500)
    before = account.reveal("access_token").get_value()
    die(account, "refresh", point)

    row = ConnectedAccount.objects.get(pk=account.pk)
    assert row.get_access_token() == before
    assert len(server.token_requests) == 1


@pytest.mark.parametrize("kindness", ["grace", "no rotation"])
@servers
def test_e03_a_kind_provider_makes_it_good(
    account, server, die, later, kindness, point
):
    """Where the old refresh token still works, the second request ends the matter."""
    server.grace = 60 if kindness == "grace" else 0
    server.rotate = kindness == "grace"
    die(account, "refresh", point)
    later()

    assert sweep.run().refreshed == 1

    row = ConnectedAccount.objects.get(pk=account.pk)
    assert (row.status, row.status_reason, row.lease) == ("active", "", None)
    assert row.attempt_started_at is None
    assert server.is_live(row.get_access_token())
    assert len(server.token_requests) == 2
