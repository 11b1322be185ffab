"""That a sweep leaves a trace, and that the trace is never in its way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from oauth_accounts import clock, sweep
from oauth_accounts.health import sweeps
from oauth_accounts.models import Health, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory
from tests.command import run


def writes(queries: CaptureQueriesContext) -> list[str]:
    table = Health._meta.db_table
    found = [query["sql"] for query in queries]
    return [sql for sql in found if table in sql and not sql.startswith("SELECT")]


class TestTrace:
    def test_a_sweep_that_finds_nothing_leaves_one(
        self, transactional_db: None
    ) -> None:
        sweep.run()

        age = clock.utcnow() - Health.objects.get().swept_at
        assert abs(age) < timedelta(minutes=1)

    def test_the_next_one_renews_it_with_one_write(
        self, transactional_db: None
    ) -> None:
        sweep.run()
        long_ago = clock.utcnow() - timedelta(days=3)
        Health.objects.update(swept_at=long_ago)

        with CaptureQueriesContext(connection) as queries:
            sweep.run()

        assert len(writes(queries)) == 1
        assert Health.objects.get().swept_at > long_ago

    def test_a_sweep_of_one_provider_is_no_sweep_of_all(
        self, transactional_db: None
    ) -> None:
        sweep.run(provider="one")

        assert not Health.objects.exists()

    def test_inside_a_transaction_no_row_is_locked(
        self, transactional_db: None
    ) -> None:
        with transaction.atomic():
            assert not Health.objects.note_sweep()

        assert not Health.objects.exists()

    @pytest.mark.parametrize("method", ["update", "bulk_create"])
    def test_a_database_that_refuses_it_is_no_error_of_the_sweep(
        self,
        provider: Provider,
        monkeypatch: pytest.MonkeyPatch,
        method: str,
    ) -> None:
        ConnectedAccountFactory(provider=provider, expired=True)
        healthy = getattr(QuerySet, method)

        def fail(rows: Any, *args: Any, **kwargs: Any) -> Any:
            if rows.model is Health:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT nothing FROM no_such_table")
            return healthy(rows, *args, **kwargs)

        monkeypatch.setattr(QuerySet, method, fail)

        assert sweep.run().done == 1
        assert not Health.objects.exists()


class TestPatience:
    @pytest.mark.parametrize(
        ("margin", "minutes"), [(300, 5), (60, 5), (3600, 60), ("none", 5)]
    )
    def test_it_is_the_margin_but_five_minutes_at_least(
        self, settings: Any, margin: Any, minutes: int
    ) -> None:
        settings.OAUTH_ACCOUNTS_REFRESH_MARGIN = margin

        assert sweeps.patience() == timedelta(minutes=minutes)

    @pytest.mark.parametrize(
        ("minutes", "missing"), [(None, True), (4, False), (6, True)]
    )
    def test_no_sweep_or_an_old_one_is_missed(
        self, minutes: int | None, missing: bool
    ) -> None:
        now = clock.utcnow()
        swept_at = None if minutes is None else now - timedelta(minutes=minutes)

        assert sweeps.are_missing(swept_at, now) is missing


@pytest.mark.usefixtures("provider")
class TestStatus:
    def test_it_says_when_the_last_sweep_began(self) -> None:
        sweep.run()

        swept_at = Health.objects.get().swept_at
        assert f"The last sweep began at {swept_at:%Y-%m-%d %H:%M} UTC.\n" in run(
            "status"
        )

    def test_it_says_that_nobody_sweeps(self) -> None:
        Health.objects.create(swept_at=clock.utcnow() - timedelta(hours=2))

        assert "too long ago: neither Celery beat nor" in run("status")
