"""Many accounts: only what is due, each once, provider by provider."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import (
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oauth_accounts import (
    batch,
    lease,
    reactions,
    renew,
    sweep,
    turns,
    writeback,
    writer,
)
from oauth_accounts.exceptions import ReauthRequired
from oauth_accounts.models import ConnectedAccount, Health, PendingRevocation, Provider
from oauth_accounts.testing.server import FakeProvider
from oauth_accounts.testing.wire import Answer

ROW_LOCKS = pytest.mark.parametrize(
    "engine",
    [
        pytest.param("PostgreSQL", marks=pytest.mark.postgres),
        pytest.param("InnoDB", marks=pytest.mark.mariadb),
    ],
)


def test_only_what_is_due_is_refreshed(make_account, server):
    due = [make_account(f"due-{n}") for n in range(5)]
    fresh = make_account("fresh", expires_in=3000)
    seen = []
    result = sweep.run(progress=seen.append)
    assert (result.refreshed, result.failed, result.skipped) == (5, 0, 0)
    assert seen == sorted(seen)
    assert seen[-1] == 5
    assert len(server.token_requests) == 5
    fresh.refresh_from_db()
    assert fresh.generation == 0
    for account in due:
        account.refresh_from_db()
        assert account.generation == 1
        assert account.lease is None
    assert sweep.run().done == 0


def test_nothing_due_reads_no_account(provider):
    Health.objects.note_sweep()
    with CaptureQueriesContext(connection) as queries:
        assert sweep.run().done == 0
    # The date of the sweep, and the providers that have something due.
    assert len(queries) == 2


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
    monkeypatch.setattr(turns, "FIRST_BATCH", 3)
    monkeypatch.setattr(turns, "BATCH_SIZE", 3)
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


def test_a_paused_provider_is_left_alone_and_ends_its_own_turn(make_account, server):
    for n in range(20):
        make_account(f"user-{n}")
    server.script(*[Answer(status=401, json={"error": "invalid_client"})] * 20)
    result = sweep.run()
    assert 1 <= result.failed == len(server.token_requests) <= 2
    assert sweep.run().done == 0
    assert not ConnectedAccount.objects.exclude(status="active").exists()
    assert not ConnectedAccount.objects.exclude(lease=None).exists()
    assert not ConnectedAccount.objects.exclude(attempt_started_at=None).exists()


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
    # Its old key opens the pin of its addresses no more either.
    provider.pin()
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
    kept, taken = make_account("kept"), make_account("taken")
    claimed = batch.claim_due(kept.provider, 10)
    assert {account.pk for account in claimed} == {kept.pk, taken.pk}
    taken.stored_row().update(lease=None)
    assert [account.pk for account, _claim in batch.arm(claimed)] == [kept.pk]
    assert server.token_requests == []


def test_a_lease_that_ran_out_before_the_call_is_not_used(
    make_account, server, monkeypatch
):
    make_account()
    arm, late = batch.arm, []

    def arm_late(accounts):
        if not late:
            late.extend(accounts)
            ConnectedAccount.objects.update(lease_until=accounts[0].created_at)
        return arm(accounts)

    monkeypatch.setattr(batch, "arm", arm_late)
    result = sweep.run()
    assert (result.refreshed, result.skipped) == (1, 1)
    assert len(server.token_requests) == 1


def test_a_call_that_waited_for_its_turn_has_its_lease_renewed(
    make_account, server, monkeypatch
):
    for n in range(6):
        make_account(f"user-{n}")
    # Every claim counts as too old: each is renewed before it is used.
    monkeypatch.setattr(turns, "WRITE_SECONDS", 120.0)
    renewed, extend = [], batch.extend

    def count(accounts):
        renewed.extend(accounts)
        return extend(accounts)

    monkeypatch.setattr(batch, "extend", count)
    # Two are armed at first, and one is called at a time.
    monkeypatch.setattr(turns, "_windows", {})
    assert sweep.run(concurrency=1).refreshed == 6
    assert renewed
    assert not ConnectedAccount.objects.exclude(status_reason="").exists()
    assert len(server.token_requests) == 6


def test_what_is_in_other_hands_is_not_waited_for(make_account, monkeypatch):
    make_account()
    looks, providers_due = [], batch.providers_due

    def look(slug):
        looks.append(slug)
        return providers_due(slug)

    monkeypatch.setattr(batch, "providers_due", look)
    monkeypatch.setattr(batch, "claim_due", lambda provider, limit: [])
    assert sweep.run().done == 0
    assert len(looks) <= 2


def test_a_batch_that_others_take_again_and_again_is_left_to_them(
    make_account, monkeypatch
):
    account = make_account()
    monkeypatch.setattr(batch, "_not_locked", lambda rows: rows.none())
    assert batch.claim_due(account.provider, 10) == []


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


def test_a_crash_is_remembered_when_the_sweep_can_make_no_call(
    make_account, server, monkeypatch
):
    account = make_account()
    assert lease.take(account)  # and its process dies here
    account.stored_row().update(lease_until=account.created_at)
    User.objects.update(is_active=False)
    monkeypatch.setattr(reactions, "disable", lambda account, reason: None)
    assert sweep.run().failed == 1
    User.objects.update(is_active=True)
    account = ConnectedAccount.objects.get()
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
    server.script(Answer(status=400, json={"error": "invalid_grant"}))

    def fail(*arguments):
        raise OperationalError

    monkeypatch.setattr(renew, "settle", fail)
    result = sweep.run(concurrency=1)
    assert (result.refreshed, result.failed) == (2, 1)
    assert "ended with OperationalError" in caplog.text


def test_an_answer_that_cannot_be_written_does_not_take_others_along(
    make_account, server, monkeypatch, caplog
):
    """Nothing of the group is written, so each is tried alone, and one of them fails."""
    bad = make_account("bad")
    for n in range(7):
        make_account(f"user-{n}")
    write_group = writeback.write_group

    def write(group):
        if any(one.account.pk == bad.pk for one in group):
            raise IntegrityError
        return write_group(group)

    monkeypatch.setattr(writeback, "write_group", write)
    result = sweep.run()
    assert (result.refreshed, result.failed) == (7, 1)
    assert f"{bad.pk} ended with IntegrityError" in caplog.text
    assert [r.levelname for r in caplog.records].count("CRITICAL") == 1
    assert ConnectedAccount.objects.filter(generation=1).count() == 7


def test_answers_of_one_group_are_fenced_each_by_itself(
    make_account, server, monkeypatch
):
    """One account is revoked and one gone while their answers wait to be written."""
    revoked, gone = make_account("revoked"), make_account("gone")
    kept = [make_account(f"user-{n}") for n in range(4)]
    monkeypatch.setattr(writer, "FLUSH_SECONDS", 60.0)
    write_group, groups = writeback.write_group, []

    def write(group):
        if not groups:
            ConnectedAccount.objects.get(pk=revoked.pk).revoke()
            ConnectedAccount.objects.get(pk=gone.pk).delete()
        groups.append(len(group))
        return write_group(group)

    monkeypatch.setattr(writeback, "write_group", write)
    monkeypatch.setattr(writer.Writer, "is_due", _when_all_have_landed)
    result = sweep.run()
    assert groups == [6]
    assert (result.refreshed, result.skipped) == (4, 2)
    for account in kept:
        account.refresh_from_db()
        assert (account.generation, account.lease) == (1, None)
        assert server.is_live(account.reveal("refresh_token").get_value())
    # What came too late is revoked at the provider.
    waiting = PendingRevocation.objects.values_list("account_key", "reason")
    assert sorted(waiting) == sorted(
        [
            (revoked.pk, "by_owner"),
            (revoked.pk, "superseded"),
            (gone.pk, "deleted"),
            (gone.pk, "superseded"),
        ]
    )


def _when_all_have_landed(self, flying):
    return len(self.unwritten) == 6


def test_a_group_keeps_what_answers_leave_out(make_account, server):
    """Each answer leaves out something else; the rows keep what they had."""
    accounts = [make_account(f"user-{n}", scopes=["a", "b"]) for n in range(6)]
    dies = timezone.now() + timedelta(days=40)
    ConnectedAccount.objects.update(refresh_token_expires_at=dies)
    server.rotate = False

    def answer(**left_out):
        return Answer(
            json={
                "access_token": "at-new",
                "token_type": "bearer",
                "expires_in": 3600,
                **left_out,
            }
        )

    server.script(
        answer(),
        answer(scope="a"),
        answer(refresh_token="rt-new"),
        answer(refresh_token="rt-new", refresh_token_expires_in=60),
        answer(id_token="idt"),
        answer(expires_in=None),
    )
    assert sweep.run(concurrency=6).refreshed == 6
    found = []
    for account in accounts:
        before = account.reveal("refresh_token").get_value()
        account.refresh_from_db()
        token = account.reveal("refresh_token").get_value()
        dies_at = account.refresh_token_expires_at
        assert account.reveal("access_token").get_value() == "at-new"
        assert (
            account.lease is account.lease_until is account.attempt_started_at is None
        )
        found.append(
            (
                "kept" if token == before else token,
                account.scopes,
                account.status_reason,
                None if dies_at is None else (dies_at - timezone.now()).days,
                account.id_token is not None,
                account.expires_at is not None,
            )
        )
    base = ("kept", ["a", "b"], "", 39, False, True)
    expected = [
        base,
        ("kept", ["a"], *base[2:]),
        ("rt-new", ["a", "b"], "", None, False, True),
        ("rt-new", ["a", "b"], "", 0, False, True),
        base,
        ("kept", ["a", "b"], "", 39, False, False),
    ]
    assert sorted(map(str, found)) == sorted(map(str, expected))


class RowLock:
    """Somebody who has a row in his hands, in a thread of his own."""

    def __init__(self, account):
        self.account = account
        self.held, self.done = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.hold)

    def hold(self):
        with transaction.atomic():
            ConnectedAccount.objects.select_for_update().get(pk=self.account.pk)
            self.held.set()
            self.done.wait(30)
        connections.close_all()

    def take(self, request):
        token = self.account.reveal("refresh_token").get_value()
        if token in request.form.values():
            self.thread.start()
            self.held.wait(10)

    def free(self):
        self.done.set()
        self.thread.join()


@ROW_LOCKS
def test_a_row_that_somebody_has_locked_keeps_nobody_waiting(
    make_account, server, engine
):
    """The others are stored meanwhile, and it itself as soon as it is free."""
    accounts = [make_account(f"user-{n}") for n in range(12)]
    lock = RowLock(accounts[0])
    server.on_token_request = lock.take

    def look(done):
        if done == 11:
            lock.done.set()

    result = sweep.run(progress=look)
    lock.free()
    assert (result.refreshed, result.skipped) == (12, 0)
    assert len(server.token_requests) == 12
    accounts[0].reload()
    assert accounts[0].generation == 1


@ROW_LOCKS
def test_a_lock_that_outlasts_the_lease_is_cried_out(
    make_account, server, engine, monkeypatch, caplog
):
    lock = RowLock(make_account())
    server.on_token_request = lock.take
    monkeypatch.setattr(writer, "holds", lambda claim, seconds: False)
    result = sweep.run()
    lock.free()
    assert result.failed == 1
    assert "could not be stored before its lease was over (locked)" in caplog.text


@ROW_LOCKS
def test_a_row_that_is_locked_for_a_moment_is_armed_all_the_same(
    make_account, server, engine
):
    """Another sweep that lost the race for it holds it until it commits."""
    accounts = [make_account(f"user-{n}") for n in range(3)]
    claimed = batch.claim_due(accounts[0].provider, 10)
    lock = RowLock(accounts[0])
    lock.thread.start()
    lock.held.wait(10)
    threading.Timer(0.03, lock.done.set).start()
    armed = batch.arm(claimed)
    lock.free()
    assert {account.pk for account, _claim in armed} == {a.pk for a in accounts}


@ROW_LOCKS
def test_a_row_that_stays_locked_loses_its_turn_and_nobody_elses(
    make_account, server, engine
):
    """Its lease lets it go in the end; the calls of the others are not kept waiting."""
    accounts = [make_account(f"user-{n}") for n in range(3)]
    claimed = batch.claim_due(accounts[0].provider, 10)
    lock = RowLock(accounts[0])
    lock.thread.start()
    lock.held.wait(10)
    armed = batch.arm(claimed)
    lock.free()
    assert {account.pk for account, _claim in armed} == {a.pk for a in accounts[1:]}
    accounts[0].reload()
    assert accounts[0].lease == claimed[0].lease
    assert accounts[0].attempt_started_at is None
