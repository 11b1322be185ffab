"""A small table is counted, a large one estimated, and what is rare is counted again."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oauth_accounts import clock, keyring
from oauth_accounts.health import census
from oauth_accounts.health.census import Queue
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory

ROWS = 300
SAMPLE = 100
# Three times the standard deviation of a count of 100; the keys are the same each time.
TOLERANCE = 0.3


@pytest.fixture
def now() -> datetime:
    return clock.utcnow()


def populate(provider: Provider, count: int, **values: Any) -> list[Any]:
    """Insert copies of one account, with keys as they are made, but the same each time."""
    numbers = random.Random(count)
    template = ConnectedAccountFactory.build(provider=provider)
    template.complete()
    rows = []
    for number in range(count):
        row = ConnectedAccount(
            **{
                field.attname: getattr(template, field.attname)
                for field in ConnectedAccount._meta.concrete_fields
            }
        )
        row.pk = uuid.UUID(int=numbers.getrandbits(128), version=4)
        row.uid = f"{provider.slug}-{number}"
        for name, value in values.items():
            setattr(row, name, value)
        rows.append(row)
    ConnectedAccount.objects.bulk_create(rows)
    return [row.pk for row in rows]


def change(keys: list[Any], **values: Any) -> None:
    ConnectedAccount.objects.filter(pk__in=keys).update(**values)


class TestSmallTable:
    def test_nothing(self, db: None, now: datetime) -> None:
        found = census.take([], now)

        assert found.total == 0
        assert found.sampled == 0

    def test_everything_is_counted(self, db: None, now: datetime) -> None:
        one, two = ProviderFactory(), ProviderFactory()
        keys = populate(one, 7) + populate(two, 3)
        change(
            keys[:2],
            status="needs_reauth",
            status_reason="invalid_grant",
            refresh_due_at=None,
        )
        change(
            keys[9:],
            status="revoked",
            access_token=None,
            refresh_token=None,
            refresh_due_at=None,
        )
        change(keys[3:4], key_id="deadbeef")

        found = census.take([one.pk, two.pk], now)

        assert found.total == 10
        assert found.states == {
            (one.pk, "active", ""): 5,
            (one.pk, "needs_reauth", "invalid_grant"): 2,
            (two.pk, "active", ""): 2,
            (two.pk, "revoked", ""): 1,
        }
        assert found.keys == {keyring.current_key_id(): 8, "deadbeef": 1}
        assert found.count("active") == 7
        assert found.count("active", one.pk) == 5
        assert found.count(provider=two.pk) == 3

    def test_what_waits_is_counted(self, db: None, now: datetime) -> None:
        provider = ProviderFactory()
        keys = populate(provider, 6, refresh_due_at=now + timedelta(days=1))
        change(keys[:1], refresh_due_at=now - timedelta(minutes=30))
        change(keys[1:3], refresh_due_at=now - timedelta(minutes=2))
        change(keys[3:4], refresh_due_at=now + timedelta(minutes=59))
        change(keys[4:5], refresh_due_at=now + timedelta(minutes=61))
        held = populate(ProviderFactory(), 1, refresh_due_at=now - timedelta(hours=1))
        change(held, lease=uuid.uuid4(), lease_until=now + timedelta(hours=1))

        found = census.take([provider.pk], now)

        assert found.queues[provider.pk] == Queue(
            due=3, overdue=1, soon=4, oldest=now - timedelta(minutes=30)
        )
        assert sum(queue.soon for queue in found.queues.values()) == 4

    def test_the_exact_count_is_the_same(self, db: None, now: datetime) -> None:
        provider = ProviderFactory()
        change(populate(provider, 5)[:2], status="disabled", refresh_due_at=None)

        found, counted = census.take([provider.pk], now), census.count_states()

        assert counted.states == found.states
        assert counted.keys == found.keys
        assert counted.total == found.total == 5


class TestLargeTable:
    @pytest.fixture(autouse=True)
    def small_sample(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(census, "SAMPLE", SAMPLE)

    @pytest.fixture
    def providers(self, db: None) -> list[Provider]:
        return [ProviderFactory(), ProviderFactory()]

    @pytest.fixture
    def keys(self, providers: list[Provider], now: datetime) -> list[Any]:
        later = now + timedelta(days=1)
        return [
            key
            for provider, count in zip(providers, (200, 100), strict=True)
            for key in populate(provider, count, refresh_due_at=later)
        ]

    def test_the_total_is_estimated(
        self, providers: list[Provider], keys: list[Any], now: datetime
    ) -> None:
        one, two = (provider.pk for provider in providers)

        found = census.take([one, two], now)

        assert found.sampled == SAMPLE
        assert found.total == pytest.approx(ROWS, rel=TOLERANCE)
        assert found.count("active", one) == pytest.approx(200, rel=TOLERANCE)
        assert found.count("active", two) == pytest.approx(100, rel=2 * TOLERANCE)
        assert found.keys.total() == pytest.approx(ROWS, rel=TOLERANCE)

    def test_what_is_rare_is_counted(
        self, providers: list[Provider], keys: list[Any], now: datetime
    ) -> None:
        one, two = (provider.pk for provider in providers)
        change(keys[:1], status="needs_reauth", refresh_due_at=None)
        change(keys[200:202], status="revoked", refresh_due_at=None)
        change(keys[2:5], refresh_due_at=now - timedelta(hours=1))

        found = census.take([one, two], now)

        assert found.is_stopped_exact
        assert found.is_due_exact
        assert found.is_soon_exact
        assert found.count("needs_reauth") == 1
        assert found.count("revoked") == found.count("revoked", two) == 2
        assert found.queues == {
            one: Queue(due=3, overdue=3, soon=3, oldest=now - timedelta(hours=1))
        }
        assert found.total == found.states.total()

    def test_what_is_not_rare_is_estimated(
        self,
        providers: list[Provider],
        keys: list[Any],
        now: datetime,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(census, "COUNTABLE", 20)
        change(keys[:100], status="disabled", refresh_due_at=None)
        change(keys[100:200], refresh_due_at=now - timedelta(hours=1))

        found = census.take([provider.pk for provider in providers], now)

        assert not found.is_stopped_exact
        assert not found.is_due_exact
        assert not found.is_soon_exact
        assert found.count("disabled") == pytest.approx(100, rel=2 * TOLERANCE)
        overdue = found.queues[providers[0].pk].overdue
        assert overdue == pytest.approx(100, rel=2 * TOLERANCE)

    def test_much_may_come_while_little_is_late(
        self,
        providers: list[Provider],
        keys: list[Any],
        now: datetime,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(census, "COUNTABLE", 20)
        one, two = (provider.pk for provider in providers)
        change(keys[:120], refresh_due_at=now + timedelta(minutes=30))
        change(keys[200:202], refresh_due_at=now - timedelta(minutes=10))

        found = census.take([one, two], now)

        assert found.is_due_exact
        assert not found.is_soon_exact
        assert found.queues[one].due == 0
        assert found.queues[one].soon == pytest.approx(120, rel=2 * TOLERANCE)
        assert found.queues[two].due == found.queues[two].overdue == 2

    def test_it_takes_four_queries_at_most(
        self, providers: list[Provider], keys: list[Any], now: datetime
    ) -> None:
        with CaptureQueriesContext(connection) as queries:
            census.take([provider.pk for provider in providers], now)

        assert len(queries) == 4


def test_a_key_lies_where_the_database_puts_it(db: None) -> None:
    """The order of keys, which MariaDB's own type does not compare as text."""
    populate(ProviderFactory(), 50)

    keys = ConnectedAccount.objects.order_by("pk").values_list("pk", flat=True)
    positions = [census._position(key) for key in keys]

    assert positions == sorted(positions)
    assert 0 < positions[0] < 0.2
    assert 0.8 < positions[-1] < 1
