"""E10 and E12: answers that concern every account of a provider alike."""

from __future__ import annotations

import threading

import pytest

from oauth_accounts import sweep
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.wire import Answer

ACCOUNTS = 100
# Two calls begin a sweep, and a third may have been on its way.
FEW = 3


@pytest.fixture
def crowd(provider, server):
    """A hundred accounts that are due."""
    made = []
    for number in range(ACCOUNTS):
        access_token, refresh_token = server.issue(f"user-{number}")
        made.append(
            ConnectedAccountFactory.build(
                provider=provider,
                access_token=access_token,
                refresh_token=refresh_token,
                expired=True,
            )
        )
        made[-1].complete()
    ConnectedAccount.objects.bulk_create(made)


def assert_no_account_is_marked():
    unmarked = ConnectedAccount.objects.filter(
        status="active", failure_count=0, last_error="", lease=None
    )
    assert unmarked.filter(attempt_started_at=None).count() == ACCOUNTS
    kinds = set(AccountEvent.objects.values_list("kind", flat=True))
    assert kinds == {"provider_paused"}


def records(caplog):
    return [r.levelname for r in caplog.records if r.name == "oauth_accounts"]


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("120", 110, 120),
        ("-5", 50, 60),
        ("junk", 50, 60),
        ("1000000000", 86_000, 86_400),
    ],
)
def test_e10_too_many_requests(crowd, server, later, told, header, least, most):
    """
    The first answers close the gate for the whole provider, as long as they say within a
    day: of a hundred due accounts a few are asked for, none is marked, and all are
    refreshed when the gate is open again.
    """
    limited = Answer(status=429, json={}, headers={"Retry-After": header})
    busy = threading.Event()
    busy.set()
    server.script(*[lambda request: limited if busy.is_set() else None] * FEW)
    sweep.run()
    sweep.run()

    assert 1 <= len(server.token_requests) <= FEW
    provider = Provider.objects.get()
    assert provider.pause_reason == "rate_limited"
    assert least < provider.seconds_paused() <= most
    assert_no_account_is_marked()
    assert told == []

    busy.clear()
    later()
    tried = len(server.token_requests)
    assert sweep.run().refreshed == ACCOUNTS
    assert len(server.token_requests) == tried + ACCOUNTS


REFUSALS = {
    "invalid_client": Answer(status=401, json={"error": "invalid_client"}),
    "unauthorized_client": Answer(status=400, json={"error": "unauthorized_client"}),
    "401 without a code": Answer(status=401, body="<h1>Unauthorized</h1>"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_e12_the_client_is_refused(crowd, server, told, caplog, refusal):
    """
    A wrong secret is the project's own fault: the provider is paused after a few calls,
    somebody is told once, and not one account is marked.
    """
    server.script(*[REFUSALS[refusal]] * ACCOUNTS)
    for _beat in range(3):
        sweep.run()

    assert 1 <= len(server.token_requests) <= FEW
    assert Provider.objects.get().is_paused()
    assert_no_account_is_marked()
    assert told == []
    assert records(caplog) == ["ERROR"]
    assert AccountEvent.objects.filter(kind="provider_paused").count() == 1
