"""The list of providers: states, bounded numbers, and a constant number of queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oauth_accounts import clock, keyring, moving
from oauth_accounts.models import ConnectedAccount, Provider, RefreshStatistic
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.admin.desk import Desk, messages


def cells(desk: Desk, name: str, **query: str) -> list[str]:
    """Return what a column of the list says, from top to bottom."""
    page = desk.page("provider_changelist", **query)
    return [cell.get_text() for cell in page.select(f"td.field-{name}")]


@pytest.mark.usefixtures("transactional_db")
class TestNumbers:
    def test_accounts_and_refreshes(self, admin: Desk) -> None:
        busy, idle = ProviderFactory(name="A"), ProviderFactory(name="B")
        ConnectedAccountFactory.create_batch(3, provider=busy)
        busy.refresh_statistics.record("success", count=1200)
        busy.refresh_statistics.record("failure", "server_error", count=4)
        busy.refresh_statistics.record("rate_limited", "rate_limited")
        idle.refresh_statistics.record("success", count=7)
        ProviderFactory(name="C").refresh_statistics.record("failure", count=2)
        assert cells(admin, "account_count") == ["3", "0", "0"]
        found = cells(admin, "refreshes")
        assert found == ["1,200 succeeded, 5 failed", "7 succeeded", "All 2 failed"]

    def test_what_is_older_than_a_day_does_not_count(self, admin: Desk) -> None:
        ProviderFactory().refresh_statistics.record("failure", "x")
        RefreshStatistic.objects.update(hour=clock.utcnow() - timedelta(hours=25))
        assert cells(admin, "refreshes") == ["None"]

    def test_there_is_an_end_to_counting(self, admin: Desk, monkeypatch: Any) -> None:
        monkeypatch.setattr(moving, "MOST_COUNTED", 2)
        for name, number in (("A", 2), ("B", 3), ("C", 1)):
            provider = ProviderFactory(name=name)
            ConnectedAccountFactory.create_batch(number, provider=provider)
        assert cells(admin, "account_count") == ["2", "more than 2", "1"]
        assert cells(admin, "account_count", o="-3") == ["more than 2", "2", "1"]
        page = admin.page("provider_change", Provider.objects.get(name="B").pk)
        row = page.select_one(".field-account_count .readonly")
        assert row.get_text() == "more than 2"

    def test_an_obstacle_is_not_counted_to_the_end_either(
        self, admin: Desk, account: ConnectedAccount, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(moving, "MOST_COUNTED", 1)
        ConnectedAccountFactory(provider=account.provider)
        response = admin.post("provider_delete", account.provider.pk, post="yes")
        assert "more than 1 accounts belong to it" in messages(response)[0]


def test_the_number_of_queries_is_constant(
    admin: Desk, transactional_db: None, monkeypatch: Any
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            admin.page("provider_changelist")
        return len(found)

    def add(number: int) -> None:
        for provider in ProviderFactory.create_batch(number):
            ConnectedAccountFactory(provider=provider)
            provider.refresh_statistics.record("success")
            provider.pause(900, "invalid_client")

    add(1)
    few = queries()
    add(12)
    assert queries() == few < 10


def test_a_list_opens_no_secret(
    admin: Desk, account: ConnectedAccount, monkeypatch: Any
) -> None:
    monkeypatch.setattr(keyring, "fingerprint", None)
    monkeypatch.setattr(Provider, "reveal", None)
    assert admin.get("provider_changelist").status_code == 200


@pytest.mark.faces
def test_states_are_pills(admin: Desk, transactional_db: None) -> None:
    ProviderFactory(name="A")
    ProviderFactory(name="B", enabled=False)
    ProviderFactory(name="C", client_id="")
    ProviderFactory(name="D").pause(900, "rate_limited")
    page = admin.page("provider_changelist")
    pills = [p.get_text() for p in page.select(".field-state .oauth-accounts-pill")]
    assert pills == ["Ready", "Disabled", "Incomplete", "Paused"]
