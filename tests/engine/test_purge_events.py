"""Events are kept as long as the setting says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings

from oauth_accounts import clock, tasks
from oauth_accounts.checks.configuration import check_numbers
from oauth_accounts.models import AccountEvent, event, purge_events


@pytest.fixture
def events(transactional_db: None) -> None:
    """Events of 0 to 4 days ago."""
    for days in range(5):
        moment = clock.utcnow() - timedelta(days=days)
        AccountEvent.objects.create(kind="connected", created_at=moment)


def test_by_default_they_are_kept_for_ever(events: None) -> None:
    assert not hasattr(django_settings, "OAUTH_ACCOUNTS_EVENTS_KEPT")
    assert purge_events() == 0
    assert AccountEvent.objects.count() == 5


def test_older_ones_are_deleted_in_batches(
    events: None, settings: Any, monkeypatch: Any
) -> None:
    settings.OAUTH_ACCOUNTS_EVENTS_KEPT = 2
    monkeypatch.setattr(event, "PURGED_AT_ONCE", 2)
    assert purge_events() == 3
    assert AccountEvent.objects.count() == 2


def test_one_purge_does_not_go_on_without_end(
    events: None, settings: Any, monkeypatch: Any
) -> None:
    settings.OAUTH_ACCOUNTS_EVENTS_KEPT = 2
    monkeypatch.setattr(event, "PURGED_AT_ONCE", 1)
    monkeypatch.setattr(event, "PURGED_AT_MOST", 2)
    tasks.purge_expired_attempts()
    assert AccountEvent.objects.count() == 3


@pytest.mark.parametrize(("value", "is_right"), [(None, True), (30, True), (0, False)])
def test_a_number_that_makes_no_sense_is_found(
    settings: Any, value: int | None, is_right: bool
) -> None:
    settings.OAUTH_ACCOUNTS_EVENTS_KEPT = value
    assert [problem.id for problem in check_numbers()] == (
        [] if is_right else ["oauth_accounts.E005"]
    )
