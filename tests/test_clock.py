from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from django.db import connection

from oauth_accounts import clock
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.models import Provider
from oauth_accounts.testing.factories import ProviderFactory

ZONES = {
    "mysql": "SET time_zone = %s",
    "postgresql": "SELECT set_config('TimeZone', %s, false)",
}
NEAR = timedelta(seconds=5)


def test_this_processs_time_is_in_utc():
    assert clock.utcnow().utcoffset() == timedelta(0)


@pytest.fixture(params=["+05:00", "-11:00"])
def session_zone(request, db):
    """The database session in another zone; SQLite has none and is run as it is."""
    statement = ZONES.get(connection.vendor)
    if statement is None:
        yield request.param
        return
    with connection.cursor() as cursor:
        cursor.execute(statement, [request.param])
        yield request.param
        cursor.execute(statement, ["+00:00"])


class TestDatabaseNow:
    def test_it_is_utc_whatever_the_zone_of_the_session(self, session_zone):
        ProviderFactory()

        Provider.objects.update(paused_until=DatabaseNow())

        stored = Provider.objects.get().paused_until
        assert abs(stored - clock.utcnow()) < NEAR

    def test_it_compares_with_what_this_process_writes(self, session_zone):
        now = clock.utcnow()
        ProviderFactory(slug="earlier", paused_until=now - 2 * NEAR)
        ProviderFactory(slug="later", paused_until=now + 2 * NEAR)

        earlier = Provider.objects.filter(paused_until__lt=DatabaseNow())

        assert [provider.slug for provider in earlier] == ["earlier"]

    def test_seconds_can_be_added(self, session_zone):
        ProviderFactory()

        Provider.objects.update(paused_until=DatabaseNow() + timedelta(seconds=3600))

        left = Provider.objects.get().paused_until - clock.utcnow()
        assert abs(left - timedelta(hours=1)) < NEAR

    def test_it_can_be_read(self, session_zone):
        ProviderFactory()

        read = Provider.objects.values_list(DatabaseNow(), flat=True).get()

        assert abs(read.astimezone(UTC) - clock.utcnow()) < NEAR

    def test_it_has_fractions_of_a_second(self, db):
        ProviderFactory()

        reads = [
            Provider.objects.values_list(DatabaseNow(), flat=True).get()
            for _again in range(5)
        ]

        assert any(read.microsecond for read in reads)
