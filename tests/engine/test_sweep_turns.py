"""Who gets how many calls at a time: limits, pauses, trials, fairness."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone

from oauth_accounts import sweep, turns
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.signals import reauth_required, tokens_refreshed
from oauth_accounts.testing.server import FakeProvider
from oauth_accounts.testing.wire import Answer


@pytest.fixture(autouse=True)
def new_process(monkeypatch):
    """Nothing is known yet of what a provider bears."""
    monkeypatch.setattr(turns, "_windows", {})


@pytest.fixture
def many(make_account):
    def make(count, **values):
        return [make_account(f"user-{n}", **values) for n in range(count)]

    return make


class Gauge:
    """Counts calls under way."""

    def __init__(self, server, seconds=0.05):
        self.now = self.most = 0
        self.seconds = seconds
        self.lock = threading.Lock()
        self.starts = []
        server.on_token_request = self

    def __call__(self, request):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.starts.append(self.now)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1


def test_calls_begin_slowly_and_stay_below_the_limit(many, server):
    many(40)
    gauge = Gauge(server)
    assert sweep.run(concurrency=8).refreshed == 40
    assert max(gauge.starts[:2]) <= 2
    assert 4 <= gauge.most <= 8


def test_what_a_provider_has_proved_to_bear_is_known_to_the_next_sweep(many, server):
    many(40)
    sweep.run(concurrency=8)
    ConnectedAccount.objects.update(refresh_due_at=timezone.now())
    gauge = Gauge(server, seconds=0.2)
    sweep.run(concurrency=8)
    assert max(gauge.starts[:8]) > 4


def test_an_outage_costs_few_calls_and_no_account(many, server, provider):
    many(60)
    server.script(*[Answer(status=503)] * 200)
    result = sweep.run(concurrency=4)
    assert turns.UNHEARD_LIMIT <= len(server.token_requests) <= 14
    assert result.failed == len(server.token_requests)
    provider.refresh_from_db()
    assert provider.pause_reason == "unavailable"
    assert not ConnectedAccount.objects.exclude(status="active").exists()
    assert not ConnectedAccount.objects.exclude(lease=None).exists()
    # While it is paused, nobody is called.
    assert sweep.run().done == 0


def test_after_a_pause_one_call_decides(many, server, provider):
    many(12)
    provider.pause(30, "unavailable")
    past = timezone.now() - timezone.timedelta(seconds=1)
    Provider.objects.update(paused_until=past)
    gauge = Gauge(server, seconds=0.1)
    assert sweep.run(concurrency=8).refreshed == 12
    assert gauge.starts[:2] == [1, 1]
    provider.refresh_from_db()
    assert (provider.pause_reason, provider.pause_count) == ("", 0)


def test_a_trial_that_fails_is_the_only_call(many, server, provider):
    many(12)
    provider.pause(30, "unavailable")
    past = timezone.now() - timezone.timedelta(seconds=1)
    Provider.objects.update(paused_until=past)
    server.script(*[Answer(status=503)] * 12)
    assert sweep.run(concurrency=8).failed == 1
    assert len(server.token_requests) == 1
    provider.refresh_from_db()
    assert provider.is_paused()


def test_who_does_not_get_the_trial_calls_nobody(many, server, provider, monkeypatch):
    many(3)
    provider.pause(30, "unavailable")
    past = timezone.now() - timezone.timedelta(seconds=1)
    Provider.objects.update(paused_until=past)
    # Another worker is a moment faster.
    monkeypatch.setattr(Provider, "take_probe", lambda self: False)
    assert sweep.run().done == 0
    assert server.token_requests == []
    assert not ConnectedAccount.objects.exclude(lease=None).exists()


def test_on_demand_one_caller_tries_a_provider_out(many, server, provider, monkeypatch):
    [account] = many(1)
    provider.pause(30, "unavailable")
    past = timezone.now() - timezone.timedelta(seconds=1)
    Provider.objects.update(paused_until=past)
    with monkeypatch.context() as patch:
        patch.setattr(Provider, "take_probe", lambda self: False)
        with pytest.raises(Exception, match="provider_paused"):
            account.get_access_token()
    assert server.token_requests == []
    account.reload()
    assert account.lease is account.attempt_started_at is None
    assert server.is_live(account.get_access_token())
    provider.refresh_from_db()
    assert provider.pause_reason == ""


def test_a_limit_per_minute_holds_for_all_workers(many, server, provider):
    many(8)
    Provider.objects.update(max_refreshes_per_minute=12)
    results = [sweep.run(max_seconds=0.5), sweep.run(max_seconds=0.2)]
    # Two at once, and the next one in some six seconds.
    assert sum(result.refreshed for result in results) == 2
    assert not ConnectedAccount.objects.exclude(lease=None).exists()
    assert not ConnectedAccount.objects.exclude(attempt_started_at=None).exists()


def test_a_limited_provider_is_waited_for(many, server, provider):
    many(11)
    # Ten at once, and the next one 1.2 s later.
    Provider.objects.update(max_refreshes_per_minute=60)
    began = time.monotonic()
    assert sweep.run().refreshed == 11
    assert time.monotonic() - began > 1


def test_a_slow_provider_does_not_keep_others_waiting(many, make_account, server):
    many(20)
    server.on_token_request = lambda request: time.sleep(0.4)
    with FakeProvider() as elsewhere:
        quick = Provider.objects.create(slug="quick", **elsewhere.as_provider_fields())
        for n in range(20):
            _access, token = elsewhere.issue(subject=f"quick-{n}")
            account = make_account(f"quick-{n}", provider=quick)
            account.refresh_token = token
            account.save(update_fields=["refresh_token"])
        began, done = time.monotonic(), Counter()

        def note(sender, account, **kwargs):
            done[account.provider_id] += 1
            if done[quick.pk] == 20:
                done["seconds"] = time.monotonic() - began

        tokens_refreshed.connect(note)
        try:
            result = sweep.run(concurrency=4)
        finally:
            tokens_refreshed.disconnect(note)
        assert result.refreshed == 40
        # The slow one has two calls at a time: 20 calls of 0.4 s take 4 s.
        assert done["seconds"] < 3


def test_a_provider_that_is_disabled_meanwhile_is_called_no_more(
    many, server, monkeypatch
):
    monkeypatch.setattr(turns, "FIRST_BATCH", 4)
    monkeypatch.setattr(turns, "BATCH_SIZE", 4)
    many(20)

    def disable(request):
        Provider.objects.update(enabled=False)
        connections.close_all()

    server.on_token_request = disable
    result = sweep.run(concurrency=2)
    assert 1 <= result.refreshed <= 4
    assert not ConnectedAccount.objects.exclude(lease=None).exists()


def test_without_a_refresh_token_the_owner_is_asked(many, server):
    [account] = many(1)
    account.refresh_token = None
    account.save(update_fields=["refresh_token"])
    told = []

    def note(sender, account, reason, **kwargs):
        told.append(reason)

    reauth_required.connect(note)
    try:
        assert sweep.run().failed == 1
    finally:
        reauth_required.disconnect(note)
    account.reload()
    assert (account.status, account.lease) == ("needs_reauth", None)
    assert told == ["refresh_token_expired"]
    assert server.token_requests == []


def test_a_large_batch_that_takes_long_is_followed_by_a_smaller_one(
    many, monkeypatch, provider
):
    many(1)
    turn = turns.Turn(provider, 8, sweep.Result())
    turn._batch_began = time.monotonic()
    turn._learn_pace()
    assert turn._batch_size == 2 * turns.FIRST_BATCH
    turn._batch_began -= turns.SLOW_SECONDS + 1
    turn._learn_pace()
    assert turn._batch_size == turns.FIRST_BATCH
    turn._batch_began = time.monotonic() - turns.QUICK_SECONDS - 1
    turn._learn_pace()
    assert turn._batch_size == turns.FIRST_BATCH


def test_a_secret_that_does_not_open_is_found_out_for_each(many, server, settings):
    many(2)
    provider = Provider.objects.get()
    Provider.objects.update(token_endpoint=provider.token_endpoint + "2")
    Provider.objects.update(issuer="https://moved.example")
    assert sweep.run().failed == 2
    assert server.token_requests == []
    found = set(ConnectedAccount.objects.values_list("status", "status_reason"))
    assert found == {("disabled", "provider_changed")}


def test_an_owner_who_left_is_told_apart_from_the_others(many, server):
    accounts = many(3)
    gone = User.objects.create_user("gone", is_active=False)
    ConnectedAccount.objects.filter(pk=accounts[0].pk).update(owner=gone)
    result = sweep.run()
    assert (result.refreshed, result.failed) == (2, 1)


class TestTheEnd:
    def test_what_is_under_way_is_stored_and_the_rest_given_back(self, many, server):
        many(30)
        Gauge(server, seconds=0.2)

        def stop(done):
            if len(server.token_requests) >= 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            sweep.run(concurrency=4, progress=stop)
        sent = len(server.token_requests)
        assert 4 <= sent < 30
        assert ConnectedAccount.objects.filter(generation=1).count() == sent
        assert not ConnectedAccount.objects.exclude(lease=None).exists()
        assert not ConnectedAccount.objects.exclude(attempt_started_at=None).exists()
        assert sweep.run().refreshed == 30 - sent

    def test_receivers_have_been_told_when_it_returns(self, many, server):
        many(5)
        told = []

        def note(sender, account, **kwargs):
            time.sleep(0.1)
            told.append(account.generation)

        tokens_refreshed.connect(note)
        try:
            sweep.run()
        finally:
            tokens_refreshed.disconnect(note)
        assert told == [1] * 5
