"""Many accounts are stopped at once, and their providers told at a pace."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError

from oauth_accounts import outbox, recall, revoke, signals, workers
from oauth_accounts.models import AccountEvent, ConnectedAccount, PendingRevocation
from oauth_accounts.recall import Scope
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from oauth_accounts.testing.wire import Answer

LOST = "a-key-that-was-lost-and-is-found-again-b81f60"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def three():
    """Three accounts at one provider."""
    provider = ProviderFactory(slug="one")
    return [ConnectedAccountFactory(provider=provider) for _ in range(3)]


def gaps(rows):
    due = list(rows.order_by("due_at").values_list("due_at", flat=True))
    return [(after - before).total_seconds() for before, after in pairwise(due)]


class TestStop:
    def test_b40_accounts_of_one_provider(self, three):
        other = ConnectedAccountFactory()
        gone = ConnectedAccountFactory(provider=three[0].provider)
        gone.revoke(reason="by_owner")
        heard = []
        signals.account_revoked.connect(
            lambda account, reason, **kwargs: heard.append((account.pk, reason)),
            weak=False,
            dispatch_uid="t",
        )
        seen = []

        done = recall.stop(Scope(provider="one"), per_minute=60, progress=seen.append)

        signals.account_revoked.disconnect(dispatch_uid="t")
        assert (done, seen) == (3, [3])
        rows = ConnectedAccount.objects.filter(status_reason="by_admin")
        assert {row.pk for row in rows} == {account.pk for account in three}
        for row in rows:
            assert (row.status, row.access_token, row.refresh_due_at) == (
                "revoked",
                None,
                None,
            )
        assert sorted(heard) == sorted((row.pk, "by_admin") for row in rows)
        events = AccountEvent.objects.filter(kind="revoked", reason="by_admin")
        assert {event.account_key for event in events} == {row.pk for row in rows}
        other.refresh_from_db()
        assert other.status == "active"
        assert PendingRevocation.objects.count() == 4

    def test_b40_the_outbox_becomes_due_at_a_pace(self, three):
        recall.stop(Scope(provider="one"), per_minute=120)

        assert gaps(PendingRevocation.objects) == [0.5, 0.5]

    def test_b40_another_run_queues_up_behind(self, three):
        recall.stop(Scope(provider="one", account=three[0].pk), per_minute=6)
        first = PendingRevocation.objects.get()
        recall.stop(Scope(provider="one"), per_minute=6)

        rows = PendingRevocation.objects.order_by("due_at")
        assert rows[0].pk == first.pk
        assert gaps(rows) == [10, 10]

    def test_one_that_was_tried_before_is_not_waited_for(self, three):
        three[0].revoke()
        later = three[0].created_at + timedelta(days=1)
        PendingRevocation.objects.update(attempts=3, due_at=later)

        recall.stop(Scope(provider="one"), per_minute=6)

        assert PendingRevocation.objects.filter(due_at__lt=later).count() == 2

    def test_one_owner(self, three):
        ada = User.objects.create_user("ada")
        mine = ConnectedAccountFactory(owner=ada, provider=three[0].provider)
        scope = Scope(owner=ada.pk)

        assert recall.stop(scope, per_minute=60) == 1

        assert scope.outbox().get().account_key == mine.pk
        assert ConnectedAccount.objects.filter(status="revoked").get() == mine

    def test_in_batches(self, three, monkeypatch):
        monkeypatch.setattr(recall, "BATCH_SIZE", 2)
        seen = []

        assert recall.stop(Scope(provider="one"), per_minute=60, progress=seen.append)

        assert seen == [2, 3]
        assert PendingRevocation.objects.count() == 3

    def test_a6_6_e36_what_does_not_open_is_stopped_too(
        self, three, settings, monkeypatch
    ):
        keys, settings.FERNET_KEYS = settings.FERNET_KEYS, [LOST]

        assert recall.stop(Scope(provider="one"), per_minute=60) == 3

        settings.FERNET_KEYS = keys
        for pending in PendingRevocation.objects.all():
            assert pending.reveal("refresh_token")


class TestRefused:
    """What a database says of a deadlock, or while it is restarted."""

    def refuse(self, monkeypatch, times):
        calls = []
        real = revoke.revoke

        def sometimes(account, **options):
            calls.append(account.pk)
            if len(calls) <= times:
                raise OperationalError("deadlock detected")
            real(account, **options)

        monkeypatch.setattr(revoke, "revoke", sometimes)
        monkeypatch.setattr(recall, "PAUSE_SECONDS", 0)

    def test_it_is_tried_again(self, three, monkeypatch):
        self.refuse(monkeypatch, 2)

        assert recall.stop(Scope(provider="one"), per_minute=60) == 3

        assert not ConnectedAccount.objects.exclude(status="revoked").exists()
        assert PendingRevocation.objects.count() == 3

    def test_not_for_ever(self, three, monkeypatch):
        self.refuse(monkeypatch, 100)

        with pytest.raises(OperationalError):
            recall.stop(Scope(provider="one"), per_minute=60)


class TestDelivery:
    """Several calls at a time."""

    @pytest.fixture
    def revoked(self, make_account):
        accounts = [make_account(f"user-{number}") for number in range(5)]
        for account in accounts:
            account.revoke()
        return accounts

    def test_calls_beside_each_other(self, revoked, server, monkeypatch):
        both, ask, seen = threading.Barrier(2, timeout=30), revoke.ask, []

        def together(pending):
            both.wait()
            return ask(pending)

        monkeypatch.setattr(revoke, "ask", together)

        assert outbox.deliver_due(limit=4, concurrency=2, progress=seen.append) == 4

        assert seen == [2, 4]
        assert len(server.revoked) == len(set(server.revoked)) == 8
        rows = PendingRevocation.objects.filter(status="confirmed", attempts=1)
        assert rows.count() == 4

    def test_each_row_once(self, revoked, server):
        assert outbox.deliver_due(concurrency=3) == 5

        assert len(server.revoked) == len(set(server.revoked)) == 10

    def test_no_more_than_the_limit(self, revoked, server):
        assert outbox.deliver_due(limit=3, concurrency=2) == 3

        assert PendingRevocation.objects.filter(status="pending").count() == 2

    def test_one_failure_among_others(self, revoked, server):
        server.script(Answer(status=503), endpoint="revocation")

        outbox.deliver_due(concurrency=5)

        statuses = PendingRevocation.objects.values_list("status", flat=True)
        assert sorted(statuses) == ["confirmed"] * 4 + ["pending"]


class TestSilence:
    def test_workers_are_not_told(self, monkeypatch):
        sent = []
        monkeypatch.setitem(workers.sys.modules, "celery", object())
        monkeypatch.setattr("oauth_accounts.tasks.enqueue", sent.append)

        with workers.silence():
            assert not workers.tell("deliver_revocations")
        workers.tell("deliver_revocations")

        assert len(sent) == 1
