"""B40: the grants of thousands of accounts are taken back, by a command that is killed."""

from __future__ import annotations

import os
import re
from collections import Counter
from datetime import timedelta

import pytest

from oauth_accounts import clock, outbox
from oauth_accounts.fields import Secret
from oauth_accounts.management.revoke import CONCURRENCY
from oauth_accounts.models import (
    AccountEvent,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from tests.command import Child, wait_until
from tests.protocol.servers import ScriptedServer, answer
from tests.settings import TEST_DATABASE

# All ten thousand take more than a minute, which is spent on one database.
USUAL = 10_000 if TEST_DATABASE == "sqlite" else 500
ACCOUNTS = int(os.environ.get("TEST_GRANTS", USUAL))
LOST = 20
LOST_KEY = "a-key-that-was-lost-and-is-found-again-b81f60"
STATES = ("active", "needs_reauth", "disabled")


@pytest.fixture
def endpoint():
    """A provider that confirms every revocation."""
    with ScriptedServer(answer(200, {})) as server:
        yield server


@pytest.fixture
def grants(transactional_db, endpoint, settings):
    """The provider's accounts in every state; the key of some of them is missing."""
    provider = Provider.objects.create(
        slug="fake",
        name="Fake",
        client_id="client",
        client_secret="made-up-client-secret",
        authorization_endpoint=f"{endpoint.url}/authorize",
        token_endpoint=f"{endpoint.url}/token",
        userinfo_endpoint=f"{endpoint.url}/userinfo",
        revocation_endpoint=f"{endpoint.url}/revoke",
    )
    make_accounts(provider, range(LOST, ACCOUNTS))
    keys, settings.FERNET_KEYS = settings.FERNET_KEYS, [LOST_KEY]
    make_accounts(provider, range(LOST))
    settings.FERNET_KEYS = keys


def make_accounts(provider, numbers):
    ConnectedAccount.objects.bulk_create(
        [
            ConnectedAccount(
                provider=provider,
                uid=str(number),
                refresh_token=Secret(f"refresh-{number}"),
                status=STATES[number % len(STATES)],
            )
            for number in numbers
        ],
        batch_size=500,
    )


def left():
    return ConnectedAccount.objects.exclude(status="revoked").count()


def confirmed():
    return PendingRevocation.objects.filter(status="confirmed").count()


def sent(endpoint):
    # One that was killed may have got as far as the headers.
    forms = [request.form for request in endpoint.requests if "token" in request.form]
    return Counter(form["token"][0] for form in forms)


def deliver_the_rest(settings):
    """Do what beat does later: what the dead one held, and what did not open."""
    settings.FERNET_KEYS = [*settings.FERNET_KEYS, LOST_KEY]
    past = clock.utcnow() - timedelta(minutes=5)
    rows = PendingRevocation.objects.filter(status="pending")
    rows.filter(lease=None).update(due_at=past)
    rows.exclude(lease=None).update(lease_until=past, due_at=past)
    outbox.deliver_due()


def assert_nothing_is_left(endpoint):
    times = sent(endpoint)
    assert set(times) == {f"refresh-{number}" for number in range(ACCOUNTS)}
    assert sum(times.values()) - ACCOUNTS <= CONCURRENCY
    assert confirmed() == ACCOUNTS
    rows = ConnectedAccount.objects.filter(status="revoked", status_reason="by_admin")
    assert rows.filter(refresh_token__isnull=True).count() == ACCOUNTS
    for kind in ("revoked", "revocation_confirmed"):
        keys = AccountEvent.objects.filter(kind=kind).values_list("account_key")
        assert keys.distinct().count() == keys.count() == ACCOUNTS


def test_b40_a6_6_thousands_of_grants(
    grants, endpoint, child_environment, settings, tmp_path
):
    """
    Killed while it stops accounts and again while it tells the provider, the command goes
    on where it was: in the end no account is usable, each token was revoked, and none was
    sent twice but those under way when it was killed.
    """
    # What is killed leaves half a file of measurements.
    environment = {k: v for k, v in child_environment.items() if "COVERAGE" not in k}
    command = ("revoke", "--provider=fake", "--no-input", "--per-minute=10000000")

    with Child(environment, tmp_path, *command) as child:
        wait_until(lambda: left() < ACCOUNTS, child.complaints)
    assert 0 < left() < ACCOUNTS
    # Each account that is stopped has its row, and no other has one.
    assert PendingRevocation.objects.count() == ACCOUNTS - left()
    assert not endpoint.requests

    with Child(environment, tmp_path, *command) as child:
        wait_until(lambda: confirmed() > 100, child.complaints, seconds=600)
    assert left() == 0
    assert confirmed() < ACCOUNTS - LOST

    with Child(environment, tmp_path, *command) as child:
        assert child.process.wait(timeout=600) == 0, child.complaints()
        report = child.out.read_text()
    assert "0 accounts are revoked here." in report
    pending = int(re.search(r"(\d+) pending", report)[1])
    assert LOST <= pending <= LOST + CONCURRENCY

    deliver_the_rest(settings)
    assert_nothing_is_left(endpoint)
