"""When a token is fresh, expires and is due: no database, no server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from oauth_accounts import clock, schedule
from oauth_accounts.fields import Secret
from oauth_accounts.protocol.tokens import TokenSet

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def frozen(monkeypatch):
    monkeypatch.setattr(clock, "utcnow", lambda: NOW)


def token(*, age=0.0, life=3600.0, **values):
    issued_at = NOW - timedelta(seconds=age)
    return SimpleNamespace(
        **{
            "access_token": "sealed",
            "issued_at": issued_at,
            "expires_at": issued_at + timedelta(seconds=life),
            **values,
        }
    )


@pytest.mark.parametrize(
    ("account", "min_validity", "fresh"),
    [
        (token(age=3539), 60, True),
        (token(age=3540), 60, False),
        (token(age=3599), 0, True),
        (token(age=3600), 0, False),
        (token(age=9, life=20), 300, True),
        (token(age=10, life=20), 300, False),
        (token(age=3539, issued_at=None), 60, True),
        (token(age=3541, issued_at=None), 60, False),
        (token(expires_at=None), 10**6, True),
        (token(access_token=None), 0, False),
    ],
)
def test_is_fresh_at_the_boundary(account, min_validity, fresh):
    assert schedule.is_fresh(account, min_validity) is fresh


@pytest.mark.parametrize(
    ("account", "recent"),
    [
        (token(age=299), True),
        (token(age=300), False),
        (token(age=9, life=20), True),
        (token(age=10, life=20), False),
        (token(age=299, expires_at=None), True),
        (token(issued_at=None), False),
    ],
)
def test_is_recent_at_the_boundary(account, recent):
    assert schedule.is_recent(account, 300, NOW) is recent


@pytest.mark.parametrize(
    ("expires_in", "default", "expected"),
    [
        (3600, None, 3600),
        (3600, 60, 3600),
        (None, 60, 60),
        (None, None, None),
        (0, 9, 120),
    ],
)
def test_expiry(expires_in, default, expected):
    tokens = TokenSet(issued_at=NOW, access_token=Secret("x"), expires_in=expires_in)
    moment = None if expected is None else NOW + timedelta(seconds=expected)
    assert schedule.expiry(tokens, default) == moment


def due(*, keepalive=None, margin=300, **values):
    provider = SimpleNamespace(margin=lambda: margin, keepalive_interval=keepalive)
    return schedule.due_at(
        provider,
        **{
            "issued_at": NOW,
            "expires_at": NOW + HOUR,
            "has_refresh_token": True,
            "refresh_token_expires_at": None,
            **values,
        },
    )


class TestDue:
    def test_the_margin_before_expiry_spread_by_a_tenth_of_the_life(self):
        dates = {due() for _ in range(200)}
        assert len(dates) > 150
        assert min(dates) >= NOW + HOUR - timedelta(seconds=300 + 360)
        assert max(dates) <= NOW + HOUR - timedelta(seconds=300)
        assert max(dates) - min(dates) > timedelta(seconds=300)

    def test_at_most_half_of_the_life_is_given_up(self):
        ends = NOW + timedelta(seconds=20)
        dates = {due(expires_at=ends) for _ in range(200)}
        assert len(dates) > 150
        assert NOW + timedelta(seconds=10) <= min(dates)
        assert max(dates) <= NOW + timedelta(seconds=12)

    def test_without_refresh_token_it_is_the_expiry(self):
        assert due(has_refresh_token=False) == NOW + HOUR
        assert due(has_refresh_token=False, expires_at=None) is None

    def test_keep_alive_comes_first_when_it_is_earlier(self):
        date = due(keepalive=1000)
        assert NOW + timedelta(seconds=900) <= date <= NOW + timedelta(seconds=1000)

    def test_a_refresh_token_is_used_a_day_before_it_dies(self):
        dies_at = NOW + timedelta(days=30)
        date = due(expires_at=None, refresh_token_expires_at=dies_at)
        assert date == dies_at - timedelta(days=1)
        soon = due(expires_at=None, refresh_token_expires_at=NOW + HOUR)
        assert soon == NOW + HOUR / 2

    def test_nothing_known_is_never_due(self):
        assert due(expires_at=None) is None


def test_back_off_grows_and_is_bounded():
    for failures, full in [(0, 30), (1, 60), (5, 960), (60, 6 * 3600)]:
        waits = {schedule.backoff(failures) for _ in range(100)}
        assert len(waits) > 50
        assert full / 2 <= min(waits) <= max(waits) <= full
