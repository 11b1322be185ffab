"""`max_refreshes_per_minute` for the whole cluster, on the real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from oauth_accounts import clock
from oauth_accounts.models import Provider, pace
from oauth_accounts.testing.factories import ProviderFactory
from tests.engine.races import race
from tests.rows import again


@pytest.fixture
def limited(db):
    """A provider that takes 60 a minute: ten at once, then one in 60/51 s."""
    return ProviderFactory(max_refreshes_per_minute=60)


def wait(provider: Provider, seconds: float) -> None:
    """Let time pass for the provider: its slots lie so much further back."""
    at = again(provider).refresh_slots_at - timedelta(seconds=seconds)
    Provider.objects.filter(pk=provider.pk).update(refresh_slots_at=at)


class TestReserving:
    def test_no_limit_and_no_query(self, db, django_assert_num_queries):
        provider = ProviderFactory()

        with django_assert_num_queries(0):
            assert provider.reserve_slots(100_000) == 100_000
            assert provider.reserve_slots(0) == 0
            assert provider.seconds_until_slot() == 0
            provider.count_slot()

    def test_a_sixth_of_a_minute_at_once(self, limited):
        assert limited.reserve_slots(4) == 4
        assert again(limited).reserve_slots(100) == 6
        assert again(limited).reserve_slots(1) == 0

    def test_then_evenly(self, limited):
        limited.reserve_slots(100)
        assert 1 < limited.seconds_until_slot() < 1.18

        wait(limited, 60 / 51 + 0.01)
        assert limited.seconds_until_slot() == 0
        assert limited.reserve_slots(100) == 1

        wait(limited, 3 * 60 / 51)
        assert limited.reserve_slots(100) == 3

    def test_idle_minutes_are_not_saved_up(self, limited):
        limited.reserve_slots(100)
        wait(limited, 3600)

        assert limited.reserve_slots(100) == 10

    @pytest.mark.parametrize("limit", [1, 2, 5])
    def test_a_small_limit(self, db, limit):
        provider = ProviderFactory(max_refreshes_per_minute=limit)

        assert provider.reserve_slots(5) == 1
        assert again(provider).reserve_slots(5) == 0
        wait(provider, 60 / limit + 0.01)
        assert again(provider).reserve_slots(5) == 1

    def test_twenty_at_once_get_no_more_than_there_are(self, transactional_db):
        provider = ProviderFactory(max_refreshes_per_minute=60)

        granted = race(lambda: again(provider).reserve_slots(3))

        # Another falls free in 1.2 s, should the race take so long.
        assert 10 <= sum(granted) <= 12

    def test_none_is_the_limit_of_raw_sql(self, limited):
        Provider.objects.update(max_refreshes_per_minute=0)

        assert again(limited).reserve_slots(1) == 0
        assert again(limited).seconds_until_slot() == 60

    def test_a_provider_that_is_gone_has_none(self, limited):
        Provider.objects.all().delete()

        assert limited.reserve_slots(1) == 0
        assert limited.seconds_until_slot() > 0


def test_who_loses_every_race_gets_none(db, monkeypatch):
    provider = ProviderFactory(max_refreshes_per_minute=60)
    monkeypatch.setattr(Provider, "_take", lambda self, slots, count: False)

    assert provider.reserve_slots(1) == 0


class TestCounting:
    def test_a_refresh_that_somebody_waits_for_counts(self, limited):
        for _ in range(4):
            limited.count_slot()

        assert limited.reserve_slots(100) == 6

    def test_twenty_at_once_all_count(self, transactional_db):
        provider = ProviderFactory(max_refreshes_per_minute=6000)

        race(lambda: again(provider).count_slot())

        left = again(provider).reserve_slots(6000)
        # One falls free in 12 ms, and the race takes some of these.
        assert 980 <= left < 1000

    def test_no_more_than_a_minute_is_owed(self, limited):
        for _ in range(100):
            limited.count_slot()

        assert 48 < limited.seconds_until_slot() < 50
        wait(limited, 60)
        assert limited.reserve_slots(100) == 10

    def test_a_date_of_another_clock_does_not_stop_the_provider(self, limited):
        far = timezone.now() + timedelta(days=400)
        Provider.objects.update(refresh_slots_at=far)

        assert limited.seconds_until_slot() <= 60
        limited.count_slot()
        assert again(limited).refresh_slots_at < timezone.now() + timedelta(seconds=61)


class TestClocks:
    @pytest.mark.parametrize("seconds", [-600, 600])
    def test_a_worker_with_a_wrong_clock_gets_no_more(
        self, limited, monkeypatch, seconds
    ):
        limited.reserve_slots(100)
        wrong = timezone.now() + timedelta(seconds=seconds)
        monkeypatch.setattr(clock, "utcnow", lambda: wrong)

        assert again(limited).reserve_slots(100) == 0


class Simulated:
    """The same arithmetic on a row and a clock that a test can move."""

    def __init__(self, limit: int):
        self.provider = ProviderFactory.build(max_refreshes_per_minute=limit)
        self.provider._slots = lambda: pace._Slots.at(self.stored, self.now)
        self.provider._take = self.take
        self.now, self.stored = timezone.now(), None
        self.sent: list = []

    def take(self, slots, count: int) -> bool:
        self.stored = slots.begins + self.provider._interval() * count
        return True

    def ask(self, wanted: int, seconds_later: float) -> None:
        self.now += timedelta(seconds=seconds_later)
        self.sent += [self.now] * self.provider.reserve_slots(wanted)

    def most_in_a_window(self) -> int:
        ends = [(start, start + pace.WINDOW) for start in self.sent]
        return max(sum(a <= at < b for at in self.sent) for a, b in ends)


@given(
    st.integers(1, 400),
    st.lists(st.tuples(st.integers(1, 300), st.floats(0, 30)), min_size=1, max_size=40),
)
def test_no_minute_holds_more_than_the_limit(limit, requests):
    provider = Simulated(limit)

    for wanted, seconds_later in requests:
        provider.ask(wanted, seconds_later)

    assert provider.most_in_a_window() <= limit


@pytest.mark.parametrize("limit", [1, 7, 60, 600])
def test_who_asks_all_the_time_gets_the_limit(limit):
    provider = Simulated(limit)

    for _ in range(10 * 600):
        provider.ask(limit, 0.1)

    assert 0.8 * limit * 10 <= len(provider.sent) <= limit * 10 + limit // 6 + 1
