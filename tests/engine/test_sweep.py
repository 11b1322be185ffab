"""Many accounts: only what is due, each once, provider by provider."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oauth_accounts import lease, refresh, sweep
from oauth_accounts.exceptions import ReauthRequired
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.server import FakeProvider
from oauth_accounts.testing.wire import Answer


def test_only_what_is_due_is_refreshed(make_account, server):
    due = [make_account(f"due-{n}") for n in range(5)]
    fresh = make_account("fresh", expires_in=3000)
    seen = []
    result = sweep.run(progress=seen.append)
    assert (result.refreshed, result.failed, result.skipped) == (5, 0, 0)
    assert seen == [1, 2, 3, 4, 5]
    assert len(server.token_requests) == 5
    fresh.refresh_from_db()
    assert fresh.generation == 0
    for account in due:
        account.refresh_from_db()
        assert account.generation == 1
        assert account.lease is None
    assert sweep.run().done == 0


def test_nothing_due_reads_no_account(provider):
    with CaptureQueriesContext(connection) as queries:
        assert sweep.run().done == 0
    assert len(queries) == 2  # providers, and one look at the index for each


def test_nothing_due_decrypts_nothing(make_account, settings):
    make_account(expires_in=3000)
    settings.FERNET_KEYS = []
    assert sweep.run().done == 0


def test_limit_and_provider(make_account, provider):
    with FakeProvider() as elsewhere:
        other = Provider.objects.create(slug="other", **elsewhere.as_provider_fields())
        for n in range(3):
            make_account(f"user-{n}")
        assert sweep.count_due() == 3
        assert sweep.count_due("other") == 0
        assert sweep.run(provider="other").done == 0
        assert sweep.run(limit=2).refreshed == 2
        assert sweep.run(limit=2, provider=provider.slug).refreshed == 1
        assert other.refresh_statistics.count() == 0


def test_it_stops_claiming_when_its_time_is_up(make_account):
    make_account()
    assert sweep.run(max_seconds=-1).done == 0


def test_more_than_a_batch(make_account, monkeypatch):
    monkeypatch.setattr(sweep, "BATCH_SIZE", 3)
    for n in range(8):
        make_account(f"user-{n}")
    assert sweep.run(concurrency=2).refreshed == 8


def test_two_sweeps_at_once_make_one_call_for_each_account(make_account, server):
    for n in range(12):
        make_account(f"user-{n}")
    results = []

    def sweep_once():
        try:
            results.append(sweep.run(concurrency=2))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=sweep_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.refreshed for result in results) == 12
    assert len(server.token_requests) == 12
    assert server.replays == 0


def test_one_failure_does_not_stop_the_others(make_account, server):
    for n in range(4):
        make_account(f"user-{n}")
    server.script(Answer(status=400, json={"error": "invalid_grant"}))
    result = sweep.run(concurrency=1)
    assert (result.refreshed, result.failed) == (3, 1)
    assert ConnectedAccount.objects.filter(status="needs_reauth").count() == 1


def test_a_paused_provider_is_left_alone_and_ends_its_own_turn(
    make_account, server, monkeypatch
):
    monkeypatch.setattr(sweep, "BATCH_SIZE", 2)
    for n in range(6):
        make_account(f"user-{n}")
    server.script(*[Answer(status=401, json={"error": "invalid_client"})] * 6)
    result = sweep.run(concurrency=1)
    assert result.failed == 2
    assert len(server.token_requests) <= 2
    assert sweep.run().done == 0
    assert not ConnectedAccount.objects.exclude(status="active").exists()


def test_an_account_that_cannot_be_refreshed_is_not_claimed_for_ever(
    make_account, server
):
    make_account()
    User.objects.update(is_active=False)
    assert sweep.run().failed == 1
    account = ConnectedAccount.objects.get()
    assert (account.status, account.status_reason) == ("disabled", "owner_inactive")
    assert account.lease is None


def test_good_rows_are_refreshed_beside_undecryptable_ones(make_account, settings):
    keys = settings.FERNET_KEYS
    bad = [make_account(f"bad-{n}") for n in range(2)]
    settings.FERNET_KEYS = ["the-suite-moved-on-to-another-key-9f8e7d"]
    Provider.objects.all()[0].save()
    provider = Provider.objects.get()
    provider.client_secret = bad[0].provider.client_secret
    settings.FERNET_KEYS = keys
    secret = provider.reveal("client_secret")
    settings.FERNET_KEYS = ["the-suite-moved-on-to-another-key-9f8e7d"]
    provider.client_secret = secret
    provider.save()
    for n in range(3):
        make_account(f"good-{n}", provider=provider)
    result = sweep.run()
    assert (result.refreshed, result.failed) == (3, 2)
    assert ConnectedAccount.objects.filter(status="active").count() == 5
    settings.FERNET_KEYS = [*settings.FERNET_KEYS, *keys]
    ConnectedAccount.objects.filter(uid__startswith="bad").update(
        refresh_due_at=timezone.now() - timedelta(seconds=1)
    )
    assert sweep.run().refreshed == 2


def test_a_row_taken_from_the_batch_meanwhile_is_skipped(make_account, server):
    account = make_account()
    held, keys = sweep.claim_due(account.provider)
    assert keys == [account.pk]
    account.reload()
    account.stored_row().update(generation=account.generation + 1)
    assert lease.rearm(account, held) is None
    assert sweep._refresh_leased(account.pk, held) == "refreshed"
    account.stored_row().update(lease=None)
    assert sweep._refresh_leased(account.pk, held) == "skipped"
    assert len(server.token_requests) == 1


def test_a_lost_lease_between_read_and_call_is_skipped(
    make_account, server, monkeypatch
):
    account = make_account()
    held, _keys = sweep.claim_due(account.provider)
    monkeypatch.setattr(lease, "rearm", lambda account, lease: None)
    assert sweep._refresh_leased(account.pk, held) == "skipped"
    assert server.token_requests == []


def test_a_claim_that_loses_every_row_is_empty(make_account, monkeypatch):
    account = make_account()
    lost = sweep._due
    calls = []

    def due(provider):
        calls.append(provider)
        return lost(provider) if len(calls) == 1 else lost(provider).none()

    monkeypatch.setattr(sweep, "_due", due)
    assert sweep.claim_due(account.provider)[1] == []


IN_MEMORY = """
import django
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth_accounts"],
    SECRET_KEY="memory", FERNET_KEYS=["a-key-for-a-database-in-memory-5e4d3c2b"], DEBUG=True,
    USE_TZ=True,
)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from datetime import timedelta
from django.utils import timezone
from oauth_accounts import sweep
from oauth_accounts.fields import Secret
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.server import FakeProvider
with FakeProvider() as server:
    provider = Provider.objects.create(slug="fake", **server.as_provider_fields())
    access, refresh = server.issue()
    ConnectedAccount.objects.create(
        provider=provider, uid="alice", refresh_token=Secret(refresh),
        refresh_due_at=timezone.now() - timedelta(seconds=1),
    )
    print(sweep.run())
"""


@pytest.mark.sqlite
def test_a_database_in_memory_is_swept_in_the_same_thread(project_root):
    done = subprocess.run(
        [sys.executable, "-c", IN_MEMORY],
        cwd=project_root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "refreshed=1, failed=0" in done.stdout, done.stderr


def test_a_crash_is_remembered_when_the_sweep_can_make_no_call(make_account, server):
    account = make_account()
    assert lease.take(account)  # and its process dies here
    account.stored_row().update(lease_until=account.created_at)
    Provider.objects.update(enabled=False)
    held, _keys = sweep.claim_due(account.provider)
    assert sweep._refresh_leased(account.pk, held) == "failed"
    Provider.objects.update(enabled=True)
    account.refresh_from_db()
    assert account.attempt_started_at is not None
    assert account.refresh_due_at > timezone.now()
    server.script(Answer(status=400, json={"error": "invalid_grant"}))
    with pytest.raises(ReauthRequired) as caught:
        account.refresh()
    assert caught.value.code == "rotation_lost"


def test_a_database_error_of_one_row_does_not_end_the_sweep(
    make_account, server, monkeypatch, caplog
):
    for n in range(3):
        make_account(f"user-{n}")
    perform, failed = refresh.perform, []

    def fail_once(account, claim):
        if not failed:
            failed.append(account)
            raise OperationalError
        perform(account, claim)

    monkeypatch.setattr(refresh, "perform", fail_once)
    result = sweep.run(concurrency=1)
    assert (result.refreshed, result.failed) == (2, 1)
    assert "ended with OperationalError" in caplog.text
