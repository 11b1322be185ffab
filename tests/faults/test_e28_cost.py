"""E28: what a sweep asks of the database, however many rows there are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oauth_accounts import batch, keyring, tasks
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models import ConnectedAccount, Health

SECRETS = ("access_token", "refresh_token", "id_token")


def statements(work) -> list[str]:
    with CaptureQueriesContext(connection) as caught:
        work()
    return [one["sql"] for one in caught.captured_queries]


def make(make_account, count, prefix, **values):
    for n in range(count):
        make_account(f"{prefix}-{n}", **values)


def test_e28_claiming_costs_the_same_for_ten_and_for_a_hundred(make_account, provider):
    """A batch is leased, loaded and armed at once, by key."""
    counts = []
    for size in (10, 100):
        make(make_account, size, f"of-{size}")
        claimed = []
        found = statements(lambda: claimed.extend(batch.claim_due(provider, 500)))  # noqa: B023
        armed = statements(lambda: batch.arm(claimed))  # noqa: B023
        assert len(claimed) == size
        counts.append((len(found), len(armed)))
    assert counts[0] == counts[1]
    # The ends of transactions and savepoints among them.
    assert sum(counts[0]) <= 12


def test_e28_what_is_not_due_costs_nothing(make_account, server, monkeypatch):
    """Beat's task reads no token, decrypts nothing, and asks one question after its note."""
    make(make_account, 60, "later", expires_in=3000)
    ConnectedAccount.objects.update(
        refresh_due_at=DatabaseNow() + timedelta(minutes=30)
    )

    def refuse(*args, **kwargs):
        pytest.fail("something was decrypted")

    monkeypatch.setattr(keyring, "open_sealed", refuse)
    # Its row is made by the first sweep there ever is.
    Health.objects.note_sweep()
    note, question = statements(tasks.refresh_due_accounts)
    assert note.startswith(f"UPDATE {connection.ops.quote_name(Health._meta.db_table)}")
    assert question.startswith("SELECT")
    assert not any(name in question for name in SECRETS)
    assert server.requests == []


def test_e28_the_herd_is_spread(make_account, server):
    """Accounts that were refreshed together are not due together again."""
    make(make_account, 40, "user")
    tasks.refresh_due_accounts()
    dates = sorted(ConnectedAccount.objects.values_list("refresh_due_at", flat=True))
    assert len(server.token_requests) == 40
    # A tenth of an hour, less what forty draws happen to leave out at the ends.
    assert dates[-1] - dates[0] > timedelta(minutes=3)
