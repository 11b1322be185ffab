"""E21: workers whose clocks are ten minutes away from the database's."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import pytest

from oauth_accounts import lease
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models import ConnectedAccount

# Django is told another time before anything is set up; then one line for each order.
CHILD = r"""
import json, sys
from datetime import timedelta
from django.utils import timezone
real_now, away = timezone.now, timedelta(minutes=float(sys.argv[1]))
timezone.now = lambda: real_now() + away
import django
django.setup()
from oauth_accounts import clock, refresh, sweep
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import ConnectedAccount
assert abs(clock.utcnow() - real_now() - away) < timedelta(seconds=5)
refresh.WAIT_SECONDS = 1.0

def do(order):
    if order == "sweep":
        return sweep.run().done
    account = ConnectedAccount.objects.get(pk=sys.argv[2])
    if order == "api":
        with account.session() as session:
            return session.get("things").status_code
    return account.get_access_token()

said = []
for order in sys.argv[3:]:
    try:
        said.append(do(order))
    except OAuthAccountsError as error:
        said.append(error.code)
print(json.dumps(said))
"""
SKEWS = pytest.mark.parametrize("minutes", [-10, 10])
NEAR = timedelta(seconds=20)


@pytest.fixture
def account(make_account):
    """An account whose token is dead by every clock of these tests."""
    return make_account(expires_in=-900)


@pytest.fixture
def worker(child_environment):
    """Do things in a process whose clock is so many minutes fast."""

    def run(minutes, account, *orders):
        command = [sys.executable, "-c", CHILD, str(minutes), str(account.pk), *orders]
        done = subprocess.run(
            command, env=child_environment, check=True, timeout=60, capture_output=True
        )
        return json.loads(done.stdout)

    return run


def seconds_from_now(account, *names) -> list[float]:
    """Return how far columns lie from now, by the database's clock."""
    account.refresh_from_db()
    now = account.database_now()
    return [(getattr(account, name) - now).total_seconds() for name in names]


@SKEWS
def test_e21_one_request_and_dates_of_the_database(minutes, account, server, worker):
    """A refresh sends once, and what it writes is right for those whose clock is right."""
    [token, again, swept] = worker(minutes, account, "token", "token", "sweep")
    assert server.is_live(token)
    assert (again, swept) == (token, 0)
    assert len(server.token_requests) == 1
    issued, expires, due = seconds_from_now(
        account, "issued_at", "expires_at", "refresh_due_at"
    )
    assert -30 < issued <= 0
    assert 3570 < expires < 3601
    assert 1800 < due < expires
    assert account.lease is account.attempt_started_at is None


@SKEWS
def test_e21_the_sweep_goes_by_the_database(minutes, make_account, server, worker):
    """It finds what is due there, however its own clock stands, and nothing else."""
    make_account("later", expires_in=1200)
    account = make_account("due", expires_in=60)
    ConnectedAccount.objects.filter(uid="later").update(
        refresh_due_at=DatabaseNow() + timedelta(minutes=5)
    )
    assert worker(minutes, account, "sweep", "sweep") == [1, 0]
    assert len(server.token_requests) == 1
    account.refresh_from_db()
    assert account.generation == 1


@SKEWS
def test_e21_tokens_of_five_minutes_are_not_refreshed_in_a_loop(
    minutes, account, server, worker
):
    """To a fast clock they are dead when they come; the database knows better."""
    server.expires_in = 300
    answers = worker(minutes, account, *["token", "sweep"] * 4)
    assert len(server.token_requests) == 1
    [token] = set(answers[::2])
    assert server.is_live(token)
    expires, due = seconds_from_now(account, "expires_at", "refresh_due_at")
    assert 270 < expires < 301
    assert 130 < due < expires


@SKEWS
def test_e21_a_lease_that_is_held_is_respected(minutes, account, server, worker):
    """To a fast clock it ran out long ago."""
    assert lease.take(ConnectedAccount.objects.get(pk=account.pk))
    assert worker(minutes, account, "token", "sweep") == ["refresh_in_progress", 0]
    assert server.token_requests == []


@SKEWS
def test_e21_a_lease_that_ran_out_is_taken_over(minutes, account, server, worker):
    """To a slow clock it runs for ten more minutes."""
    assert lease.take(ConnectedAccount.objects.get(pk=account.pk))
    account.stored_row().update(lease_until=DatabaseNow() - timedelta(seconds=1))
    [token] = worker(minutes, account, "token")
    assert server.is_live(token)
    assert len(server.token_requests) == 1


def test_e21_a_dead_token_that_a_slow_clock_believes_in(make_account, server, worker):
    """The API refuses it, and the session gets another: one refresh, one call more."""
    account = make_account(expires_in=-300)
    server.book.expire(account.reveal("access_token").get_value())
    assert worker(-10, account, "api", "api") == [200, 200]
    assert len(server.token_requests) == 1


def test_e21_a_fast_clock_ends_no_account_before_its_time(account, server, worker):
    """A refresh token that has five minutes left is used, not given up."""
    soon = DatabaseNow() + timedelta(minutes=5)
    account.stored_row().update(refresh_token_expires_at=soon)
    [token] = worker(10, account, "token")
    assert server.is_live(token)
    assert account.events.count() == 0


def test_e21_the_providers_date_header_is_ignored(account, server, worker):
    """Lifetimes count from when the request was sent, not from what a server's clock says."""

    def answer(request):
        answer = server.respond(request)
        headers = {**answer.headers, "Date": "Thu, 01 Jan 1970 00:00:00 GMT"}
        return type(answer)(json=answer.json, headers=headers)

    server.script(answer)
    worker(10, account, "token")
    [expires] = seconds_from_now(account, "expires_at")
    assert 3570 < expires < 3601
