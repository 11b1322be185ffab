from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from oauth_accounts import clock
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    PendingRevocation,
    RefreshStatistic,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.rows import again


class TestEvents:
    def test_they_stay_when_everything_else_goes(self, db, django_user_model):
        user = django_user_model.objects.create(username="user")
        account = ConnectedAccountFactory(owner=user)
        key = account.pk
        account.record_event("revoked", "by_owner", user)

        user.delete()

        event = AccountEvent.objects.get(kind="revoked")
        assert (event.account, event.actor, event.account_key) == (None, None, key)
        assert event.provider == account.provider

    def test_str(self):
        assert (
            str(AccountEvent(kind="revoked", reason="by_owner")) == "Revoked by_owner"
        )
        assert str(AccountEvent(kind="connected")) == "Connected"


class TestStatistics:
    def test_counts_add_up_by_hour_result_and_reason(self, db):
        statistics = ProviderFactory().refresh_statistics

        statistics.record("success")
        statistics.record("success", count=4)
        statistics.record("failure", "timeout")
        statistics.record("failure", "dns")

        counted = statistics.values_list("result", "reason", "count")
        assert sorted(counted) == [
            ("failure", "dns", 1),
            ("failure", "timeout", 1),
            ("success", "", 5),
        ]

    def test_each_hour_has_a_row(self, db, monkeypatch):
        statistics = ProviderFactory().refresh_statistics
        statistics.record("success")
        later = clock.utcnow() + timedelta(hours=1)
        monkeypatch.setattr(clock, "utcnow", lambda: later)

        statistics.record("success")

        assert statistics.count() == 2
        assert str(statistics.latest("hour")) == f"{later:%Y-%m-%d %H:00} success 1"

    def test_two_workers_at_once_lose_no_count(self, transactional_db):
        provider = ProviderFactory()
        barrier = threading.Barrier(4)

        def work():
            barrier.wait()
            again(provider).refresh_statistics.record("success")
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert RefreshStatistic.objects.get().count == 4

    def test_the_second_of_two_first_ones_adds_to_the_other(self, db, monkeypatch):
        """The race itself: both saw no row, one of them inserted it."""
        statistics = ProviderFactory().refresh_statistics

        def sibling_was_faster(manager, **key):
            monkeypatch.undo()
            manager.create(**key, count=4)
            return manager.none()

        monkeypatch.setattr(type(statistics), "filter", sibling_was_faster)
        statistics.record("success", count=3)

        assert RefreshStatistic.objects.get().count == 7


class TestPendingRevocation:
    @pytest.fixture
    def pending(self, db):
        account = ConnectedAccountFactory()
        return PendingRevocation.objects.create(
            provider=account.provider,
            account=account,
            account_key=account.pk,
            access_token=account.access_token,
            refresh_token=account.refresh_token,
        )

    def test_the_end_wipes_the_tokens(self, pending):
        pending.finish("failed", "unavailable")

        done = again(pending)
        assert (done.status, done.last_error) == ("failed", "unavailable")
        assert done.access_token is None
        assert done.refresh_token is None
        assert done.due_at is None
        assert done.finished_at is not None

    def test_a_failed_try_keeps_them(self, pending):
        later = clock.utcnow() + timedelta(hours=1)

        pending.postpone(later, "unavailable")

        waiting = again(pending)
        assert waiting.status == "pending"
        assert abs(waiting.due_at - later) < timedelta(seconds=1)
        assert waiting.reveal("access_token")
        assert str(pending) == f"Pending: {pending.account_key}"


class TestAttempts:
    @pytest.fixture
    def attempt(self, db, django_user_model, settings):
        settings.OAUTH_ACCOUNTS_ATTEMPT_TTL = 120
        provider = ProviderFactory()
        return AuthorizationAttempt.objects.create(
            state_hash="state",
            browser_hash="browser",
            user=django_user_model.objects.create(username="user"),
            provider=provider,
            code_verifier="verifier",
            **{name: getattr(provider, name) for name in COPIED},
        )

    def test_it_ends_by_the_setting(self, attempt):
        assert attempt.expires_at - attempt.created_at == timedelta(seconds=120)
        moved = attempt.expires_at = attempt.created_at + timedelta(seconds=5)
        attempt.save()
        assert attempt.expires_at == moved
        assert str(attempt) == str(attempt.pk)

    def test_it_matches_the_provider_as_it_was(self, attempt):
        provider = attempt.provider
        assert attempt.matches(provider)

        for name in COPIED:
            before = getattr(provider, name)
            setattr(provider, name, "changed")
            assert not attempt.matches(provider), name
            setattr(provider, name, before)


COPIED = ("issuer", "client_id", "authorization_endpoint", "token_endpoint")
